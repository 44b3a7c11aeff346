"""D3: the end of a yield-dependency runs behind the reply; `async with` on it is a TypeError."""
import asyncio


class Session:
    async def commit(self):
        raise RuntimeError("unique constraint failed")

    async def close(self):
        print("  session closed")


async def get_db():
    session = Session()
    try:
        yield session
        await session.commit()
    finally:
        await session.close()


async def serve():
    dependency = get_db()
    await anext(dependency)
    print("  reply 201")
    try:
        await anext(dependency)
    except RuntimeError as error:
        print("  too late:", error)


async def main():
    print("POST shopping")
    await serve()
    try:
        async with get_db():
            pass
    except TypeError as error:
        print("TypeError:", error)


asyncio.run(main())
