"""D16: cancel, clean up, raise again; and the cancel that is swallowed."""
import asyncio


async def cancellable():
    rounds = 0
    try:
        while True:
            rounds += 1
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        print("cleaned up")
        raise


async def swallowing():
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        pass
    await asyncio.sleep(0.01)
    print("swallowed the cancel and went on")


async def main():
    one, two = asyncio.create_task(cancellable()), asyncio.create_task(swallowing())
    await asyncio.sleep(0.05)
    one.cancel()
    two.cancel()
    await asyncio.wait([one, two])
    print("cancelled:", one.cancelled(), two.cancelled())


asyncio.run(main())
