"""D15: a blocking call stops every task and nothing says so; a call without await does nothing."""
import asyncio
import gc
import time
import warnings

warnings.simplefilter("always")
warnings.showwarning = lambda message, kind, *rest: print(f"{kind.__name__}: {message}")
steps = 0


def requests_get():
    time.sleep(0.2)
    return 200


async def count():
    global steps
    while True:
        await asyncio.sleep(0.01)
        steps += 1


async def blocking():
    return requests_get()


async def on_a_thread():
    return await asyncio.to_thread(requests_get)


async def fetch_user():
    print("never printed")


async def main():
    counting = asyncio.create_task(count())
    for handler in (blocking, on_a_thread):
        before = steps
        status = await handler()
        print(handler.__name__, status, "the other task went on:", steps - before > 1)
    fetch_user()
    gc.collect()
    counting.cancel()


asyncio.run(main())
