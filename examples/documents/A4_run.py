"""A4: run(main()), and run() inside a running loop."""
import asyncio


async def hello():
    await asyncio.sleep(0.01)
    print("Hello")


async def nested():
    inner = hello()
    try:
        asyncio.run(inner)
    except RuntimeError as error:
        print("RuntimeError:", error)
        inner.close()


asyncio.run(hello())
asyncio.run(nested())
