"""What the suites of this folder share: running programs and servers on a core, telling whether
others used it meanwhile, building programs, bars, the table. Called by the run.py and programs.py
of each suite.
"""
import argparse
import fnmatch
import json
import os
import resource
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("BIDE_BUILD", ROOT / "build" / "release"))
RUN_LIMIT_S = 60  # one run of one program
FOREIGN_SHARE = 0.05  # more of other people's work than this and a run does not count
WARNINGS = ["-Wall", "-Wextra", "-Wshadow"]
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
cores = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = cores[0], cores[-1]


def out_folder(suite):
    """Where a suite's programs go; its report is written beside it."""
    return BUILD.parent / "bench" / suite


@dataclass(frozen=True)
class Bar:
    """A limit on a ratio to another system, or on the value itself where `against` is empty."""

    against: str
    sign: str  # "<=", "<" or ">="
    limit: float
    number: str = ""  # of the case, that it asks for: _cpu ...; the case's own

    def holds(self, measured):
        if self.sign == ">=":
            return measured >= self.limit
        return measured < self.limit if self.sign == "<" else measured <= self.limit

    def __str__(self):
        return f"{self.sign} {self.limit:g}"


def start(command, used_cores, milliseconds, **options):
    environment = dict(os.environ, BENCH_MS=str(milliseconds), GOMAXPROCS="1")
    return subprocess.Popen(
        [str(part) for part in command],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, used_cores),
        **options,
    )


