"""D7: TaskGroup: results, the errors as a group, and no timeout of its own."""
import asyncio


async def job(name, hundredths, result):
    try:
        await asyncio.sleep(hundredths / 100)
    except asyncio.CancelledError:
        print(f"  {name} is cancelled")
        raise
    if result < 0:
        raise ValueError(f"{name} failed")
    return result


async def main():
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(job(n, i, 10 * i)) for i, n in enumerate("abc", 1)]
    print("results", *(task.result() for task in tasks))
    try:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(job("a", 1, -1))
                group.create_task(job("c", 90, 30))
        except ValueError:
            print("never here")
    except ExceptionGroup as errors:
        print("not a ValueError:", type(errors).__name__, errors.exceptions)


asyncio.run(main())
