"""C14: lost updates, and two locks in opposite order."""
import asyncio

value = 0


async def increment():
    global value
    seen = value
    await asyncio.sleep(0.001)
    value = seen + 1


async def transfer(first, second):
    async with first:
        await asyncio.sleep(0.01)
        async with second:
            print("transferred")


async def app():
    await asyncio.gather(*(increment() for _ in range(100)))
    print("100 increments end at", value)
    left, right = asyncio.Lock(), asyncio.Lock()
    both = asyncio.gather(transfer(left, right), transfer(right, left))
    try:
        await asyncio.wait_for(both, 0.2)
    except asyncio.TimeoutError:
        print("both still wait after 0.2 s; nobody says why")


asyncio.run(app())
