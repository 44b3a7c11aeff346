"""PostgreSQL and Redis of a run, on the core of the servers. Called by run.py."""
import os
import sys
from pathlib import Path

from common import ROOT, SERVER_CORE, TICK_S

sys.path.append(str(ROOT / "tools"))
import scratch_servers  # noqa: E402

HERE = Path(__file__).resolve().parent


def tree(pid):
    """The processes of a server: it and what it has started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [pid, *(process for child in children for process in tree(int(child)))]


def cpu_s(pid):
    """The CPU time of a server's processes, those that have ended too."""
    ticks = 0
    for process in tree(pid):
        try:
            stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
        except OSError:  # ended meanwhile: its parent has it
            continue
        ticks += sum(int(field) for field in stat.rpartition(")")[2].split()[11:15])
    return ticks * TICK_S


class Pinned(scratch_servers.Server):
    """What both have here: a core, and a clock of it."""

    def before_exec(self):
        super().before_exec()
        os.sched_setaffinity(0, {SERVER_CORE})

    def cpu_s(self):
        return cpu_s(self.process.pid)

    def move(self, core):
        """To another core; what it starts from now on runs there too."""
        for process in tree(self.process.pid):
            try:
                os.sched_setaffinity(process, {core})
            except ProcessLookupError:
                pass


class Postgres(Pinned, scratch_servers.Postgres):
    """With the tables of schema.sql."""

    def open(self):
        super().open()
        self.sql((HERE / "schema.sql").read_text(encoding="utf-8"))


class Redis(Pinned, scratch_servers.Redis):
    """As it is."""
