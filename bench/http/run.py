"""./dev bench http [CASE...] [--quick]: bide's server beside a bare loop and other servers.

Called by ./dev, which has built the library and says where in BIDE_BUILD; builds the programs of
this folder into build/bench/http, runs them in rounds, prints a table and writes
build/bench/http.json. A CASE may be a pattern (`p*`). The server runs on one core, the load on
another. Each round runs every system of a case once, one after the other, every second round in
reverse order. A ratio is that of the medians, its interval is bootstrapped over the pairs. Exit
status: 1 when a bar is missed or bide's server could not be built, else 0.
"""
import argparse
import os
import random
import resource
import socket
import statistics
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from common import (LOAD_CORE, SERVER_CORE, Quiet, chosen_cases, close_report,  # noqa: E402
                    finish, out_folder, print_table, rounded, start)
from cases import CASES  # noqa: E402
from programs import Programs  # noqa: E402

OUT = out_folder("http")
PAIRS = 9  # of bide and the system that the bar names
OTHER_ROUNDS = 3  # of the systems that no bar names, and of idle connections
RESAMPLES = 2000
WIDE = 0.1  # an interval that is a greater part of its ratio decides nothing
SETTLE_S = 0.5  # between the last reply and the weighing of idle connections
REQUEST = b"GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def user_memory_bytes(pid):
    """Anonymous memory, shared parts divided, swapped out or not."""
    wanted = ("Pss_Anon:", "SwapPss:")
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        return sum(int(line.split()[1]) * 1024 for line in rollup if line.startswith(wanted))


def expect(process, word):
    line = process.stdout.readline().split()
    if not line or line[0] != word:
        raise SystemExit(f"bench: expected {word} of the load, got {' '.join(line) or 'its end'}")


def go_on(process):
    process.stdin.write("\n")
    process.stdin.flush()


class Runner:
    def __init__(self, programs, quick):
        self.programs = programs
        self.load_ms = 300 if quick else 1000
        self.quiet = Quiet(4.0 if quick else 30.0)
        self.values = {}  # (number's name, system) -> one value per round

    def learn_reply(self):
        """The bare loop sends what bide sends: exactly these bytes, but for the Date."""
        with self.programs.serving("bide") as (_, port):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
                peer.sendall(REQUEST)
                reply = b""
                while not reply.endswith(b"Hello, World!"):
                    part = peer.recv(4096)
                    if not part:
                        raise SystemExit(f"bench: bide's reply is not as expected: {reply!r}")
                    reply += part
        self.programs.path("reply").write_bytes(reply)

    def measure(self, case, system):
        once = self.weigh if case.idle else self.load
        numbers = self.quiet.run({SERVER_CORE, LOAD_CORE}, lambda: once(case, system))
        for name, value in numbers.items():
            self.values.setdefault((name, system), []).append(value)

    def load(self, case, system):
        with self.programs.serving(system) as (server, port):
            command = [self.programs.path("http_load"), case.name, port, case.connections,
                       case.depth, server.pid]
            return finish(start(command, LOAD_CORE, self.load_ms), command)

    def weigh(self, case, system):
        """Bytes per connection: memory with them less memory with one."""
        with self.programs.serving(system) as (server, port):
            command = [self.programs.path("idle_load"), port, case.connections]
            load = start(command, LOAD_CORE, 0, stdin=-1)
            try:
                expect(load, "WARM")
                time.sleep(SETTLE_S)
                before = user_memory_bytes(server.pid)
                go_on(load)
                expect(load, "IDLE")
                time.sleep(SETTLE_S)
                after = user_memory_bytes(server.pid)
                go_on(load)
                expect(load, "KEPT")
            finally:
                load.kill()
                load.communicate()
        return {case.name: (after - before) / case.connections}


