"""Builds the programs of this folder and knows which one runs a case for a system.

What cannot be built here is left out, with one line that says why.
"""
import os
import shutil
import subprocess

from common import Builder
from servers import Postgres

# Debian's place for the sources of Go's packages.
GO_PACKAGES = "/usr/share/gocode"
NEEDS = {
    "asyncpg": ("python3-asyncpg", "import asyncpg"),
    "aiosqlite": ("python3-aiosqlite", "import aiosqlite"),
    "redis.asyncio": ("python3-redis", "import redis.asyncio"),
    "sqlalchemy": ("python3-sqlalchemy, python3-asyncpg, python3-aiosqlite",
                   "import asyncpg, aiosqlite; from sqlalchemy.ext.asyncio import AsyncSession"),
    "fastapi": ("python3-fastapi, uvicorn, python3-sqlalchemy, python3-asyncpg",
                "import fastapi, uvicorn, uvloop, httptools, asyncpg, sqlalchemy.ext.asyncio"),
}
# What is to be installed for a case's data.
SERVERS = {"postgres": "postgresql", "redis": "redis-server"}


class Programs(Builder):
    def build(self, systems):
        c = [*self.cc, *self.c_flags]
        if not self.compile("http_load", [*c, "../http/http_load.c"], quiet=False):
            raise SystemExit("bench: http_load does not build")
        self.compile_bide(["bide_db"])
        if "bide_db" in self.built:
            self.systems |= {"bide", "mutex"}
        pq = shutil.which("pg_config") and subprocess.check_output(["pg_config", "--includedir"],
                                                                   text=True).strip()
        go = shutil.which("go") and os.path.isdir(f"{GO_PACKAGES}/src/github.com/jackc/pgx")
        if go:
            paths = [path for path in (os.environ.get("GOPATH"), GO_PACKAGES) if path]
            os.environ.update(GOPATH=":".join(paths), GO111MODULE="off")
        plans = {
            "bare": ("rival_bare", [*c, "rival_bare.c"], "a C compiler"),
            "libpq": ("rival_libpq", pq and [*c, "-I", pq, "rival_libpq.c", "-lpq"], "libpq-dev"),
            "sqlite3": ("rival_sqlite", [*c, "rival_sqlite.c", "-lsqlite3"], "libsqlite3-dev"),
            "pgx": ("rival_go", go and ["go", "build", "rival_go.go"],
                    "go and golang-github-jackc-pgx-v4-dev"),
        }
        for system in sorted(systems & plans.keys()):
            program, command, need = plans[system]
            if self.compile(program, command):
                self.systems.add(system)
            else:
                self.leave_out(system, need)
        for system, program in {"pgbench": Postgres.program("pgbench"),
                                "redis-benchmark": shutil.which("redis-benchmark")}.items():
            if program:
                self.systems.add(system)
            elif system in systems:
                self.leave_out(system, system)
        for system in sorted(systems & NEEDS.keys()):
            need, test = NEEDS[system]
            if self.python_runs(test):
                self.systems.add(system)
            else:
                self.leave_out(system, need)

    def possible(self, case):
        """Whether what the case works on is there."""
        there = {"postgres": Postgres.program("postgres"), "redis": shutil.which("redis-server")}
        if there.get(case.data, True):
            return True
        self.leave_out(case.name, SERVERS[case.data])
        return False

    def command(self, system, case, url):
        if system == "mutex":
            return [self.path("bide_db"), "mutex"]
        if system == "bide":
            if case.data == "sqlite":
                url = f"sqlite://{url}?synchronous={case.synchronous}"
            return [self.path("bide_db"), case.name, *([url] if url else [])]
        if system in NEEDS:
            return [self.python, "-B", self.here / "rival_python.py", system, case.name, url]
        if system == "sqlite3":
            return [self.path("rival_sqlite"), case.name, url, case.synchronous]
        program = {"libpq": "rival_libpq", "pgx": "rival_go"}[system]
        return [self.path(program), case.name, url]
