"""D10: a pool for each call: each request connects and hangs up."""
import asyncio
import contextlib

CONNECTED = []


class Pool:
    async def connect(self):
        await asyncio.sleep(0.001)
        CONNECTED.append(self)

    async def get(self, key):
        await asyncio.sleep(0)
        return {"0": "dark"}.get(key)

    async def close(self):
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def redis_connection():
    pool = Pool()
    await pool.connect()
    try:
        yield pool
    finally:
        await pool.close()


async def read_setting(key):
    async with redis_connection() as redis:
        return {"key": key, "value": await redis.get(key)}


async def main():
    answers = await asyncio.gather(*(read_setting(str(key)) for key in range(50)))
    print(answers[0])
    print(len(answers), "requests,", len(CONNECTED), "connections")


asyncio.run(main())
