"""What the suite measures: every case, who runs it, and the bar that bide must reach.

README.md says what each case counts. A case to come is a row here, a path in bide_http.c and in the
rivals, and a word in run.py only if it is measured in a way of its own.
"""
from dataclasses import dataclass

from common import Bar


@dataclass(frozen=True)
class Case:
    name: str
    systems: tuple  # bide first, then those it is compared with
    bar: Bar
    unit: str = "requests/s"
    connections: int = 64
    depth: int = 1  # requests that are sent together
    number: str = ""  # what of the load's numbers is the case's value: NAME, or NAME_p99
    idle: bool = False  # weighs idle connections


EVERYONE = ("bide", "bare", "nginx", "node", "go")

CASES = (
    Case("plaintext", EVERYONE, Bar("bare", ">=", 0.92)),
    Case("pipelined", EVERYONE, Bar("bare", ">=", 0.65), depth=16),
    Case("p99_256", EVERYONE, Bar("bare", "<=", 1.5), "us", connections=256, number="_p99"),
    Case("idle_10k", EVERYONE, Bar("", "<=", 1024), "bytes", connections=10000, idle=True),
)
