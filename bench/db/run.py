"""./dev bench db [CASE...] [--quick]: SQL, Redis and the pool beside bare libraries and others.

Called by ./dev, which has built the library and says where in BIDE_BUILD; builds the programs of
this folder into build/bench/db, starts PostgreSQL and Redis in scratch folders, runs the programs
in rounds, prints a table and writes build/bench/db.json. A CASE may be a pattern (`pg_*`). A
database server runs on one core, its client on another. Each round runs every system of a case
once, one after the other, every second round in reverse order. A ratio is that of the medians, its
interval is bootstrapped over the pairs. A system that fails in a case is left out of it from then
on. Exit status: 1 when a bar is missed, a system failed or bide's program could not be built, else
0.
"""
import os
import re
import socket
import sqlite3
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from common import (LOAD_CORE, RUN_LIMIT_S, SERVER_CORE, Quiet, children_s,  # noqa: E402
                    chosen_cases, close_report, finish, options_of, out_folder, print_table,
                    serving, start)
from pairs import all_rows, note_limits, note_wide_intervals, run_rounds  # noqa: E402
from cases import CASES  # noqa: E402
from programs import Programs  # noqa: E402
from servers import Postgres, Redis  # noqa: E402

OUT = out_folder("db")
PAIRS = 9  # of bide and the systems that the bars name
QUICK_PAIRS = 3
UNITS = {"_cpu": "us/operation"}
ACCOUNTS = 10000
REQUEST = "GET /accounts/7 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
REPLY = '{"id":7,"name":"account of number 7","balance":0}'
HTTP_CONNECTIONS = 64
MOST_BLOCKED_MS = 150
# redis-benchmark and pgbench count; about as much as fits into the time.
REDIS_COMMANDS_PER_MS, REDIS_PIPELINE = 1500, 16
PGBENCH = {"pg_select": 64, "pg_tx": 16}  # clients


def fresh_sqlite(path):
    """The tables of schema.sql, in SQLite's way."""
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("pragma journal_mode=wal")
    connection.execute("create table accounts (id integer primary key, name text not null, "
                       "balance integer not null)")
    connection.execute("create table entries (id integer primary key, account integer not null, "
                       "delta integer not null, note text not null)")
    connection.executemany("insert into accounts values (?, ?, 0)",
                           ((i, f"account of number {i}") for i in range(1, ACCOUNTS + 1)))
    connection.commit()
    connection.close()


