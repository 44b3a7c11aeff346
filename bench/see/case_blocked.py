"""The case `blocked`: how soon a function that blocks its loop is named, in thresholds."""
import statistics
import subprocess
import time

from common import RUN_LIMIT_S, SERVER_CORE, Bar, start

NAME = "blocked"
UNIT = "x threshold"
BAR = Bar("", "<=", 2)
THRESHOLD_MS, BLOCKED_MS, RUNS = 50, 300, 7


def named_after_ms(program):
    """From the begin of one block to the line of its report that names the function."""
    process = start([program, "blocked", BLOCKED_MS], {SERVER_CORE}, 0, stderr=subprocess.PIPE)
    try:
        began_ns = int(process.stdout.readline())
        for line in process.stderr:
            if "#0 checksum" in line:
                return (time.monotonic_ns() - began_ns) / 1e6
        raise SystemExit("bench: the function that blocked was not named")
    finally:
        process.kill()
        process.communicate(timeout=RUN_LIMIT_S)


def measure(programs):
    """The median of several; None where the program could not be built."""
    programs.compile_bide(["bide_caught"])
    if "bide_caught" not in programs.built:
        return None
    program = programs.path("bide_caught")
    return statistics.median(named_after_ms(program) for _ in range(RUNS)) / THRESHOLD_MS
