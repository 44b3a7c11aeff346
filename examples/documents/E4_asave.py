"""E4: update, re-read, flush: a reader puts the old row back between the flush and the commit."""
import asyncio

DATABASE = {1: "Hello"}
CACHE = {}


async def acache(post_id):
    if post_id not in CACHE:
        row = DATABASE[post_id]
        await asyncio.sleep(0.01)
        CACHE[post_id] = row
    return CACHE[post_id]


async def asave(post_id, title):
    await asyncio.sleep(0.005)
    DATABASE[post_id] = title
    CACHE.pop(post_id, None)
    return DATABASE[post_id]


async def main():
    _, saved = await asyncio.gather(acache(1), asave(1, "Hello, world"))
    print("saved:     ", saved)
    print("database:  ", DATABASE[1])
    print("from now on", await acache(1))


asyncio.run(main())
