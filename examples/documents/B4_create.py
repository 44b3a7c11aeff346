"""B4: attributes expire at the commit; without the refresh, reading one is a query in hiding."""
import asyncio


class MissingGreenlet(Exception):
    pass


class User:
    def __init__(self, email):
        self.values = {"email": email}

    def __getattr__(self, name):
        if self.values.get("expired"):
            raise MissingGreenlet("await_only() can't be called here: an unexpected query")
        return self.values.get(name)


class Session:
    def add(self, user):
        self.added = user

    async def commit(self):
        await asyncio.sleep(0)
        self.added.values["expired"] = True

    async def refresh(self, user):
        await asyncio.sleep(0)
        user.values = {"id": 1, "email": user.values["email"]}


async def create(session, email, refresh):
    user = User(email)
    session.add(user)
    print("added:    ", user.id)
    await session.commit()
    if refresh:
        await session.refresh(user)
    return user


async def main():
    for refresh in (True, False):
        user = await create(Session(), "ann@a.example", refresh)
        try:
            print("committed:", user.id)
        except MissingGreenlet as error:
            print("committed:", type(error).__name__, error)


asyncio.run(main())
