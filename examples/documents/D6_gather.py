"""D6: gather keeps the order and the time of one; after a failure the others run on."""
import asyncio
import time


async def fetch_user(user_id):
    await asyncio.sleep(0.05)
    if user_id == 0:
        raise LookupError("no user 0")
    return 100 + user_id


async def late(user_id):
    await asyncio.sleep(0.1)
    print("still running: user", user_id)


async def main():
    start = time.monotonic()
    serial = [await fetch_user(i) for i in range(1, 11)]
    middle = time.monotonic()
    gathered = await asyncio.gather(*(fetch_user(i) for i in range(1, 11)))
    end = time.monotonic()
    print(serial == gathered, "and faster:", (middle - start) > 3 * (end - middle))
    try:
        await asyncio.gather(fetch_user(0), late(7))
    except LookupError as error:
        print("LookupError:", error)
    await asyncio.sleep(0.2)


asyncio.run(main())
