"""Builds the programs of this folder and knows which one runs a case for a system.

What cannot be built here is left out, with one line that says why.
"""
import os
import shutil
import subprocess

WARNINGS = ["-Wall", "-Wextra", "-Wshadow"]
BIDE_PROGRAMS = ("bide_core", "bide_inside", "bide_await", "bide_echo")
# The others are in bide_core.
BIDE_PROGRAM_OF = {
    "switch_bare": "bide_inside",
    "timer_arm_cancel": "bide_inside",
    "await_ready": "bide_await",
}


class Programs:
    def __init__(self, here, root, library_build, out):
        self.here, self.root, self.library_build, self.out = here, root, library_build, out
        self.left_out = []  # one line per system or program that could not be had
        self.built = set()  # names of programs
        self.systems = set()
        self.incomplete = False  # something of bide's own is missing
        # The system's own Python where there is one: the others often lack uvloop.
        self.python = shutil.which("/usr/bin/python3") or shutil.which("python3")

    def path(self, program):
        return self.out / program

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
            return [self.path(self.bide_program(case))]
        if system in ("asyncio", "uvloop"):
            return [self.python, "-B", self.here / "rival_asyncio.py", system]
        program = {"assembler": "rival_switch", "c++": "rival_throw", "epoll": "rival_echo"}
        return [self.path(program.get(system, f"rival_{system}"))]

    def build(self, systems):
        cc = os.environ.get("CC", "cc").split()
        c_flags = ["-std=gnu11", "-O2", "-D_GNU_SOURCE", *WARNINGS]
        cxx = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
        go = shutil.which("go")
        plans = {
            "assembler": ("rival_switch", [*cc, *c_flags, "rival_switch.c"], "a C compiler"),
            "epoll": ("rival_echo", [*cc, *c_flags, "rival_echo.c"], "a C compiler"),
            "st": ("rival_st", [*cc, *c_flags, "rival_st.c", "-lst"], "libst-dev"),
            "c++": ("rival_throw", cxx and [cxx, "-O2", *WARNINGS, "rival_throw.cpp"], "g++"),
            "go": ("rival_go", go and [go, "build", "rival_go.go"], "go"),
        }
        for system in sorted(systems & plans.keys()):
            program, command, need = plans[system]
            if self.compile(program, command):
                self.systems.add(system)
            else:
                self.left_out.append(f"{system} (needs {need}; `./dev deps bench` installs it)")
        if "epoll" in systems:
            self.compile("echo_load", [*cc, *c_flags, "echo_load.c"])
        self.find_python(systems)
        if "bide" in systems:
            self.build_bide(cc, c_flags)

    def compile(self, program, command, quiet=True):
        """Whether `program` could be made; `-o` goes behind the verb, so libraries stay last."""
        if not command:
            return False
        place = 2 if command[1] == "build" else 1
        command = [*command[:place], "-o", self.path(program), *command[place:]]
        words = [str(part) for part in command]
        if not shutil.which(words[0]):
            return False
        done = subprocess.run(words, cwd=self.here, capture_output=True, text=True, check=False)
        if done.returncode and not quiet:
            print(done.stderr.strip())
        if done.returncode == 0:
            self.built.add(program)
        return done.returncode == 0

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
                self.left_out.append(f"{system} (needs {need}; `./dev deps bench` installs it)")

    def build_bide(self, cc, c_flags):
        library = self.library_build / "src" / "libbide.a"
        package = self.library_build / "meson-uninstalled" / "bide-uninstalled.pc"
        if not library.exists() or not package.exists():
            self.left_out.append("bide (the library is not built: use ./dev bench core)")
            self.incomplete = True
            return
        ask = ["pkg-config", "--cflags", str(package)]
        flags = [*c_flags, "-I", self.root / "include",
                 *subprocess.check_output(ask, text=True).split()]
        self.systems.add("bide")
        for program in BIDE_PROGRAMS:
            own = ["-I", self.root / "src"] if program == "bide_inside" else []
            link = [library, "-pthread", "-ldl", "-lm", "-Wl,-z,now"]
            if not self.compile(program, [*cc, *flags, *own, f"{program}.c", *link], quiet=False):
                self.left_out.append(f"{program} (does not build, see above)")
                self.incomplete = True
        if "bide_await" in self.built and not shutil.which("valgrind"):
            self.left_out.append("await_ready (needs valgrind)")
