"""D17: the same two tests; the client skips the start-up, and the tests share one list."""
import asyncio

USERS = []


class App:
    async def start(self):
        USERS.append({"user_id": 1, "name": "Ann"})

    async def __call__(self, method, path, body=None):
        if method == "POST":
            USERS.append({"user_id": len(USERS) + 1, **body})
            return 200, USERS[-1]
        found = [user for user in USERS if str(user["user_id"]) == path.rpartition("/")[2]]
        return (200, found[0]) if found else (404, None)


async def test_get_user(app):
    status, user = await app("GET", "/users/1")
    assert status == 200 and user["user_id"] == 1, f"status {status}"


async def test_create_user(app):
    status, user = await app("POST", "/users", {"name": "Bob"})
    assert status == 200 and user["name"] == "Bob"
    assert user["user_id"] == 2, f"user_id {user['user_id']}"


async def main():
    for started in (False, True):
        print("the start-up ran:", started)
        if started:
            await App().start()
        for test in (test_get_user, test_create_user, test_create_user):
            try:
                await test(App())
                print("  passed", test.__name__)
            except AssertionError as error:
                print("  failed", test.__name__ + ":", error)
        USERS.clear()


asyncio.run(main())
