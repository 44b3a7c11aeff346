"""D8: a semaphore of 3 over 100 tasks, and one release too many."""
import asyncio

running = most = 0


async def work(slots):
    global running, most
    async with slots:
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1


async def main():
    slots = asyncio.Semaphore(3)
    await asyncio.gather(*(work(slots) for _ in range(100)))
    print("never more than", most)
    slots.release()
    await asyncio.gather(*(work(slots) for _ in range(100)))
    print("after one release too many:", most)


asyncio.run(main())
