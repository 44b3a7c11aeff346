"""C5-C7: the check that was never made, and its warning."""
import asyncio
import warnings

warnings.simplefilter("always")
warnings.showwarning = lambda message, kind, *rest: print(f"{kind.__name__}: {message}")


async def may_enter(name):
    await asyncio.sleep(0)
    return name == "ann"


async def app():
    for name in ("ann", "bob"):
        if may_enter(name):
            print(name, "may enter")
        else:
            print(name, "stays outside")


asyncio.run(app())
