"""The case `explore`: schedules of a test with three tasks in a second, one core."""
import re

from common import SERVER_CORE, Bar, start

NAME = "explore"
UNIT = "schedules/s"
BAR = Bar("", ">=", 20000)


def measure(programs):
    """None where the program could not be built."""
    programs.compile_bide(["explore"], kit=["explore"])
    if "explore" not in programs.built:
        return None
    output, _ = start([programs.path("explore"), "-v"], {SERVER_CORE}, 0).communicate(timeout=120)
    schedules = re.search(r"(\d+) schedules", output)
    passed = re.search(r"^ok   three_tasks \((\d+) ms\)", output, re.M)
    if not schedules or not passed:
        raise SystemExit(f"bench: explore failed:\n{output}")
    return int(schedules[1]) * 1000 / int(passed[1])
