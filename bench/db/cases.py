"""What the suite measures: every case, who runs it, and the bars that bide must reach.

README.md says what each case counts.
"""
from dataclasses import dataclass

from common import Bar


@dataclass(frozen=True)
class Case:
    name: str
    systems: tuple  # bide first, then those it is compared with
    bars: tuple
    unit: str
    data: str = ""  # what it works on: "postgres", "redis", "sqlite"
    also: tuple = ("_cpu",)  # numbers that are shown below its own
    number: str = ""  # what of a program's numbers is the case's value
    synchronous: str = "full"  # of SQLite


CASES = (
    Case("pg_select", ("bide", "libpq", "pgx", "asyncpg", "sqlalchemy", "pgbench"),
         (Bar("libpq", ">=", 0.9), Bar("pgx", ">=", 2.4), Bar("asyncpg", ">=", 4),
          Bar("sqlalchemy", ">=", 40), Bar("libpq", "<=", 1.5, "_cpu")), "selects/s",
         "postgres"),
    Case("pg_tx", ("bide", "pgbench"), (Bar("pgbench", ">=", 1),), "transactions/s",
         "postgres"),
    Case("pg_insert", ("bide", "libpq", "sqlalchemy"),
         (Bar("libpq", ">=", 0.8), Bar("sqlalchemy", ">=", 50)), "rows/s", "postgres"),
    Case("http_pg", ("bide", "bare", "fastapi", "pgx"),
         (Bar("bare", ">=", 0.7), Bar("fastapi", ">=", 25)), "requests/s", "postgres"),
    Case("sqlite_read", ("bide", "sqlite3", "aiosqlite", "sqlalchemy"),
         (Bar("sqlite3", "<=", 1.5),), "ns", "sqlite", also=()),
    Case("sqlite_write", ("bide", "sqlite3", "sqlalchemy"), (Bar("sqlite3", ">=", 15),), "rows/s",
         "sqlite"),
    Case("sqlite_batch", ("bide", "sqlite3", "sqlalchemy"), (Bar("sqlite3", ">=", 0.8),), "rows/s",
         "sqlite", synchronous="normal"),
    Case("redis_get", ("bide", "redis-benchmark", "redis.asyncio"),
         (Bar("redis-benchmark", ">=", 0.4), Bar("redis.asyncio", ">=", 15)), "commands/s",
         "redis"),
    Case("pool", ("bide", "mutex"), (Bar("mutex", "<=", 6),), "ns", also=()),
)
