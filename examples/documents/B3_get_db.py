"""B3: finally: close, of a generator that is left early."""
import asyncio


class Session:
    async def close(self):
        print("  closed in", asyncio.current_task().get_name())


async def get_db():
    session = Session()
    try:
        yield session
    finally:
        await session.close()


async def read_all():
    async for _ in get_db():
        pass


async def leave_early():
    async for _ in get_db():
        break
    print("  behind the loop")


async def main():
    for use in (read_all, leave_early):
        print(use.__name__)
        task = asyncio.create_task(use(), name=use.__name__)
        await task
        del task
        await asyncio.sleep(0.01)


asyncio.run(main())
