"""E2: __aenter__ connects; __aexit__ prints the error, disconnects, and here swallows it."""
import asyncio


class Database:
    async def __aenter__(self):
        await asyncio.sleep(0)
        print("connected")
        return self

    async def __aexit__(self, kind, error, traceback):
        if error:
            print("on the way out:", error)
        print("disconnected")
        return True

    async def query(self, sql):
        await asyncio.sleep(0)
        if sql.startswith("?"):
            raise ValueError("syntax error at '?'")
        return 1


async def main():
    for sql in ("select 2", "? 2"):
        rows = 0
        async with Database() as db:
            rows = await db.query(sql)
        print(rows, "rows, no error")


asyncio.run(main())
