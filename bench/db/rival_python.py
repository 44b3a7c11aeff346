"""Python's side: rival_python.py SYSTEM CASE URL prints what rate.h says, for sqlite_read
nanoseconds per operation. SYSTEM: asyncpg, sqlalchemy, aiosqlite, redis.asyncio; on uvloop where
there is one. Case http_pg (fastapi): a server that prints `PORT n` and serves until it is killed.
"""
import asyncio
import os
import resource
import sys
import time
from pathlib import Path

try:
    import uvloop
    uvloop.install()
except ImportError:
    pass

ACCOUNTS, BATCH_ROWS, CONNECTIONS = 10000, 1000, 16
NOTE = "salary of May"
TASKS = {"pg_select": 64, "redis_get": 64}
SELECT = "select id, name, balance from accounts where id = "


def next_account(state):
    state[0] = (state[0] * 6364136223846793005 + 1442695040888963407) % 2**64
    return (state[0] >> 33) % ACCOUNTS + 1


def cpu_s():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def repeat(work, tasks, length_s):
    """Operations, time and CPU time of tasks that work until the time is over."""
    begin_s, begin_cpu_s = time.monotonic(), cpu_s()

    async def one(number):
        count, seed = 0, [number]
        while time.monotonic() - begin_s < length_s:
            count += await work(next_account(seed))
        return count

    counts = await asyncio.gather(*(one(number) for number in range(tasks)))
    return sum(counts), time.monotonic() - begin_s, cpu_s() - begin_cpu_s


async def measure(case, work):
    length_s = int(os.environ["BENCH_MS"]) / 1000
    tasks = TASKS.get(case, 1)
    await repeat(work, tasks, length_s / 4)
    count, elapsed_s, used_s = await repeat(work, tasks, length_s)
    print(case, elapsed_s / count * 1e9 if case == "sqlite_read" else count / elapsed_s)
    print(f"{case}_cpu", used_s / count * 1e6)


def check(found, account):
    if found != account:
        raise SystemExit(f"rival_python.py: {found} in place of {account}")
    return 1


# ---- bare drivers ----
async def with_asyncpg(case, url):
    import asyncpg
    pool = await asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS)

    async def work(account):
        async with pool.acquire() as connection:
            row = await connection.fetchrow(SELECT + "$1", account)
        return check(row["id"], account)

    await measure(case, work)
    await pool.close()


async def with_aiosqlite(case, path):
    import aiosqlite
    async with aiosqlite.connect(path) as connection:

        async def work(account):
            async with connection.execute(SELECT + "?", (account,)) as cursor:
                row = await cursor.fetchone()
            return check(row[0], account)

        await measure(case, work)


async def with_redis(case, url):
    import redis.asyncio
    client = redis.asyncio.Redis.from_url(url, max_connections=TASKS[case])

    async def work(_account):
        return check(await client.get("key"), b"xxx")

    await measure(case, work)
    await client.close()


# ---- SQLAlchemy ----
def models():
    from sqlalchemy import BigInteger, Column, Integer, String
    from sqlalchemy.orm import declarative_base
    base = declarative_base()
    key = BigInteger().with_variant(Integer, "sqlite")

    class Account(base):
        __tablename__ = "accounts"
        id = Column(key, primary_key=True)
        name = Column(String, nullable=False)
        balance = Column(BigInteger, nullable=False)

    class Entry(base):
        __tablename__ = "entries"
        id = Column(key, primary_key=True)
        account = Column(BigInteger, nullable=False)
        delta = Column(BigInteger, nullable=False)
        note = Column(String, nullable=False)

    return Account, Entry


def session_maker(url):
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
    from sqlalchemy.orm import sessionmaker
    if url.startswith("postgresql:"):
        engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"),
                                     pool_size=CONNECTIONS, max_overflow=0)
    else:
        engine = create_async_engine(f"sqlite+aiosqlite:///{url}")
    return engine, sessionmaker(engine, class_=AsyncSession)


async def with_sqlalchemy(case, url):
    from sqlalchemy import select
    account_type, entry_type = models()
    engine, session_of = session_maker(url)

    async def read(account):
        async with session_of() as session:
            found = await session.execute(select(account_type).where(account_type.id == account))
            return check(found.scalar_one().id, account)

    async def write(account):
        async with session_of() as session:
            session.add(entry_type(account=account, delta=1, note=NOTE))
            await session.commit()
        return 1

    async def write_batch(account):
        async with session_of() as session:
            session.add_all(entry_type(account=account, delta=number, note=NOTE)
                            for number in range(BATCH_ROWS))
            await session.commit()
        return BATCH_ROWS

    works = {"pg_insert": write_batch, "sqlite_batch": write_batch, "sqlite_write": write}
    await measure(case, works.get(case, read))
    await engine.dispose()


# ---- FastAPI ----
def serve_accounts(url):
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    from asgi import serve
    from fastapi import Depends, FastAPI, HTTPException
    from pydantic import BaseModel
    from sqlalchemy import select
    account_type, _ = models()
    _, session_of = session_maker(url)
    app = FastAPI()

    class Account(BaseModel):
        id: int
        name: str
        balance: int

        class Config:
            orm_mode = True

    async def database():
        async with session_of() as session:
            yield session

    @app.get("/accounts/{number}", response_model=Account)
    async def get_account(number: int, session=Depends(database)):
        found = await session.execute(select(account_type).where(account_type.id == number))
        account = found.scalar_one_or_none()
        if account is None:
            raise HTTPException(404, "no such account")
        return account

    serve(app)


def main():
    system, case, url = sys.argv[1:]
    if case == "http_pg":
        serve_accounts(url)
        return
    works = {"asyncpg": with_asyncpg, "sqlalchemy": with_sqlalchemy, "aiosqlite": with_aiosqlite,
             "redis.asyncio": with_redis}
    asyncio.run(works[system](case, url))


if __name__ == "__main__":
    main()
