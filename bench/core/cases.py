"""What the suite measures: every case, who runs it, and the bar that bide must reach.

README.md says what each case counts.
"""
from dataclasses import dataclass

from common import Bar


@dataclass(frozen=True)
class Case:
    name: str
    systems: tuple  # bide first, then those it is compared with
    bar: Bar = None
    unit: str = "ns"
    once: bool = False  # measured in the first round only: it weighs or counts, time does not enter


def versus(against, limit, sign="<="):
    return Bar(against, sign, limit)


EVERYONE = ("bide", "go", "st", "asyncio", "uvloop")
WITHOUT_ST = ("bide", "go", "asyncio", "uvloop")
PYTHON = ("bide", "asyncio", "uvloop")
PARKED = ("bide", "go", "asyncio")

CASES = (
    Case("switch_bare", ("bide", "assembler"), versus("assembler", 1.3)),
    Case("yield_2", EVERYONE, versus("go", 0.25)),
    Case("yield_64", EVERYONE, versus("go", 0.25)),
    Case("yield_1000", EVERYONE, versus("go", 0.25)),
    Case("yield_100k", EVERYONE, versus("go", 0.4)),
    Case("yield_depth4", ("bide",)),
    Case("spawn_join_one", EVERYONE, versus("go", 0.2)),
    Case("spawn_join_batch", EVERYONE, versus("go", 0.35)),
    Case("channel_rendezvous", EVERYONE, versus("go", 0.12)),
    Case("channel_buffered", WITHOUT_ST, versus("go", 0.25)),
    Case("mutex_free", EVERYONE, versus("go", 0.3)),
    Case("mutex_contended", WITHOUT_ST, versus("go", 0.12)),
    Case("deadline_scope", PYTHON, versus("asyncio", 0.03)),
    Case("timer_arm_cancel", PYTHON, versus("asyncio", 0.05)),
    Case("await_ready", ("bide",), versus("", 8), "instructions", once=True),
    Case("fail_4", ("bide", "c++"), versus("c++", 1.6)),
    Case("parked_1m", PARKED, versus("", 5000), "bytes", once=True),
    Case("cross_loop", ("bide", "eventfd"), versus("eventfd", 1.3)),
    # 1.11: 90 % of its blocks in a time.
    Case("file_read", ("bide", "reader"), versus("reader", 1.11)),
    Case("file_read_epoll", ("bide", "reader")),
    Case("echo_64_epoll", ("bide", "epoll"), versus("epoll", 0.93, ">="), "requests/s"),
    Case("echo_1000_epoll", ("bide", "epoll"), versus("epoll", 0.93, ">="), "requests/s"),
    Case("echo_64_uring", ("bide", "uring"), versus("uring", 0.93, ">="), "requests/s"),
    Case("echo_1000_uring", ("bide", "uring"), versus("uring", 0.93, ">="), "requests/s"),
)

# The number that a case yields beside its own: shown under it, maybe with a bar of its own.
EXTRA = {
    "parked_1m": Case("parked_1m_mappings", PARKED, Bar("", "<", 60), "mappings"),
    "echo_64_epoll": Case("echo_64_epoll_cpu", ("bide", "epoll"), None, "us/request"),
    "echo_1000_epoll": Case("echo_1000_epoll_cpu", ("bide", "epoll"), None, "us/request"),
    "echo_64_uring": Case("echo_64_uring_cpu", ("bide", "uring"), None, "us/request"),
    "echo_1000_uring": Case("echo_1000_uring_cpu", ("bide", "uring"), None, "us/request"),
}
