"""D9: commit, roll back, log, raise again; and the cancel that `except Exception` does not see."""
import asyncio
import contextlib


@contextlib.asynccontextmanager
async def transaction():
    print("  BEGIN")
    try:
        yield
        print("  COMMIT")
    except Exception as error:
        print("  ROLLBACK")
        print("  log:", error)
        raise


async def create_user(name):
    async with transaction():
        if name == "bob":
            raise ValueError(f"{name!r} is taken")
        if name == "sam":
            await asyncio.sleep(60)


async def main():
    for name in ("ann", "bob", "sam"):
        print("POST", name)
        try:
            await asyncio.wait_for(create_user(name), 0.05)
        except (ValueError, asyncio.TimeoutError) as error:
            print("  raised:", type(error).__name__)


asyncio.run(main())
