"""D4: the route without a check: a missing row is null with 200, and the password leaves too."""
import asyncio
import contextlib
import json

USERS = {1: {"id": 1, "name": "Ann", "password": "argon2..."}}


@contextlib.asynccontextmanager
async def get_db():
    print("  session opened")
    yield USERS
    print("  session closed")


async def read_user(user_id, db):
    await asyncio.sleep(0)
    return db.get(user_id)


async def call(path):
    """What a framework does: parse, provide, call, reply; then the end of the dependency."""
    user_id = path.rpartition("/")[2]
    if not user_id.isdigit():
        print(f"GET {path}: 422")
        return
    async with get_db() as db:
        print(f"GET {path}: 200", json.dumps(await read_user(int(user_id), db)))


for name in ("/users/1", "/users/999", "/users/x"):
    asyncio.run(call(name))
