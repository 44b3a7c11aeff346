"""D2: fetch_user, main, run; and the same with the await forgotten."""
import asyncio


async def fetch_user(user_id):
    await asyncio.sleep(0.01)
    return f"user {user_id}"


async def main():
    print(await fetch_user(1))
    forgotten = fetch_user(1)
    print(type(forgotten).__name__)
    forgotten.close()


asyncio.run(main())
