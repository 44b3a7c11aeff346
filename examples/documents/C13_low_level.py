"""C13: calls of the loop, by mistake: what they start belongs to nobody."""
import asyncio
import gc
import warnings

warnings.simplefilter("always")
warnings.showwarning = lambda message, kind, *rest: print(f"{kind.__name__}: {message}")


async def ring():
    print("the bell")


async def app():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: print("logged only:", context["exception"]))
    loop.call_later(0.01, ring)
    loop.call_later(0.03, lambda: 1 / 0)
    loop.call_later(5, print, "never printed")
    held = ring()
    try:
        loop.run_until_complete(held)
    except RuntimeError as error:
        print("RuntimeError:", error)
    del held
    gc.collect()
    await asyncio.sleep(0.1)
    print("the end")


asyncio.run(app())
