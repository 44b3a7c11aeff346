"""B5: await on the plain add is a TypeError after the fact; a bare commit stores nothing."""
import asyncio
import warnings

warnings.simplefilter("always")
warnings.showwarning = lambda message, *_, **__: print("warning:", message)


class Session:
    def __init__(self):
        self.added, self.stored = [], []

    def add(self, row):
        self.added.append(row)

    async def commit(self):
        await asyncio.sleep(0)
        self.stored += self.added


async def main():
    session = Session()
    try:
        await session.add("Ann")
    except TypeError as error:
        print("TypeError:", error)
    print(len(session.added), "added")
    session.commit()
    print(len(session.stored), "stored")


asyncio.run(main())
