"""A1: three forgotten awaits: any code passes, nothing is rolled back, nothing is removed."""
import asyncio
import warnings

warnings.simplefilter("always")
warnings.showwarning = lambda message, *_, **__: print("    warning:", message)

CODES = {"ann@shire.example": "123456"}
USERS, REGISTRY = [], []


class Session:
    async def rollback(self):
        print("    rolled back")

    async def remove(self):
        REGISTRY.remove(self)

    async def check_email_code(self, email, code):
        await asyncio.sleep(0)
        return CODES.get(email) == code


async def register(email, code):
    session = Session()
    REGISTRY.append(session)
    try:
        if not session.check_email_code(email, code):
            return 400, "邮箱或验证码错误！"
        if email in USERS:
            raise ValueError("taken")
        USERS.append(email)
        return 200, "registered"
    except ValueError as error:
        session.rollback()
        return 500, str(error)
    finally:
        session.remove()


async def main():
    for code in ("000000", "999999"):
        print("ann@shire.example with", code)
        print(" ", await register("ann@shire.example", code))
    print(len(USERS), "users,", len(REGISTRY), "sessions left in the registry")


asyncio.run(main())
