"""What the suite measures: every case, who runs it, and the bars that the application must reach.

README.md says what each case counts.
"""
from dataclasses import dataclass

from common import Bar


@dataclass(frozen=True)
class Case:
    name: str
    systems: tuple  # bide, which is apps/frodo on it, then those it is compared with
    bars: tuple
    unit: str
    run_ms: int
    quick_ms: int
    also: tuple  # numbers that are shown below its own
    number: str = ""  # what of the load's numbers is the case's value


CASES = (
    Case("index", ("bide", "fastapi", "fastapi_cached"), (Bar("fastapi", ">=", 20),), "requests/s",
         run_ms=1000, quick_ms=300, also=("_cpu",)),
    # "idle" is bide again, when nobody logs in.
    Case("login", ("bide", "argon2id", "idle"),
         (Bar("argon2id", ">=", 0.9), Bar("idle", "<=", 3, "_p99")), "logins/s",
         run_ms=4000, quick_ms=2000, also=("_cpu", "_p99")),
)