class Runner:
    def __init__(self, programs, servers, quick):
        self.programs, self.servers = programs, servers
        self.run_ms = 300 if quick else 1000
        self.quiet = Quiet(4.0 if quick else 30.0, self.servers_s)
        self.values = {}  # (number's name, system) -> one value per round
        self.learned = set()  # files of replies
        self.failed = set()  # (case's name, system)

    def servers_s(self):
        return sum(server.cpu_s() for server in self.servers.values())

    def measure(self, case, system):
        url = self.prepare(case)
        once = {"http_pg": self.serve, "pgbench": self.pgbench,
                "redis-benchmark": self.redis_benchmark}
        run_once = once.get(case.name) or once.get(system) or self.run_program
        numbers = self.quiet.run({SERVER_CORE, LOAD_CORE}, lambda: run_once(case, system, url))
        for name, value in numbers.items():
            name = case.name if name == "mutex" else name
            self.values.setdefault((name, system), []).append(value)

    def attempt(self, case, system):
        """Measures, unless it has failed before; what fails does not stop the others."""
        if (case.name, system) in self.failed:
            return
        try:
            self.measure(case, system)
        except (SystemExit, OSError, ValueError) as error:
            print(f"{case.name}, {system}: FAILED: {error}", flush=True)
            self.failed.add((case.name, system))

    def prepare(self, case):
        """Data as at the beginning; where it is."""
        if case.data == "sqlite":
            path = OUT / "bench.db"
            fresh_sqlite(path)
            return path
        if case.data == "postgres":
            server = self.servers["postgres"]
            server.move(LOAD_CORE if case.name == "http_pg" else SERVER_CORE)
            server.sql("truncate entries restart identity; update accounts set balance = 0 "
                       "where balance <> 0; vacuum analyze accounts; checkpoint")
        return self.servers[case.data].url if case.data else None

    def run_program(self, case, system, url):
        command = self.programs.command(system, case, url)
        # A task that measures itself keeps its loop: bide would report a second of that.
        run_ms = min(self.run_ms, MOST_BLOCKED_MS) if case.unit == "ns" else self.run_ms
        return finish(start(command, {LOAD_CORE}, run_ms), command)

    def counted(self, case, command, pattern):
        """The rate that another's program prints, and its CPU time."""
        before_s = children_s()
        process = start(command, {LOAD_CORE}, self.run_ms)
        try:
            output, _ = process.communicate(timeout=RUN_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
        found = re.search(pattern, output)
        if process.returncode or not found:
            raise SystemExit(f"bench: not what was expected of {command[0]}: {output}")
        return float(found[1]), children_s() - before_s, output

    def pgbench(self, case, _system, url):
        clients, script = PGBENCH[case.name], HERE / f"pgbench_{case.name[3:]}.sql"
        seconds = max(1, self.run_ms // 1000)
        command = [Postgres.program("pgbench"), "-n", "-M", "prepared", "-c", clients, "-T",
                   seconds, "-f", script, url]
        rate, used_s, output = self.counted(case, command, r"tps = ([0-9.]+) \(without")
        count = int(re.search(r"actually processed: (\d+)", output)[1])
        return {case.name: rate, f"{case.name}_cpu": used_s / count * 1e6}

    def redis_benchmark(self, case, _system, _url):
        count = REDIS_COMMANDS_PER_MS * self.run_ms
        command = ["redis-benchmark", "-p", self.servers["redis"].port, "-n", count, "-P",
                   REDIS_PIPELINE, "--csv", "get", "key"]
        rate, used_s, _ = self.counted(case, command, r'\n"[^"]*","([0-9.]+)"')
        return {case.name: rate, f"{case.name}_cpu": used_s / count * 1e6}

    def serving(self, system, command):
        """A server on the one core, while the load and PostgreSQL have the other."""
        return serving(system, command, {SERVER_CORE}, OUT / f"{system}.log",
                       milliseconds=self.run_ms)

    def serve(self, case, system, url):
        if system == "bare":
            command = [self.programs.path("rival_bare"), self.servers["postgres"].socket,
                       self.reply_file(case, url)]
        else:
            command = self.programs.command(system, case, url)
        with self.serving(system, command) as (server, port):
            load = [self.programs.path("http_load"), case.name, port, HTTP_CONNECTIONS, 1,
                    server.pid, REQUEST, 200, REPLY]
            return finish(start(load, {LOAD_CORE}, self.run_ms), load)

    def reply_file(self, case, url):
        """Where the bytes are that the bare server sends: bide's, learned from it once."""
        path = self.programs.path("reply")
        if path not in self.learned:
            reply = b""
            command = self.programs.command("bide", case, url)
            with self.serving("bide", command) as (_, port), \
                 socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
                peer.sendall(REQUEST.encode())
                while not reply.endswith(REPLY.encode()):
                    part = peer.recv(4096)
                    if not part:
                        raise SystemExit(f"bench: not the reply that was expected: {reply!r}")
                    reply += part
            path.write_bytes(reply)
            self.learned.add(path)
        return path


def main():
    options = options_of("db", __doc__, "few short runs, and only the systems that a bar names")
    cases = chosen_cases(CASES, options.case)
    os.sched_setaffinity(0, {LOAD_CORE})  # the runner keeps off the servers' core

    OUT.mkdir(parents=True, exist_ok=True)
    programs = Programs(HERE, OUT)
    programs.build({system for case in cases for system in case.systems})
    cases = [case for case in cases if programs.possible(case)]
    for line in programs.left_out:
        print(f"left out: {line}")
    if programs.incomplete:
        return 1
    used = {case.data for case in cases}
    with ExitStack() as started:
        servers = {}
        for data, kind in (("postgres", Postgres), ("redis", Redis)):
            if data in used:
                servers[data] = kind()
                started.callback(servers[data].close)
                servers[data].open()
        runner = Runner(programs, servers, options.quick)
        rounds, limit_s = (QUICK_PAIRS, 90) if options.quick else (PAIRS, 900)
        rounds = run_rounds(cases, lambda case, _: programs.there(case), runner.attempt,
                            options.quick, rounds, limit_s)
    rows = all_rows(cases, UNITS, runner.values)
    print_table(rows)
    note_limits(cases, runner.values)
    note_wide_intervals(rows)
    for name, system in sorted(runner.failed):
        print(f"{name}, {system}: failed, see above")
    missed = close_report("db", rows, rounds, runner.quiet.disturbed)
    return 1 if missed or runner.failed else 0


if __name__ == "__main__":
    sys.exit(main())
