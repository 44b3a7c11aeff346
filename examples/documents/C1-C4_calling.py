"""C1-C4: a bare call does nothing; run and await do."""
import asyncio


async def say_hi():
    print("hi there")


async def app():
    await say_hi()


cold = say_hi()
print("called:", type(cold).__name__)
cold.close()
asyncio.run(say_hi())
asyncio.run(app())
