"""A3: a loop fetched by hand, and what happens when nobody made one."""
import asyncio


async def hello():
    await asyncio.sleep(0.01)
    print("Hello")


loop = asyncio.new_event_loop()
loop.run_until_complete(hello())
loop.close()

try:
    asyncio.get_running_loop()
except RuntimeError as error:
    print("RuntimeError:", error)
