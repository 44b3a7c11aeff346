"""The case `deadlock`: circles of three locks that are told before the request that closes them
returns."""
from common import SERVER_CORE, Bar, finish, start

NAME = "deadlock"
UNIT = "% told in time"
BAR = Bar("", ">=", 100)
CIRCLES = 200


def measure(programs):
    """None where the program could not be built."""
    programs.compile_bide(["bide_caught"])
    if "bide_caught" not in programs.built:
        return None
    command = [programs.path("bide_caught"), "deadlock", CIRCLES]
    said = finish(start(command, {SERVER_CORE}, 0), command)
    print(f"{said['ns'] / 1000:.0f} us from the request to its failure, the report written between")
    return 100 * said["told"] / CIRCLES
