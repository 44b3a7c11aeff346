"""./dev bench core [CASE...] [--quick]: bide's runtime beside its rivals, interleaved on one core.

Called by ./dev, which has built the library and says where in BIDE_BUILD; builds the programs of
this folder into build/bench/core, runs them in rounds, prints a table and writes
build/bench/core.json. A CASE may be a pattern (`yield_*`). Each round runs every system of a case
once, one after the other; a ratio is the median of the ratios within the rounds. Exit status: 1
when a bar is missed or a program of bide's could not be built, else 0.
"""
import os
import statistics
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from common import (LOAD_CORE, SERVER_CORE, Quiet, chosen_cases, close_report,  # noqa: E402
                    finish, options_of, out_folder, print_table, rounded, start)
from cases import CASES, EXTRA  # noqa: E402
from programs import Programs  # noqa: E402

OUT = out_folder("core")


class Runner:
    def __init__(self, programs, quick):
        self.programs = programs
        self.target_ms, self.echo_ms = (60, 300) if quick else (150, 800)
        self.quiet = Quiet(4.0 if quick else 20.0)
        self.values = {}  # (number's name, system) -> one value per round

    def measure(self, case, system):
        both = case.name == "cross_loop" or case.name.startswith("echo_")
        used_cores = {SERVER_CORE, LOAD_CORE} if both else {SERVER_CORE}
        numbers = self.quiet.run(used_cores, lambda: self.run_once(case, system, used_cores))
        for name, value in numbers.items():
            self.values.setdefault((name, system), []).append(value)

    def run_once(self, case, system, cores):
        if case.name == "await_ready":
            return {case.name: self.count_instructions()}
        if case.name.startswith("echo_"):
            return self.run_echo(case.name, system)
        command = [*self.programs.command(system, case.name), case.name]
        return finish(start(command, cores, self.target_ms), command)

    def run_echo(self, name, system):
        connections = name.split("_")[1]
        server = start(self.programs.command(system, name), {SERVER_CORE}, self.echo_ms)
        try:
            port = server.stdout.readline().split()[1]
            command = [self.programs.path("echo_load"), name, port, connections, server.pid]
            return finish(start(command, {LOAD_CORE}, self.echo_ms), command)
        finally:
            server.kill()
            server.communicate()

    def count_instructions(self):
        """An await of a function that does not wait, less a plain call, by callgrind."""
        count = 100000

        def total(kind, calls):
            report = OUT / "callgrind.out"
            command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={report}",
                       f"--log-file={OUT / 'valgrind.log'}"]
            command += [self.programs.path("bide_await"), kind, calls]
            finish(start(command, {SERVER_CORE}, self.target_ms), command)
            lines = report.read_text(encoding="utf-8").splitlines()
            return int(next(line.split()[1] for line in lines if line.startswith("totals:")))

        def per_call(kind):
            return (total(kind, 2 * count) - total(kind, count)) / count

        return round(per_call("async") - per_call("plain"), 2)


def ratio(values, case, system, against):
    """The median over the rounds of system / against; None where one of them was not measured."""
    ours, theirs = values.get((case.name, system)), values.get((case.name, against))
    if not ours or not theirs:
        return None
    return statistics.median(mine / other for mine, other in zip(ours, theirs) if other)


def rows_of(case, values):
    rows = []
    for system in case.systems:
        if (case.name, system) not in values:
            continue
        value = statistics.median(values[(case.name, system)])
        row = {"case": case.name, "system": system, "value": round(value, 4), "unit": case.unit}
        row.update({"against": None, "ratio": None})
        if system == "bide":
            row.update({"bar": None, "holds": None})
            if case.bar:
                measured = value
                if case.bar.against:
                    measured = ratio(values, case, system, case.bar.against)
                    row.update({"against": case.bar.against, "ratio": rounded(measured)})
                row["bar"] = str(case.bar)
                row["holds"] = None if measured is None else case.bar.holds(measured)
        else:
            compared = ratio(values, case, system, "bide")
            row.update({"against": compared and "bide", "ratio": rounded(compared)})
        rows.append(row)
    return rows


def note_limits(values):
    """Says where an echo server was not what limited the load."""
    for case in CASES:
        for system in case.systems:
            busy = values.get((f"{case.name}_server_busy", system))
            if busy and statistics.median(busy) < 0.9:
                load = statistics.median(values[(f"{case.name}_load_busy", system)])
                server = statistics.median(busy)
                print(f"{case.name}, {system}: the server used {server:.0%} of its core, the load "
                      f"{load:.0%}: compare the CPU per request too")


def run_rounds(runner, cases, quick):
    """Gives the number of rounds: fewer than planned where the machine is too slow for them."""
    rounds, limit_s = (2, 55) if quick else (5, 230)
    began_s, once_s = time.monotonic(), 0
    for number in range(rounds):
        used_s = time.monotonic() - began_s
        if number and used_s + (used_s - once_s) / number > limit_s:
            print(f"the machine is slow: {number} rounds in place of {rounds}")
            return number
        for case in cases:
            if case.once and number:
                continue
            case_began_s = time.monotonic()
            systems = [system for system in case.systems if runner.programs.has(system, case.name)]
            if quick:
                named = ("bide", case.bar and case.bar.against)
                systems = [system for system in systems if system in named]
            for system in systems if number % 2 == 0 else reversed(systems):
                runner.measure(case, system)
            if case.once:
                once_s += time.monotonic() - case_began_s
    return rounds


def main():
    options = options_of("core", __doc__, "2 short rounds, and only the rivals that a bar names")
    cases = chosen_cases(CASES, options.case)
    os.sched_setaffinity(0, {LOAD_CORE})  # the runner keeps off the measured core

    OUT.mkdir(parents=True, exist_ok=True)
    programs = Programs(HERE, OUT)
    programs.build({system for case in cases for system in case.systems})
    for line in programs.left_out:
        print(f"left out: {line}")
    runner = Runner(programs, options.quick)
    rounds = run_rounds(runner, cases, options.quick)
    shown = [number for case in cases for number in (case, EXTRA.get(case.name)) if number]
    rows = [row for case in shown for row in rows_of(case, runner.values)]
    print_table(rows)
    note_limits(runner.values)
    missed = close_report("core", rows, rounds, runner.quiet.disturbed)
    return 1 if missed or programs.incomplete else 0


if __name__ == "__main__":
    sys.exit(main())
