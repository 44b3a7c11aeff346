"""./dev bench app [CASE...] [--quick]: apps/frodo beside the same page in FastAPI, and its logins
beside what argon2id itself costs.

Called by ./dev, which has built library and application and says where in BIDE_BUILD; builds the
programs of this folder into build/bench/app, fills a database, runs the systems in rounds, prints a
table and writes build/bench/app.json. A CASE may be a pattern. In `index` the server runs on one
core and the load on another; in `login` all have all cores. Each round runs every system of a case
once, one after the other, every second round in reverse order. A ratio is that of the medians, its
interval is bootstrapped over the pairs. Exit status: 1 when a bar is missed or the application is
not built, else 0.
"""
import html
import http.client
import os
import re
import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from common import (LOAD_CORE, SERVER_CORE, Quiet, chosen_cases, close_report, cores,  # noqa: E402
                    finish, options_of, out_folder, print_table, start)
from pairs import all_rows, note_limits, note_wide_intervals, run_rounds  # noqa: E402
from cases import CASES  # noqa: E402
from programs import ACCOUNTS, PASSWORD, Programs  # noqa: E402

OUT = out_folder("app")
PAIRS = 9  # of bide and the systems that the bars name
QUICK_PAIRS = 3
UNITS = {"_cpu": "us", "_p99": "us"}  # of what is shown besides
CONNECTIONS = 64
REQUEST = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: text/html\r\n\r\n"


def page_of(port):
    peer = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    peer.request("GET", "/", headers={"Accept": "text/html", "Accept-Encoding": "identity"})
    reply = peer.getresponse()
    text = reply.read().decode()
    peer.close()
    if reply.status != 200:
        raise SystemExit(f"bench: status {reply.status} for the index: {text[:300]}")
    return text


def content_of(page):
    """What one reads on it and where its links lead: markup and blanks do not count."""
    text = html.unescape(re.sub(r"<[^>]*>", " ", page)).split()
    return [*text, *map(html.unescape, re.findall(r'href="([^"]*)"', page))]


def check_content(system, page, expected):
    """Who shows something else is not compared."""
    ours, theirs = content_of(expected), content_of(page)
    if ours != theirs:
        pairs = zip([*ours, "the end"], [*theirs, "the end"])
        at, other = next(pair for pair in pairs if pair[0] != pair[1])
        raise SystemExit(f"bench: the index of {system} is not that of frodo, which has `{at}` "
                         f"where it has `{other}`: see bench/app/templates")


class Runner:
    def __init__(self, programs, quick):
        self.programs, self.quick = programs, quick
        self.quiet = Quiet(4.0 if quick else 30.0)
        self.values = {}  # (number's name, system) -> one value per round
        self.pages = {}  # system -> the page that it must answer with

    def prepare(self, cases):
        names = {case.name for case in cases}
        self.programs.seed(ACCOUNTS if "login" in names else 0)
        for case in cases:
            for system in self.programs.there(case) if case.name == "index" else ():
                self.learn_page(system)

    def learn_page(self, system):
        with self.programs.serving(system, {SERVER_CORE}) as (_, port):
            self.pages[system] = page_of(port)
        check_content(system, self.pages[system], self.pages["bide"])

    def measure(self, case, system):
        used_cores = {SERVER_CORE, LOAD_CORE} if case.name == "index" else set(cores)
        run_ms = case.quick_ms if self.quick else case.run_ms
        once = self.read_index if case.name == "index" else self.log_in
        numbers = self.quiet.run(used_cores, lambda: once(system, run_ms))
        for name, value in numbers.items():
            self.values.setdefault((name, system), []).append(value)

    def read_index(self, system, run_ms):
        with self.programs.serving(system, {SERVER_CORE}) as (server, port):
            load = [self.programs.path("http_load"), "index", port, CONNECTIONS, 1, server.pid,
                    REQUEST, 200, self.pages[system]]
            return finish(start(load, {LOAD_CORE}, run_ms), load)

    def log_in(self, system, run_ms):
        if system == "argon2id":
            bare = [self.programs.path("rival_argon2id"), len(cores),
                    self.programs.password_hash(), PASSWORD]
            return finish(start(bare, set(cores), run_ms), bare)
        logins = 0 if system == "idle" else ACCOUNTS
        with self.programs.serving(system, set(cores)) as (server, port):
            load = [self.programs.path("login_load"), port, logins, server.pid, PASSWORD]
            return finish(start(load, set(cores), run_ms), load)


def main():
    options = options_of("app", __doc__, "few short runs, and only the systems that a bar names")
    cases = chosen_cases(CASES, options.case)
    os.sched_setaffinity(0, {LOAD_CORE})  # the runner keeps off the server's core

    OUT.mkdir(parents=True, exist_ok=True)
    programs = Programs(HERE, OUT)
    programs.build({system for case in cases for system in case.systems})
    for line in programs.left_out:
        print(f"left out: {line}")
    if programs.incomplete:
        return 1
    runner = Runner(programs, options.quick)
    runner.prepare(cases)
    rounds, limit_s = (QUICK_PAIRS, 60) if options.quick else (PAIRS, 600)
    rounds = run_rounds(cases, lambda case, _: programs.there(case), runner.measure, options.quick,
                        rounds, limit_s)
    rows = all_rows(cases, UNITS, runner.values)
    print_table(rows)
    note_limits(cases, runner.values)
    note_wide_intervals(rows)
    return 1 if close_report("app", rows, rounds, runner.quiet.disturbed) else 0


if __name__ == "__main__":
    sys.exit(main())
