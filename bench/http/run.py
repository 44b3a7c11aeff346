"""./dev bench http [CASE...] [--quick]: bide's server beside a bare loop and other servers.

Called by ./dev, which has built the library and says where in BIDE_BUILD; builds the programs of
this folder into build/bench/http, runs them in rounds, prints a table and writes
build/bench/http.json. A CASE may be a pattern (`p*`). The server runs on one core, the load on
another. Each round runs every system of a case once, one after the other, every second round in
reverse order. A ratio is that of the medians, its interval is bootstrapped over the pairs. Exit
status: 1 when a bar is missed or bide's server could not be built, else 0.
"""
import dataclasses
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from common import (LOAD_CORE, SERVER_CORE, Quiet, chosen_cases, close_report, cores,  # noqa: E402
                    finish, options_of, out_folder, print_table, start)
from pairs import all_rows, note_limits, note_wide_intervals, run_rounds  # noqa: E402
from cases import CASES  # noqa: E402
from programs import Programs  # noqa: E402

OUT = out_folder("http")
PAIRS = 9  # of bide and the system that the bar names
QUICK_PAIRS = 5
IDLE_ROUNDS = 3  # of idle connections
SETTLE_S = 0.5  # between the last reply and the weighing of idle connections
TRACED_MS = 300
UNITS = {"": "requests/s", "_cpu": "us/request", "_p99": "us"}  # of what is shown besides


def user_memory_bytes(pid):
    """Anonymous memory, shared parts divided, swapped out or not."""
    wanted = ("Pss_Anon:", "SwapPss:")
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        return sum(int(line.split()[1]) * 1024 for line in rollup if line.startswith(wanted))


def threads_of(pid, but):
    """The threads of a process, without those of one name."""
    return [task.name for task in Path(f"/proc/{pid}/task").iterdir()
            if (task / "comm").read_text(encoding="utf-8").strip() != but]


def expect(process, word):
    line = process.stdout.readline().split()
    if not line or line[0] != word:
        raise SystemExit(f"bench: expected {word} of the load, got {' '.join(line) or 'its end'}")


def go_on(process):
    process.stdin.write("\n")
    process.stdin.flush()


