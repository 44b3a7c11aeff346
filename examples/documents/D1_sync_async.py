"""D1: the same handler, synchronous and async, twenty requests."""
import asyncio
import time

REQUESTS = 20


def get_user_sync():
    time.sleep(0.02)


async def get_user_async():
    await asyncio.sleep(0.02)


async def all_at_once():
    await asyncio.gather(*(get_user_async() for _ in range(REQUESTS)))


start = time.monotonic()
for _ in range(REQUESTS):
    get_user_sync()
serial = time.monotonic() - start
start = time.monotonic()
asyncio.run(all_at_once())
print("synchronous, one after the other: at least 0.4 s:", serial >= 0.4)
print("async, all at once: less than a quarter:", time.monotonic() - start < serial / 4)
