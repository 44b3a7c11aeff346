"""Builds the programs of this folder and knows which one runs a case for a system.

What cannot be built here is left out, with one line that says why.
"""
import os
import shutil
import subprocess

from common import WARNINGS, Builder

BIDE_PROGRAMS = ("bide_core", "bide_inside", "bide_await", "bide_echo", "bide_files",
                 "bide_loops")
# The others are in bide_core.
BIDE_PROGRAM_OF = {
    "switch_bare": "bide_inside",
    "timer_arm_cancel": "bide_inside",
    "await_ready": "bide_await",
    "cross_loop": "bide_loops",
    "file_read": "bide_files",
    "file_read_epoll": "bide_files",
}


class Programs(Builder):
    def has(self, system, case):
        if system not in self.systems:
            return False
        if system != "bide":
            return True
        if case == "await_ready" and not shutil.which("valgrind"):
            return False
        return self.bide_program(case) in self.built

    @staticmethod
    def bide_program(case):
        return "bide_echo" if case.startswith("echo_") else BIDE_PROGRAM_OF.get(case, "bide_core")

    def command(self, system, case):
        if system == "bide":
            on_uring = case.endswith("_uring") or case == "file_read"
            backend = ["env", "BIDE_IO=uring"] if on_uring else []
            return [*backend, self.path(self.bide_program(case))]
        if system in ("asyncio", "uvloop"):
            return [self.python, "-B", self.here / "rival_asyncio.py", system]
        program = {"assembler": "rival_switch", "c++": "rival_throw", "epoll": "rival_echo",
                   "uring": "rival_uring_echo", "reader": "rival_uring_file"}
        return [self.path(program.get(system, f"rival_{system}"))]

    def build(self, systems):
        cxx = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
        go = shutil.which("go")
        c = [*self.cc, *self.c_flags]
        plans = {
            "assembler": ("rival_switch", [*c, "rival_switch.c"], "a C compiler"),
            "epoll": ("rival_echo", [*c, "rival_echo.c"], "a C compiler"),
            "eventfd": ("rival_eventfd", [*c, "-pthread", "rival_eventfd.c"], "a C compiler"),
            "uring": ("rival_uring_echo", [*c, "rival_uring_echo.c", "-luring"], "liburing-dev"),
            "reader": ("rival_uring_file", [*c, "rival_uring_file.c", "-luring"], "liburing-dev"),
            "st": ("rival_st", [*c, "rival_st.c", "-lst"], "libst-dev"),
            "c++": ("rival_throw", cxx and [cxx, "-O2", *WARNINGS, "rival_throw.cpp"], "g++"),
            "go": ("rival_go", go and [go, "build", "rival_go.go"], "go"),
        }
        for system in sorted(systems & plans.keys()):
            program, command, need = plans[system]
            if self.compile(program, command):
                self.systems.add(system)
            else:
                self.leave_out(system, need)
        if systems & {"epoll", "uring"}:
            self.compile("echo_load", [*c, "echo_load.c"])
        self.find_python(systems)
        if "bide" in systems:
            self.build_bide()

    def find_python(self, systems):
        if not self.python:
            self.left_out.append("asyncio, uvloop (need python3)")
            return
        needs = {
            "asyncio": ("python3 >= 3.11", "from asyncio import timeout, TaskGroup"),
            "uvloop": ("python3-uvloop", "import uvloop"),
        }
        for system in sorted(systems & needs.keys()):
            need, test = needs[system]
            done = subprocess.run([self.python, "-c", test], capture_output=True, check=False)
            if done.returncode == 0:
                self.systems.add(system)
            else:
                self.leave_out(system, need)

    def build_bide(self):
        self.compile_bide(BIDE_PROGRAMS, own=("bide_inside",))
        if "bide_await" in self.built and not shutil.which("valgrind"):
            self.left_out.append("await_ready (needs valgrind)")
