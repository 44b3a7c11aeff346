"""PostgreSQL and Redis of a run: each in a scratch folder, on a unix socket or on loopback, stopped
by its process, and by the system when the runner dies. Called by run.py.
"""
import ctypes
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from common import SERVER_CORE, TICK_S

START_LIMIT_S = 20
STOP_LIMIT_S = 20
PR_SET_PDEATHSIG = 1
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


class Server:
    """What both share. `command` is None where it is not installed."""

    stop_signal = signal.SIGTERM
    user = None  # runs as this one; None: as we do

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="bide-bench-"))
        self.process = None

    def _before_exec(self):
        if self.user:
            os.setgroups([])
            os.setgid(self.user.pw_gid)
            os.setuid(self.user.pw_uid)
        os.sched_setaffinity(0, {SERVER_CORE})
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, self.stop_signal)

    def run(self, command, **options):
        """A command of the server's, as its user."""
        done = subprocess.run([str(part) for part in command], cwd=self.folder, text=True,
                              preexec_fn=self._before_exec, capture_output=True, check=False,
                              **options)
        if done.returncode:
            raise SystemExit(f"bench: {command[0]}: {done.stderr.strip()}")
        return done.stdout

    def start(self, command, answers):
        with open(self.folder / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([str(part) for part in command], cwd=self.folder,
                                            preexec_fn=self._before_exec, stdout=log, stderr=log)
        until_s = time.monotonic() + START_LIMIT_S
        while not answers():
            if self.process.poll() is not None or time.monotonic() > until_s:
                raise SystemExit(f"bench: {command[0]} did not start:\n"
                                 + (self.folder / "log").read_text(encoding="utf-8"))
            time.sleep(0.05)

    def cpu_s(self):
        return cpu_s(self.process.pid)

    def move(self, core):
        """To another core; what it starts from now on runs there too."""
        for process in tree(self.process.pid):
            try:
                os.sched_setaffinity(process, {core})
            except ProcessLookupError:
                pass

    def close(self):
        if self.process:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Server):
    """With its defaults, but for what says where it is. Socket folder and data are scratch."""

    stop_signal = signal.SIGINT  # it stops without waiting for its clients

    @staticmethod
    def program(name):
        found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}")) or [shutil.which(name)]
        return found[-1]

    def __init__(self):
        super().__init__()
        if os.geteuid() == 0:  # which PostgreSQL refuses
            names = {entry.pw_name: entry for entry in pwd.getpwall()}
            self.user = names.get("postgres") or names["nobody"]
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.url = f"postgresql://bench@/bench?host={self.folder}"
        self.socket = self.folder / ".s.PGSQL.5432"

    def open(self):
        data = self.folder / "data"
        self.run([self.program("initdb"), "--auth=trust", "--username=bench", "--encoding=UTF8",
                  "--locale=C", data])
        self.start([self.program("postgres"), "-D", data, "-k", self.folder, "-c",
                    "listen_addresses="], self._answers)
        self.run([self.program("createdb"), "-h", self.folder, "-U", "bench", "bench"])
        self.sql((HERE / "schema.sql").read_text(encoding="utf-8"))

    def _answers(self):
        return subprocess.run([self.program("pg_isready"), "-q", "-h", self.folder],
                              check=False).returncode == 0

    def sql(self, text):
        self.run([self.program("psql"), "-q", "-v", "ON_ERROR_STOP=1", self.url], input=text)


class Redis(Server):
    """On loopback, keeping nothing."""

    def open(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self.start(["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "",
                    "--dir", self.folder], self._answers)
        with socket.create_connection(("127.0.0.1", self.port), timeout=START_LIMIT_S) as peer:
            peer.sendall(b"SET key xxx\r\n")
            if peer.recv(64) != b"+OK\r\n":
                raise SystemExit("bench: redis-server does not take a key")

    def _answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
