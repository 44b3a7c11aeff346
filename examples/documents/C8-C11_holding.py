"""C8-C11: four ways to run a held coroutine, and one to forget it."""
import asyncio
import gc
import warnings

warnings.simplefilter("always")
warnings.showwarning = lambda message, kind, *rest: print(f"{kind.__name__}: {message}")


async def say_hi(how):
    print(f"hi there ({how})")


async def app():
    held = say_hi("awaited")
    await held
    await asyncio.create_task(say_hi("beside"))


held = say_hi("held")
asyncio.run(held)
asyncio.run(say_hi("in one line"))
asyncio.run(app())
held = say_hi("dropped")
del held
gc.collect()
