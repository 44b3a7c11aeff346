#!/usr/bin/env python3
"""Builds the core and one broad set of tests the ways that have broken stackful coroutines before.

Forced unwinding, hand-written switches and thread-local storage depend on what the compiler makes
of them: each optimisation level, link-time optimisation, hardening, -fPIC without frame pointers,
a static program, and the sanitizers, on gcc and clang. ./dev test all builds some of these with
meson; this is the wide and shallow look. Each build compiles the library's sources in one piece
of work, and runs the tests named in TESTS.

usage: run_matrix.py [--only TEXT] [--all] [-v]
"""
import argparse
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TIMEOUT_S = 150

# The parts of the library that <bide/bide.h> declares, and src/test, which brings main().
FOLDERS = ("base", "core", "sync", "io", "test")
TESTS = ("unwind", "group", "loop")

COMMON = ["-std=gnu11", "-pthread", "-fexceptions", "-D_GNU_SOURCE", "-DBIDE_DEBUG=1",
          "-Iinclude", "-Isrc", "-Werror=unused-result"]
HARDENED = ["-O2", "-D_FORTIFY_SOURCE=2", "-fstack-protector-strong", "-fstack-clash-protection",
            "-fcf-protection", "-fPIE", "-pie", "-Wl,-z,relro,-z,now"]
ADDRESS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined",
           "-fno-omit-frame-pointer"]
RETURN = {"ASAN_OPTIONS": "detect_stack_use_after_return=1"}

# name, compiler, flags, environment, whether it belongs to the usual ten.
BUILDS = [
    # Without optimisation gcc keeps constants that nobody uses, such as those of a RESOURCE.
    ("gcc -O0", "gcc", ["-O0", "-fdata-sections", "-Wl,--gc-sections"], {}, True),
    ("gcc -O1", "gcc", ["-O1"], {}, False),
    ("gcc -O2", "gcc", ["-O2"], {}, False),
    ("gcc -O3 -flto", "gcc", ["-O3", "-flto=2"], {}, True),
    ("gcc -Os -fPIC -fomit-frame-pointer", "gcc", ["-Os", "-fPIC", "-fomit-frame-pointer"], {},
     True),
    ("gcc hardened", "gcc", HARDENED, {}, True),
    ("gcc -O2 -static", "gcc", ["-O2", "-static"], {}, False),
    ("gcc -O1 asan ubsan, use after return", "gcc", ["-O1"] + ADDRESS, RETURN, False),
    ("clang -O0", "clang", ["-O0"], {}, False),
    ("clang -O1", "clang", ["-O1"], {}, False),
    ("clang -O2", "clang", ["-O2"], {}, True),
    ("clang -O3", "clang", ["-O3"], {}, True),
    ("clang -Os -fPIC -fomit-frame-pointer", "clang", ["-Os", "-fPIC", "-fomit-frame-pointer"], {},
     True),
    ("clang hardened", "clang", HARDENED, {}, False),
    ("clang -O2 -static", "clang", ["-O2", "-static"], {}, True),
    ("clang -O1 asan ubsan, use after return", "clang", ["-O1"] + ADDRESS, RETURN, True),
    ("clang -O1 tsan", "clang", ["-O1", "-fsanitize=thread"], {}, True),
]


def sources():
    """The library's sources, and the assembler of this machine (each file is empty on others)."""
    found = []
    for folder in FOLDERS:
        found += sorted((ROOT / "src" / folder).glob("*.[cS]"))
    return found


def run(command, environment=None):
    """Runs a command in a session of its own; gives its status and what it said."""
    process = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ, **(environment or {})),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    try:
        out, _ = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        out, _ = process.communicate()
        return 124, out.decode("utf-8", "replace") + f"\nstill running after {TIMEOUT_S} s\n"
    return process.returncode, out.decode("utf-8", "replace")


def supported(compiler, flags):
    """Whether a program of these flags can be built and run here; the sanitizers may be missing."""
    if not shutil.which(compiler):
        return False
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "probe.c"
        source.write_text("int main(void) { return 0; }\n", encoding="utf-8")
        program = str(pathlib.Path(folder) / "probe")
        status, _ = run([compiler, *flags, str(source), "-o", program])
        return status == 0 and run([program])[0] == 0


def build(folder, name, compiler, flags):
    """Compiles everything and links the tests; gives their paths, or what went wrong."""
    objects = []
    for source in sources():
        target = folder / (source.parent.name + "-" + source.name + ".o")
        status, said = run([compiler, *COMMON, *flags, "-c", str(source), "-o", str(target)])
        if status:
            return None, f"{name}: {source.relative_to(ROOT)} does not compile\n{said}"
        objects.append(str(target))
    programs = []
    for test in TESTS:
        program = folder / test
        status, said = run([compiler, *COMMON, *flags, f"tests/unit/core/{test}_test.c", *objects,
                            "-lm", "-o", str(program)])
        if status:
            return None, f"{name}: {test}_test.c does not build\n{said}"
        programs.append(program)
    return programs, ""


def check(entry):
    """Builds and runs one configuration; gives "passed", "failed" or "skipped", and a text."""
    name, compiler, flags, environment, _ = entry
    if not supported(compiler, flags):
        return "skipped", f"skip {name}: this machine lacks it\n"
    with tempfile.TemporaryDirectory(prefix="bide-matrix-") as folder:
        programs, said = build(pathlib.Path(folder), name, compiler, flags)
        if programs is None:
            return "failed", said
        for program in programs:
            status, said = run([str(program)], environment)
            if status:
                return "failed", f"FAIL {name}: {program.name}\n{said}"
    return "passed", f"ok   {name}\n"


def main():
    """Runs the usual builds, two beside each other; exit status 1 if one failed."""
    parser = argparse.ArgumentParser(description="one broad test in many builds")
    parser.add_argument("--only", metavar="TEXT", help="builds whose name contains it")
    parser.add_argument("--all", action="store_true", help="all builds, not only the usual ten")
    parser.add_argument("-v", action="store_true", help="print the builds that passed as well")
    arguments = parser.parse_args()
    chosen = [entry for entry in BUILDS
              if (arguments.only in entry[0] if arguments.only else arguments.all or entry[4])]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for outcome, text in pool.map(check, chosen):
            counts[outcome] += 1
            if outcome != "passed" or arguments.v:
                sys.stdout.write(text)
                sys.stdout.flush()
    print("%d passed, %d failed, %d skipped" % tuple(counts.values()))
    return 1 if counts["failed"] or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