def finish(process, command):
    """The `NAME VALUE` lines of a program as a dictionary."""
    try:
        output, _ = process.communicate(timeout=RUN_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise SystemExit(f"bench: not done after {RUN_LIMIT_S} s: {command}")
    if process.returncode:
        raise SystemExit(f"bench: exit status {process.returncode}: {command}")
    return {name: float(value) for name, value in (line.split() for line in output.splitlines())}


def announced_port(server):
    """The port of a server that prints `PORT n` first; 0 without such a line."""
    line = server.stdout.readline().split()
    return int(line[1]) if len(line) == 2 and line[0] == "PORT" else 0


@contextmanager
def serving(system, command, used_cores, log, port_of=announced_port, milliseconds=0, **options):
    """A server that accepts: its process and the port, which `port_of` finds out. What it says on
    stderr is kept in `log`."""
    with open(log, "w", encoding="utf-8") as errors:
        server = start(command, used_cores, milliseconds, stderr=errors, **options)
    try:
        port = port_of(server)
        if not port or server.poll() is not None:
            raise SystemExit(f"bench: {system} did not start, see {os.path.relpath(log)}")
        yield server, port
    finally:
        server.kill()
        server.communicate()


def busy_s(used_cores):
    """How long these cores have worked, for anyone, or were stolen by the host."""
    total = 0
    wanted = {f"cpu{core}" for core in used_cores}
    with open("/proc/stat", encoding="ascii") as stat:
        for line in stat:
            name, *ticks = line.split()
            if name in wanted:
                user, nice, system, _idle, _wait, irq, softirq, steal = map(int, ticks[:8])
                total += (user + nice + system + irq + softirq + steal) * TICK_S
    return total


def children_s():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Quiet:
    """Repeats runs during which others used the cores, for `repeats_s` in all. `servers_s` is the
    CPU time so far of what the runs use, but do not start."""

    def __init__(self, repeats_s, servers_s=lambda: 0):
        self.repeats_s, self.servers_s = repeats_s, servers_s
        self.disturbed = 0  # runs kept although something else was using the core

    def run(self, used_cores, run_once):
        def others_s():
            return busy_s(used_cores) - children_s() - self.servers_s()

        while True:
            began_s, others_before_s = time.monotonic(), others_s()
            numbers = run_once()
            elapsed_s = time.monotonic() - began_s
            foreign_s = others_s() - others_before_s
            if foreign_s <= FOREIGN_SHARE * elapsed_s + 2 * TICK_S:
                return numbers
            if self.repeats_s < elapsed_s:
                self.disturbed += 1
                return numbers
            self.repeats_s -= elapsed_s


class Builder:
    """Makes the programs of a suite; what cannot be had is left out, with a line that says why."""

    def __init__(self, here, out):
        self.here, self.out = here, out
        self.left_out = []  # one line per system or program that could not be had
        self.built = set()  # names of programs
        self.systems = set()
        self.incomplete = False  # something of bide's own is missing
        self.cc = os.environ.get("CC", "cc").split()
        self.c_flags = ["-std=gnu11", "-O2", "-D_GNU_SOURCE", *WARNINGS]
        # The system's own Python where there is one: the others often lack its packages.
        self.python = shutil.which("/usr/bin/python3") or shutil.which("python3")

    def path(self, program):
        return self.out / program

    def leave_out(self, system, need):
        self.left_out.append(f"{system} (needs {need}; `./dev deps bench` installs it)")

    def there(self, case):
        return [system for system in case.systems if system in self.systems]

    def python_runs(self, statement):
        return bool(self.python) and subprocess.run([self.python, "-c", statement], check=False,
                                                    capture_output=True).returncode == 0

    def compile(self, program, command, quiet=True):
        """Whether `program` could be made; `-o` goes behind the verb, so libraries stay last."""
        if not command:
            return False
        place = 2 if command[1] == "build" else 1
        command = [*command[:place], "-o", self.path(program), *command[place:]]
        words = [str(part) for part in command]
        if not shutil.which(words[0]):
            return False
        done = subprocess.run(words, cwd=self.here, capture_output=True, text=True, check=False)
        if done.returncode and not quiet:
            print(done.stderr.strip())
        if done.returncode == 0:
            self.built.add(program)
        return done.returncode == 0

    def compile_bide(self, programs, own=(), kit=()):
        """Programs NAME.c on the library; those in `own` see its inner headers too, those in `kit`
        are tests."""
        library = BUILD / "src" / "libbide.a"
        package = BUILD / "meson-uninstalled" / "bide-uninstalled.pc"
        if not library.exists() or not package.exists():
            self.left_out.append("bide (the library is not built: use ./dev bench)")
            self.incomplete = True
            return
        ask = ["pkg-config", "--static", "--cflags", "--libs-only-l", str(package)]
        words = subprocess.check_output(ask, text=True).split()
        flags = [*self.c_flags, "-I", ROOT / "include",
                 *(word for word in words if not word.startswith("-l"))]
        # The static library itself, and what it stands on.
        link = [library, "-pthread", "-ldl", "-lm", "-Wl,-z,now",
                *(word for word in words if word.startswith("-l") and word != "-lbide")]
        self.systems.add("bide")
        for program in programs:
            inner = ["-I", ROOT / "src"] if program in own else []
            tests = [BUILD / "src" / "libbide_test.a"] if program in kit else []
            command = [*self.cc, *flags, *inner, f"{program}.c", *tests, *link]
            if not self.compile(program, command, quiet=False):
                self.left_out.append(f"{program} (does not build, see above)")
                self.incomplete = True


def options_of(suite, what, quick):
    """The command line of a suite; `quick` says what --quick does."""
    parser = argparse.ArgumentParser(prog=f"./dev bench {suite}", description=what.splitlines()[0])
    parser.add_argument("case", nargs="*", help="names or patterns; without any, all cases")
    parser.add_argument("--quick", action="store_true", help=quick)
    return parser.parse_args()


def chosen_cases(cases, patterns):
    names = [case.name for case in cases]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise SystemExit(f"bench: no case `{pattern}`; there are {' '.join(names)}")
    return [case for case in cases
            if not patterns or any(fnmatch.fnmatch(case.name, pattern) for pattern in patterns)]


def rounded(value):
    return None if value is None else round(value, 4)


def shown(value):
    if value is None:
        return ""
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def print_table(rows):
    """Columns that no row has a value for are left out."""
    table = [("case", "system", "value", "unit", "against", "ratio", "interval", "bar", "holds")]
    for row in rows:
        unknown = "not measured" if row.get("bar") else ""
        holds = {True: "yes", False: "NO", None: unknown}[row.get("holds")]
        interval = " to ".join(shown(end) for end in row.get("interval") or ())
        table.append((row["case"], row["system"], shown(row["value"]), row["unit"],
                      row["against"] or "", shown(row["ratio"]), interval, row.get("bar") or "",
                      holds))
    used = [column for column in range(9) if any(line[column] for line in table[1:])]
    widths = {column: max(len(line[column]) for line in table) for column in used}
    for line in table:
        cells = [line[column].rjust(widths[column]) if column in (2, 5)
                 else line[column].ljust(widths[column]) for column in used]
        print("  ".join(cells).rstrip())


def close_report(suite, rows, rounds, disturbed):
    """Writes the rows, says how the bars fared; whether one was missed."""
    if disturbed:
        print(f"{disturbed} runs were kept although other programs used the core: "
              "repeat on an idle machine")
    report = out_folder(suite).parent / f"{suite}.json"
    report.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    missed = sum(row.get("holds") is False for row in rows)
    held = sum(row.get("holds") is True for row in rows)
    where = report.relative_to(BUILD.parents[1])
    print(f"{held} bars hold, {missed} missed; {rounds} rounds; written to {where}")
    return missed > 0