def resampled(ours, theirs):
    """95 % of what the ratio of medians, or the median, is over resamples of the pairs."""
    chance = random.Random(len(ours))
    count = min(len(ours), len(theirs)) if theirs else len(ours)
    results = []
    for _ in range(RESAMPLES):
        picked = [chance.randrange(count) for _ in range(count)]
        result = statistics.median(ours[i] for i in picked)
        if theirs:
            result /= statistics.median(theirs[i] for i in picked)
        results.append(result)
    results.sort()
    return results[RESAMPLES // 40], results[-1 - RESAMPLES // 40]


def compare(row, values, name, against):
    """Adds the ratio to another system, from the rounds that both were in."""
    ours, theirs = values.get((name, row["system"])), values.get((name, against))
    if not ours or not theirs or not min(theirs):
        return
    count = min(len(ours), len(theirs))
    ours, theirs = ours[:count], theirs[:count]
    row.update({"against": against, "pairs": count,
                "ratio": rounded(statistics.median(ours) / statistics.median(theirs)),
                "interval": [rounded(end) for end in resampled(ours, theirs)]})


def judge(row, case, values):
    """A bar holds if the better end of the interval reaches it."""
    interval = row["interval"]
    if not case.bar.against:
        interval = row["interval"] = [
            rounded(end) for end in resampled(values[(case.name + case.number, "bide")], None)]
    row["bar"] = str(case.bar)
    better = max if case.bar.sign == ">=" else min
    row["holds"] = None if interval is None else case.bar.holds(better(interval))


def rows_of(case, name, unit, values):
    """The rows of one number of a case: a bar stands at the number that is the case's own."""
    rows = []
    own = name == case.name + case.number
    for system in case.systems:
        if (name, system) not in values:
            continue
        value = statistics.median(values[(name, system)])
        row = {"case": case.name if own else name, "system": system, "value": round(value, 4),
               "unit": unit, "against": None, "ratio": None, "interval": None}
        if system == "bide":
            compare(row, values, name, case.bar.against or None)
            if own:
                judge(row, case, values)
        else:
            compare(row, values, name, "bide")
        rows.append(row)
    return rows


def all_rows(cases, values):
    rows = []
    for case in cases:
        rows += rows_of(case, case.name + case.number, case.unit, values)
        rows += rows_of(case, f"{case.name}_cpu", "us/request", values)
    return rows


def note_conditions(cases, values):
    print("bide: limits, deadlines and the watchdog on, as by default, but any number of requests "
          "per connection; no access log, no metrics")
    for case in cases:
        for system in case.systems:
            busy = values.get((f"{case.name}_server_busy", system))
            if busy and statistics.median(busy) < 0.9:
                load = statistics.median(values[(f"{case.name}_load_busy", system)])
                print(f"{case.name}, {system}: the server used {statistics.median(busy):.0%} of "
                      f"its core, the load {load:.0%}: compare the CPU per request too")


def note_wide_intervals(rows):
    """A wide interval reaches a bar by being wide."""
    for row in rows:
        low, high = row["interval"] or (0, 0)
        if row.get("bar") and high - low > WIDE * row[row["against"] and "ratio" or "value"]:
            print(f"{row['case']}: the interval is too wide to say much")


def systems_of(case, programs, number, quick):
    """Who runs in this round."""
    named = ("bide", case.bar.against)
    if case.idle and number >= (1 if quick else OTHER_ROUNDS):
        return []
    return [system for system in case.systems if programs.has(system)
            and (system in named or (not quick and number < OTHER_ROUNDS))]


def run_rounds(runner, cases, quick):
    """Gives the number of rounds: fewer than planned where the machine is too slow for them."""
    limit_s = 50 if quick else 400
    began_s = time.monotonic()
    for number in range(PAIRS):
        used_s = time.monotonic() - began_s
        if number and used_s + used_s / number > limit_s:
            print(f"the machine is slow: {number} rounds in place of {PAIRS}")
            return number
        for case in cases:
            systems = systems_of(case, runner.programs, number, quick)
            for system in systems if number % 2 == 0 else reversed(systems):
                runner.measure(case, system)
    return PAIRS


def possible_cases(cases):
    """Without those for which there are too few descriptors, after taking all there may be."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    possible = []
    for case in cases:
        # bide takes four fifths of what there are for connections.
        needed = case.connections * 5 // 4 + 100
        if most != resource.RLIM_INFINITY and most < needed:
            print(f"left out: {case.name} (needs {needed} descriptors, `ulimit -Hn` is {most})")
        else:
            possible.append(case)
    return possible


def main():
    parser = argparse.ArgumentParser(prog="./dev bench http", description=__doc__.splitlines()[0])
    parser.add_argument("case", nargs="*", help="names or patterns; without any, all cases")
    parser.add_argument("--quick", action="store_true",
                        help="short runs, and only the systems that a bar names")
    options = parser.parse_args()
    cases = possible_cases(chosen_cases(CASES, options.case))
    os.sched_setaffinity(0, {LOAD_CORE})  # the runner keeps off the measured core

    OUT.mkdir(parents=True, exist_ok=True)
    programs = Programs(HERE, OUT)
    programs.build({system for case in cases for system in case.systems})
    for line in programs.left_out:
        print(f"left out: {line}")
    if not programs.has("bide"):
        return 1
    runner = Runner(programs, options.quick)
    runner.learn_reply()
    rounds = run_rounds(runner, cases, options.quick)
    rows = all_rows(cases, runner.values)
    print_table(rows)
    note_conditions(cases, runner.values)
    note_wide_intervals(rows)
    return 1 if close_report("http", rows, rounds, runner.quiet.disturbed) else 0


if __name__ == "__main__":
    sys.exit(main())
