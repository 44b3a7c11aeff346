"""PostgreSQL, Redis and an SMTP server for tests and benches: each in a scratch folder, on a unix
socket or on loopback, stopped by its process, and by the system when the runner dies. What is not
installed raises Missing. Called by tests/run_frodo_servers.py and bench/db/servers.py.
"""
import ctypes
import glob
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

START_LIMIT_S = 20
STOP_LIMIT_S = 20
PR_SET_PDEATHSIG = 1
ROOT = pathlib.Path(__file__).resolve().parent.parent
SMTP_SERVER = ROOT / "tests/unit/mail/smtp_server.py"
NOT_INSTALLED = 77  # of smtp_server.py


class Missing(Exception):
    """The server is not on this machine."""


def free_port():
    """A port of loopback that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """What all share: `with Postgres() as postgres`."""

    stop_signal = signal.SIGTERM
    user = None  # runs as this one; None: as we do

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bide-server-"))
        self.process = None

    def __enter__(self):
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def before_exec(self):
        """In the process that becomes the server, or a command of it."""
        if self.user:
            os.setgroups([])
            os.setgid(self.user.pw_gid)
            os.setuid(self.user.pw_uid)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, self.stop_signal)

    def run(self, command, **options):
        """A command of the server's, as its user; gives what it prints."""
        done = subprocess.run([str(part) for part in command], cwd=self.folder, text=True,
                              preexec_fn=self.before_exec, capture_output=True, check=False,
                              **options)
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")
        return done.stdout

    def start(self, command, answers):
        """Starts the server and waits until it answers."""
        with open(self.folder / "log", "a", encoding="utf-8") as log:
            try:
                self.process = subprocess.Popen(
                    [str(part) for part in command], cwd=self.folder, stdin=subprocess.DEVNULL,
                    preexec_fn=self.before_exec, stdout=log, stderr=log)
            except FileNotFoundError as error:
                raise Missing(str(command[0])) from error
        until_s = time.monotonic() + START_LIMIT_S
        while not answers():
            if self.process.poll() == NOT_INSTALLED:
                raise Missing(str(command[0]))
            if self.process.poll() is not None or time.monotonic() > until_s:
                raise RuntimeError(f"{command[0]} did not start:\n"
                                   + (self.folder / "log").read_text(encoding="utf-8"))
            time.sleep(0.02)

    def stop(self, number=None):
        """Ends it, and waits for that."""
        if not self.process:
            return
        self.process.send_signal(number or self.stop_signal)
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Server):
    """With its defaults, but for what says where it is, and for `settings`."""

    stop_signal = signal.SIGINT  # it stops without waiting for its clients
    name = "bench"

    @staticmethod
    def program(name):
        """The path of one of its programs; None: it is not here."""
        found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}")) or [shutil.which(name)]
        return found[-1]

    def __init__(self, **settings):
        super().__init__()
        if os.geteuid() == 0:  # which PostgreSQL refuses
            names = {entry.pw_name: entry for entry in pwd.getpwall()}
            self.user = names.get("postgres") or names["nobody"]
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.settings = {"listen_addresses": "", **settings}
        self.url = f"postgresql://{self.name}@/{self.name}?host={self.folder}"
        self.socket = self.folder / ".s.PGSQL.5432"

    def open(self):
        if not self.program("initdb"):
            raise Missing("PostgreSQL")
        self.run([self.program("initdb"), "--auth=trust", f"--username={self.name}", "-N",
                  "--encoding=UTF8", "--locale=C", self.folder / "data"])
        self.begin()
        self.run([self.program("createdb"), "-h", self.folder, "-U", self.name, self.name])

    def begin(self):
        """Starts it, for the first time or once more."""
        options = [word for name, value in self.settings.items() for word in
                   ("-c", f"{name}={value}")]
        self.start([self.program("postgres"), "-D", self.folder / "data", "-k", self.folder,
                    *options], self.answers)

    def answers(self):
        return subprocess.run([self.program("pg_isready"), "-q", "-h", self.folder],
                              check=False).returncode == 0

    def sql(self, text):
        """Runs statements; gives the rows, a line each, with | between the columns."""
        return self.run([self.program("psql"), "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
                         self.url], input=text)


class Redis(Server):
    """On loopback, keeping nothing."""

    def open(self):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.begin()

    def begin(self):
        """Starts it, for the first time or once more."""
        self.start(["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "",
                    "--dir", self.folder], self.answers)

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Smtp(Server):
    """tests/unit/mail/smtp_server.py, which says what it does: STARTTLS before all else, and a
    password. `ca` is its certificate."""

    def open(self):
        self.port = free_port()
        self.ca = self.folder / "cert.pem"
        self.url = (f"smtp://frodo:p%40ss%3Aw%2Frd@127.0.0.1:{self.port}?starttls=required"
                    f"&ca={self.ca}")
        if not shutil.which("openssl"):
            raise Missing("openssl")
        self.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                  "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=test",
                  "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.folder / "key.pem",
                  "-out", self.ca])
        python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
        self.start([python, "-B", SMTP_SERVER, self.folder, self.port, "starttls", "auth"],
                   (self.folder / "ready").exists)

    def mails(self):
        """What was delivered, the oldest first."""
        try:
            text = (self.folder / "mails").read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]