def exchange(port, request, is_whole):
    """Sends a request and gives what came when it is whole."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        peer.sendall(str(request).encode())
        reply = b""
        while not is_whole(reply):
            part = peer.recv(4096) if len(reply) < 4096 else b""
            if not part:
                raise SystemExit(f"bench: not the reply to {request.path} that was expected: "
                                 f"{reply!r}")
            reply += part
    return reply


class Runner:
    def __init__(self, programs, quick):
        self.programs = programs
        self.load_ms = 300 if quick else 1000
        self.quiet = Quiet(4.0 if quick else 30.0)
        self.values = {}  # (number's name, system) -> one value per round

    def prepare(self, cases):
        for case in cases:
            if {"bare", "bare uring"} & set(case.systems):
                self.learn_reply(case)
            for system in case.systems if case.refused else ():
                if self.programs.has(system):
                    self.check_refusals(case, system)

    def learn_reply(self, case):
        """The bare loop sends what bide sends: exactly these bytes, but for the Date."""
        with self.programs.serving("bide", case) as (_, port):
            end = case.request.reply.encode()
            reply = exchange(port, case.request, lambda got: got.endswith(end))
        self.programs.reply_file(case.request).write_bytes(reply)

    def check_refusals(self, case, system):
        """What checks nothing is not compared."""
        with self.programs.serving(system, case) as (_, port):
            for body in case.refused:
                request = dataclasses.replace(case.request, body=body)
                exchange(port, request, lambda got: got.startswith(b"HTTP/1.1 422 "))

    def measure(self, case, system):
        once = {"load": self.load, "idle": self.weigh, "calls": self.count_calls}[case.kind]
        case = case.seen_by(system)
        numbers = self.quiet.run({SERVER_CORE, LOAD_CORE}, lambda: once(case, system))
        for name, value in numbers.items():
            self.values.setdefault((name, system), []).append(value)

    def load_command(self, case, server, *loop):
        pid, port = server
        request = case.request
        return [self.programs.path("http_load"), case.name, port, case.connections, case.depth,
                pid, request, request.status, request.reply, *loop]

    def load(self, case, system):
        with self.programs.serving(system, case) as server:
            if case.loops:
                return self.load_loops(case, server)
            command = self.load_command(case, server)
            return finish(start(command, {LOAD_CORE}, self.load_ms), command)

    def load_loops(self, case, server):
        """A load for each loop, on the loop's core: what is left to differ is the number."""
        commands = [self.load_command(case, server, loop) for loop in range(case.loops)]
        loads = [start(command, {core}, self.load_ms, stdin=-1)
                 for command, core in zip(commands, cores)]
        for load in loads:
            expect(load, "WARM")
        for load in loads:
            go_on(load)
        parts = [finish(load, command) for load, command in zip(loads, commands)]
        rate = sum(part[case.name] for part in parts)
        # Each of them has seen the CPU time of the whole server.
        busy = statistics.mean(part[f"{case.name}_server_busy"] for part in parts)
        return {case.name: rate, f"{case.name}_cpu": busy / rate * 1e6}

    def count_calls(self, case, system):
        """Calls of futex and write, by strace: a message to another loop is a write to its eventfd,
        and no reply is a write. The watchdog's thread is left out: it has a clock of its own."""
        report = self.programs.path("strace.txt")
        with self.programs.serving(system, case) as server:
            command = self.load_command(case, server)
            # What happens once has then happened.
            finish(start(command, {LOAD_CORE}, TRACED_MS), command)
            threads = threads_of(server[0], but="bide-watchdog")
            tracer = subprocess.Popen(
                ["strace", "-qq", "-c", "-U", "calls,name", "-e", "trace=futex,write,sendto", "-o",
                 report, *(f"-p{thread}" for thread in threads)], stderr=subprocess.DEVNULL)
            try:
                time.sleep(SETTLE_S)
                if tracer.poll() is not None:
                    print(f"left out: {case.name} (strace may not look at the server)")
                    return {}
                numbers = finish(start(command, {LOAD_CORE}, TRACED_MS), command)
                tracer.send_signal(signal.SIGINT)
                tracer.wait()
            finally:
                tracer.kill()
                tracer.wait()
        calls = {"futex": 0, "write": 0, "sendto": 0}
        for line in report.read_text(encoding="ascii").splitlines():
            count, *_, name = line.split() or ("", "")
            if name in calls:
                calls[name] = int(count)
        requests = numbers[case.name] * TRACED_MS / 1000
        if calls["sendto"] < requests:  # a reply each
            raise SystemExit(f"bench: strace saw only {calls['sendto']} of {requests:.0f} replies")
        return {case.name: (calls["futex"] + calls["write"]) / requests}

    def weigh(self, case, system):
        """Bytes per connection: memory with them less memory with one."""
        with self.programs.serving(system, case) as (pid, port):
            request = case.request
            command = [self.programs.path("idle_load"), port, case.connections, request,
                       request.status, request.reply]
            load = start(command, {LOAD_CORE}, 0, stdin=-1)
            try:
                expect(load, "WARM")
                time.sleep(SETTLE_S)
                before = user_memory_bytes(pid)
                go_on(load)
                expect(load, "IDLE")
                time.sleep(SETTLE_S)
                after = user_memory_bytes(pid)
                go_on(load)
                expect(load, "KEPT")
            finally:
                load.kill()
                load.communicate()
        return {case.name: (after - before) / case.connections}


def note_conditions():
    print("bide: on: limits, deadlines, counters, watchdog, as by default, but any number of "
          "requests per connection; off: access log, middleware. Others: access log off")


def there(case, programs, number, quick):
    """Who can run in this round."""
    most = {"load": PAIRS, "idle": 1 if quick else IDLE_ROUNDS, "calls": 1}[case.kind]
    return [system for system in case.systems if programs.has(system) and number < most]


def need_of(case, descriptors):
    """What the case needs and is not there, or None."""
    # bide takes four fifths of what there are for connections.
    wanted = case.connections * 5 // 4 + 100
    if descriptors != resource.RLIM_INFINITY and descriptors < wanted:
        return f"{wanted} descriptors, `ulimit -Hn` is {descriptors}"
    if case.loops > len(cores):
        return f"{case.loops} cores"
    if case.kind == "calls" and not shutil.which("strace"):
        return "strace; `./dev deps bench` installs it"
    return None


def possible_cases(cases):
    """Without those that lack something, after taking all descriptors there may be."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    needs = {case: need_of(case, most) for case in cases}
    for case, need in needs.items():
        if need:
            print(f"left out: {case.name} (needs {need})")
    return [case for case, need in needs.items() if not need]


def main():
    options = options_of("http", __doc__, "short runs, and only the systems that a bar names")
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
    runner.prepare(cases)
    rounds, limit_s = (QUICK_PAIRS, 60) if options.quick else (PAIRS, 600)
    rounds = run_rounds(
        cases, lambda case, number: there(case, programs, number, options.quick), runner.measure,
        options.quick, rounds, limit_s)
    rows = all_rows(cases, UNITS, runner.values)
    print_table(rows)
    note_conditions()
    note_limits(cases, runner.values)
    note_wide_intervals(rows)
    return 1 if close_report("http", rows, rounds, runner.quiet.disturbed) else 0


if __name__ == "__main__":
    sys.exit(main())
