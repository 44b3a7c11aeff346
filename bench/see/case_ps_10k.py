"""The case `ps_10k`: how long `bide ps` takes for 10,000 tasks of a program that goes on."""
import re
import subprocess
import time

from common import BUILD, RUN_LIMIT_S, Bar

NAME = "ps_10k"
UNIT = "ms"
BAR = Bar("", "<", 50)
TASKS, LOOKS = 10000, 20


def look(pid):
    """One look: ms from the command's start to its end, and the slices of the program so far."""
    began = time.monotonic()
    said = subprocess.check_output([str(BUILD / "cli/bide"), "ps", str(pid)], text=True,
                                   timeout=RUN_LIMIT_S)
    elapsed_ms = 1000 * (time.monotonic() - began)
    if not re.search(rf"^{TASKS} x +sleeper", said, re.M):
        raise SystemExit(f"bench: bide ps does not show them:\n{said}")
    return elapsed_ms, int(re.search(r"(\d+) slices", said).group(1))


def measure(programs):
    """The shortest; None where the program could not be built."""
    programs.compile_bide(["bide_see"])
    if "bide_see" not in programs.built:
        return None
    process = subprocess.Popen([str(programs.path("bide_see")), "tasks", str(TASKS)], text=True,
                               stdout=subprocess.PIPE)
    looks = []
    try:
        process.stdout.readline()
        for _ in range(LOOKS):
            looks.append(look(process.pid))
            time.sleep(0.005)
    finally:
        process.kill()
        process.communicate()
    if not looks[0][1] < looks[-1][1]:
        raise SystemExit("bench: the program stood still")
    return min(elapsed_ms for elapsed_ms, _ in looks)
