"""Builds the programs of this folder and starts the servers.

What cannot be built here is left out, with one line that says why.
"""
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager

from cases import BIDE_AGAIN
from common import SERVER_CORE, Builder, announced_port, cores, serving

START_LIMIT_S = 15
STOP_LIMIT_S = 5
# Servers that are installed, not built: what they are started with, in a folder of their own that
# has their configuration as `conf`.
CONFIGURED = {
    "nginx": ("-e", "stderr", "-p", ".", "-c", "conf"),
    "h2o": ("-c", "conf"),
    "kore": ("-fnrq", "-c", "conf"),  # in the foreground, no chroot, no other user, quiet
}
FASTAPI_NEEDS = "import fastapi, uvicorn, uvloop, httptools"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def worker_of(parent):
    """The process that does the work: the child of a server that has one."""
    until_s = time.monotonic() + START_LIMIT_S
    while time.monotonic() < until_s:
        with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as children:
            pids = children.read().split()
        if pids:
            return int(pids[0])
        time.sleep(0.02)
    raise SystemExit("bench: a server has no worker")


class Programs(Builder):
    def build(self, systems):
        c = [*self.cc, *self.c_flags]
        for load in ("http_load", "idle_load"):
            if not self.compile(load, [*c, f"{load}.c"], quiet=False):
                raise SystemExit(f"bench: {load} does not build")
        self.compile_bide(["bide_http"])
        self.systems |= BIDE_AGAIN.keys()
        go = shutil.which("go")
        module = ["-shared", "-fPIC", "rival_kore.c"]
        plans = {
            # -O3 for the loop that looks for the ends of heads.
            "bare": ("rival_bare", [*c, "-O3", "rival_bare.c"], "a C compiler"),
            "bare uring": ("rival_bare_uring",
                           [*c, "-O3", "rival_bare_uring.c", "-luring"], "liburing-dev"),
            "go": ("rival_go", go and [go, "build", "rival_go.go"], "go"),
            "kore": ("rival_kore.so", self.installed("kore") and [*c, *module], "kore"),
        }
        for system in sorted(systems & plans.keys()):
            program, command, need = plans[system]
            if self.compile(program, command):
                self.systems.add(system)
            else:
                self.leave_out(system, need)
        for system in sorted(systems & {"nginx", "h2o", "node"}):
            if self.installed(system):
                self.systems.add(system)
            else:
                self.leave_out(system, system)
        if "fastapi" in systems:
            self.find_fastapi()

    def find_fastapi(self):
        if self.python_runs(FASTAPI_NEEDS):
            self.systems.add("fastapi")
        else:
            self.leave_out("fastapi", "fastapi, uvicorn, uvloop and httptools")

    @staticmethod
    def installed(program):
        return shutil.which(program) or shutil.which(f"/usr/sbin/{program}")

    def has(self, system):
        bide = system == "bide" or system in BIDE_AGAIN
        return system in self.systems and (not bide or "bide_http" in self.built)

    def configured(self, system, port):
        """The command for a port of its own, and where it runs; these servers cannot be asked
        which port they got."""
        folder = self.out / system
        folder.mkdir(exist_ok=True)
        (folder / "plaintext.txt").write_text("Hello, World!", encoding="utf-8")
        text = (self.here / f"rival_{system}.conf").read_text(encoding="utf-8")
        user = "user: root" if os.geteuid() == 0 else ""
        text = text.replace("PORT", str(port)).replace("USER", user)
        (folder / "conf").write_text(text, encoding="utf-8")
        return [self.installed(system), *CONFIGURED[system]], folder

    def command(self, system, case, port):
        if system == "node":
            return [self.installed("node"), self.here / "rival_node.js"]
        if system == "fastapi":
            return [self.python, "-B", self.here / "rival_fastapi.py"]
        if system in ("bare", "bare uring"):
            program = "rival_" + system.replace(" ", "_")
            return [self.path(program), self.reply_file(case.request)]
        if system in ("bide", *BIDE_AGAIN):
            loops = [case.loops, port] if case.loops else []
            return ["env", f"BIDE_IO={case.io}", self.path("bide_http"), *loops]
        return [self.path(f"rival_{system}")]

    def reply_file(self, request):
        """Where the bytes are that the bare loop sends."""
        return self.path("reply" + request.path.replace("/", "_"))

    @contextmanager
    def serving(self, system, case):
        """A server that accepts: the number of the process that works, and the port."""
        asked = system not in CONFIGURED  # it says which port it has
        chosen = 0 if asked and not case.loops else free_port()
        command, folder = ((self.command(system, case, chosen), None) if asked
                           else self.configured(system, chosen))
        used_cores = set(cores[:case.loops]) if case.loops else {SERVER_CORE}

        def port_when_open(server):
            until_s = time.monotonic() + START_LIMIT_S
            while not accepts(chosen) and server.poll() is None and time.monotonic() < until_s:
                time.sleep(0.02)
            return chosen

        with serving(system, command, used_cores, self.out / f"{system}.log",
                     announced_port if asked else port_when_open, cwd=folder) as (server, port):
            try:
                yield worker_of(server.pid) if system == "kore" else server.pid, port
            finally:
                if system == "kore":
                    self.stop_with_worker(server)

    @staticmethod
    def stop_with_worker(server):
        """A parent that waits for its worker: killed, it would leave it behind."""
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            os.kill(worker_of(server.pid), signal.SIGKILL)
