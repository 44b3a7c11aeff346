"""Builds the loads of this folder, fills the database, and starts the servers.

What cannot be had here is left out, with one line that says why.
"""
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

from common import BUILD, Builder, announced_port, serving

POSTS, ACCOUNTS = 200, 32
PASSWORD = "speak friend and enter"
FASTAPI_NEEDS = "import fastapi, uvicorn, uvloop, httptools, aiosqlite, jinja2, sqlalchemy"
FRODO = BUILD / "apps" / "frodo"


def frodo(database, *arguments):
    """The application, with defaults for all that the environment might say else."""
    return ["env", "-i", f"DATABASE_URL=sqlite://{database}", "BIDE_LOG_LEVEL=warn", FRODO,
            *arguments]


def frodo_port(server):
    """What it says about itself has a line with the blog's URL; 0 without it."""
    for line in server.stdout:
        found = re.match(r"blog: +http://127\.0\.0\.1:(\d+)/", line)
        if found:
            return int(found[1])
    return 0


class Programs(Builder):
    def __init__(self, here, out):
        super().__init__(here, out)
        self.seeded, self.database = out / "seeded.db", out / "frodo.db"

    def build(self, systems):
        c = [*self.cc, *self.c_flags]
        for load, source in (("http_load", "../http/http_load.c"), ("login_load", "login_load.c")):
            if not self.compile(load, [*c, source], quiet=False):
                raise SystemExit(f"bench: {load} does not build")
        if FRODO.exists():
            self.systems |= {"bide", "idle"}
        else:
            self.left_out.append("bide (apps/frodo is not built: use ./dev bench)")
            self.incomplete = True
        if "argon2id" in systems:
            command = [*c, "-pthread", "rival_argon2id.c", "-lsodium"]
            if self.compile("rival_argon2id", command):
                self.systems.add("argon2id")
            else:
                self.leave_out("argon2id", "libsodium-dev")
        for system in sorted(systems & {"fastapi", "fastapi_cached"}):
            if self.python_runs(FASTAPI_NEEDS):
                self.systems.add(system)
            else:
                self.leave_out(system, "fastapi, uvicorn, uvloop, httptools, python3-aiosqlite, "
                                       "python3-jinja2 and python3-sqlalchemy")

    def run_frodo(self, *arguments, typed=""):
        done = subprocess.run([str(part) for part in frodo(self.seeded, *arguments)], text=True,
                              input=typed, cwd=self.out, capture_output=True, check=False)
        if done.returncode:
            raise SystemExit(f"bench: frodo {arguments[0]}: {done.stderr.strip()}")

    def seed(self, accounts):
        """Posts, and accounts that may log in: login0, login1 ..."""
        self.remove(self.seeded)
        self.run_frodo("seed", POSTS)
        for number in range(accounts):
            self.run_frodo("adduser", f"login{number}", f"login{number}@bench.example",
                           typed=f"{PASSWORD}\n")

    @staticmethod
    def remove(database):
        for end in ("", "-wal", "-shm"):
            Path(f"{database}{end}").unlink(missing_ok=True)

    def fresh_database(self):
        """As it was when it was seeded."""
        self.remove(self.database)
        shutil.copy(self.seeded, self.database)

    def password_hash(self):
        connection = sqlite3.connect(self.seeded)
        (text,) = connection.execute("select password from users where username = 'login0'"
                                     ).fetchone()
        connection.close()
        return text

    def serving(self, system, used_cores):
        """A server: its process, and the port."""
        self.fresh_database()
        log = self.out / f"{system}.log"
        if system.startswith("fastapi"):
            command = [self.python, "-B", self.here / "rival_fastapi.py", self.database, system]
            return serving(system, command, used_cores, log, announced_port)
        return serving(system, frodo(self.database, "run", "--port", 0), used_cores, log,
                       frodo_port, cwd=self.out)
