"""C12: main cuts its tasks off; the recipe waits for them."""
import asyncio


async def work(number):
    await asyncio.sleep(number / 50)
    print(f"task {number} has ended")


async def too_early():
    held = [asyncio.create_task(work(i)) for i in (1, 2, 3)]
    await asyncio.sleep(0)
    print(len(held), "tasks started, main ends")


async def by_the_recipe():
    held = [asyncio.create_task(work(i)) for i in (1, 2, 3)]
    others = asyncio.all_tasks() - {asyncio.current_task()}
    print(len(others), "tasks besides this one")
    await asyncio.wait(others)
    print("main ends with", len(held), "tasks done")


asyncio.run(too_early())
asyncio.run(by_the_recipe())
