#!/usr/bin/env python3
"""Installs bide into a scratch folder and builds a program with it outside the tree: by the
compiler, and by the command `bide`.

Called by tools/run_tests with CC in the environment. The line under test is the one that the
header's #error prints: cc app.c $(pkg-config --cflags --libs bide). Ends with the closing line.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMPILER = os.environ.get("CC", "cc")
LINE = "cc app.c $(pkg-config --cflags --libs bide)"
EXPECTED = "the answer is 42\n"


def run(command, folder, environment, timeout_s=300):
    """Runs a shell line; returns its status and its output."""
    result = subprocess.run(["sh", "-c", command], cwd=folder, env=environment, timeout=timeout_s,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            errors="replace")
    return result.returncode, result.stdout


class Checks:
    """Counts what passed and prints what did not."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, title, good, output):
        """One check; the output is shown when it fails."""
        if good:
            self.passed += 1
            print("ok " + title)
        else:
            self.failed += 1
            print("FAILED " + title + "\n" + output)
        return good


def check_programs(checks, scratch, environment):
    """The program, linked with the shared library, then with the static one."""
    line = LINE.replace("cc ", COMPILER + " ", 1)
    for title, command in (
            ("shared", line + " && ./a.out"),
            ("static", line.replace("--libs", "--libs --static") + " -static -o s.out && ./s.out")):
        status, output = run(command, scratch, environment)
        # A static glibc warns about getaddrinfo and dlopen; the program's own line comes last.
        checks.check(f"a program outside the tree, {title}: {command}",
                     status == 0 and output.endswith(EXPECTED), output)
    command = line.replace("app.c", "tests.c").replace("--libs bide", "--libs bide_test")
    status, output = run(command + " -o t.out && ./t.out", scratch, environment)
    checks.check(f"a test outside the tree: {command}",
                 status == 0 and output.endswith("1 passed, 0 failed, 0 skipped\n"), output)
    status, output = run("ldd a.out", scratch, environment)
    checks.check("the first one uses libbide.so", "libbide.so" in output, output)
    status, output = run("test -x s.out && ldd s.out", scratch, environment)
    checks.check("the second one needs no library", "not a dynamic" in output, output)


def check_headers(checks, prefix, scratch, environment):
    """Each public header compiles alone, and only together with -fexceptions."""
    flags = "$(pkg-config --cflags bide)"
    for header in sorted((prefix / "include/bide").glob("*.h")):
        command = f"echo '#include <bide/{header.name}>' | {COMPILER} -x c -fsyntax-only {flags} -"
        status, output = run(command, scratch, environment)
        checks.check(f"<bide/{header.name}> compiles alone", status == 0, output)
    command = f"{COMPILER} -c app.c $(pkg-config --cflags bide | sed 's/-fexceptions//')"
    status, output = run(command, scratch, environment)
    checks.check("without -fexceptions the compiler says which line to type",
                 status != 0 and re.search("error.*" + re.escape(LINE), output), output)


def check_command(checks, prefix, program, environment):
    """The command builds with what is installed, and also when that was moved."""
    plain = {name: value for name, value in environment.items() if name != "LD_LIBRARY_PATH"}
    plain.update(CC=COMPILER, XDG_CACHE_HOME=str(program / "cache"), PATH=environment["PATH"])
    shutil.copy(ROOT / "examples/18_app.c", program / "notes.c")
    status, output = run(f"{prefix}/bin/bide run app.c", program, plain)
    checks.check("bide run app.c", status == 0 and output == EXPECTED, output)
    status, output = run(f"{prefix}/bin/bide routes notes.c", program, plain)
    checks.check("bide routes notes.c", status == 0 and "notes.c:" in output, output)
    source = (program / "notes.c").read_text(encoding="utf-8")
    wrong = source.replace("body(note_in, ", "body(note_inn, ", 1)
    (program / "wrong.c").write_text(wrong, encoding="utf-8")
    line = wrong[:wrong.index("body(note_inn, ")].count("\n") + 1
    status, output = run(f"{prefix}/bin/bide check wrong.c", program, plain)
    checks.check("a mistake is told with its line, and shortly",
                 status != 0 and wrong != source and f"wrong.c:{line}:" in output and
                 len(output.splitlines()) <= 60, output)
    moved = prefix.with_name("moved")
    prefix.rename(moved)
    status, output = run(f"{moved}/bin/bide run app.c", program, plain)
    checks.check("the same from another folder", status == 0 and output == EXPECTED, output)
    next(moved.rglob("bide.pc")).unlink()
    status, output = run(f"{moved}/bin/bide run app.c", program, plain)
    checks.check("without bide.pc it says so", status == 1 and "install bide again" in output,
                 output)


def check_new(checks, prefix, scratch, environment):
    """A new application in an empty folder: its tests pass, its program builds."""
    folder = scratch / "empty"
    folder.mkdir()
    status, output = run(f"{prefix}/bin/bide new shop", folder, environment)
    checks.check("bide new shop", status == 0, output)
    make = f"make CC='{COMPILER}' CFLAGS='-O1 -Wall -Wextra -Werror'"
    status, output = run(f"{make} test", folder / "shop", environment)
    checks.check("make test of a new application",
                 status == 0 and output.endswith("2 passed, 0 failed, 0 skipped\n"), output)
    status, output = run(f"{make} && ./shop routes", folder / "shop", environment)
    checks.check("make of a new application", status == 0 and "/hello/{name}" in output, output)


def check_assets(checks, prefix, environment):
    """What /docs shows is installed, where it was there to be."""
    folder = environment.get("BIDE_SWAGGER_UI", "")
    if folder:
        installed = prefix / "share/bide/swagger-ui"
        wanted = sorted(path.name for path in pathlib.Path(folder).iterdir())
        found = sorted(path.name for path in installed.iterdir()) if installed.is_dir() else []
        checks.check("Swagger UI is installed", found == wanted, str(found))


def main():
    """Installs, then checks; exit status 1 if anything failed."""
    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="bide-install-") as folder:
        scratch = pathlib.Path(folder)
        prefix = scratch / "prefix"
        environment = dict(os.environ, BIDE_BUILD_ROOT=str(scratch / "build"))
        status, output = run(f"./dev install --prefix '{prefix}'", ROOT, environment)
        if checks.check("./dev install --prefix DIR", status == 0, output):
            found = sorted(prefix.rglob("bide.pc"))
            checks.check("it installs one bide.pc", len(found) == 1, str(found))
            environment["PKG_CONFIG_PATH"] = str(found[0].parent)
            environment["LD_LIBRARY_PATH"] = str(found[0].parent.parent)
            for name in ("PKG_CONFIG_PATH", "LD_LIBRARY_PATH"):
                checks.check(f"it says which {name} to set",
                             f"export {name}={environment[name]}\n" in output, output)
            program = scratch / "program"
            program.mkdir()
            for name in ("app.c", "tests.c"):
                shutil.copy(ROOT / "tests/install" / name, program)
            check_assets(checks, prefix, environment)
            check_programs(checks, program, environment)
            check_headers(checks, prefix, program, environment)
            check_new(checks, prefix, scratch, environment)
            check_command(checks, prefix, program, environment)
    print(f"{checks.passed} passed, {checks.failed} failed, 0 skipped")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
