"""D18: define, await, gather, async with, run."""
import asyncio
import contextlib


async def count_users():
    await asyncio.sleep(0.01)
    return 3


async def fetch_load(host):
    await asyncio.sleep(0.02)
    return 0.5 if host.startswith("a") else 1.5


async def is_open(hour):
    await asyncio.sleep(0.01)
    return 9 <= hour < 17


@contextlib.asynccontextmanager
async def door(number):
    await asyncio.sleep(0)
    print("door", number, "opened")
    yield number
    print("door", number, "closed")


async def main():
    async with door(7) as number:
        users, load, opened = await asyncio.gather(count_users(), fetch_load("alpha"), is_open(10))
        print(f"behind door {number}: {users} users, load {load}, {'open' if opened else 'closed'}")


asyncio.run(main())
