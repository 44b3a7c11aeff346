"""Builds the programs of this folder and starts the servers.

What cannot be built here is left out, with one line that says why.
"""
import os
import shutil
import socket
import time
from contextlib import contextmanager

from common import SERVER_CORE, Builder, start

START_LIMIT_S = 15


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Programs(Builder):
    def build(self, systems):
        c = [*self.cc, *self.c_flags]
        for load in ("http_load", "idle_load"):
            if not self.compile(load, [*c, f"{load}.c"], quiet=False):
                raise SystemExit(f"bench: {load} does not build")
        if "bide" in systems:
            self.compile_bide(["bide_http"])
        # -O3 for the loop that looks for the ends of heads.
        if "bare" in systems and self.compile("rival_bare", [*c, "-O3", "rival_bare.c"]):
            self.systems.add("bare")
        if "go" in systems:
            go = shutil.which("go")
            if self.compile("rival_go", go and [go, "build", "rival_go.go"]):
                self.systems.add("go")
            else:
                self.leave_out("go", "go")
        for system in sorted(systems & {"node", "nginx"}):
            if self.installed(system):
                self.systems.add(system)
            else:
                self.left_out.append(f"{system} (not installed)")

    @staticmethod
    def installed(program):
        return shutil.which(program) or shutil.which(f"/usr/sbin/{program}")

    def has(self, system):
        return system in self.systems and (system != "bide" or "bide_http" in self.built)

    def nginx(self, port):
        """The command for a port of its own; nginx cannot be asked which one it got."""
        prefix = self.out / "nginx"
        prefix.mkdir(exist_ok=True)
        text = (self.here / "rival_nginx.conf").read_text(encoding="utf-8")
        config = prefix / "nginx.conf"
        config.write_text(text.replace("PORT", str(port)), encoding="utf-8")
        return [self.installed("nginx"), "-e", "stderr", "-p", prefix, "-c", config]

    def command(self, system, port):
        if system == "nginx":
            return self.nginx(port)
        if system == "node":
            return [self.installed("node"), self.here / "rival_node.js"]
        if system == "bare":
            return [self.path("rival_bare"), self.path("reply")]
        return [self.path("bide_http" if system == "bide" else f"rival_{system}")]

    @contextmanager
    def serving(self, system):
        """A server that accepts: its process and its port. What it says on stderr is kept."""
        port = free_port() if system == "nginx" else 0
        log = self.out / f"{system}.log"
        with open(log, "w", encoding="utf-8") as errors:
            server = start(self.command(system, port), SERVER_CORE, 0, stderr=errors)
        try:
            if port:
                until_s = time.monotonic() + START_LIMIT_S
                while not accepts(port) and server.poll() is None and time.monotonic() < until_s:
                    time.sleep(0.02)
            else:
                line = server.stdout.readline().split()
                port = int(line[1]) if len(line) == 2 and line[0] == "PORT" else 0
            if not port or server.poll() is not None:
                raise SystemExit(f"bench: {system} did not start, see {os.path.relpath(log)}")
            yield server, port
        finally:
            server.kill()
            server.communicate()
