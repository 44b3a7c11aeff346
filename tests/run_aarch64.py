#!/usr/bin/env python3
"""Builds the library and the tests of its lower layers for aarch64 and runs them under qemu-user.

Called by tools/run_tests, where it runs with BIDE_TEST_ALL=1 in the environment only; by hand it
runs when it is given a part of a test's path. What stands on other libraries is left out: a cross
compiler comes with libc alone. The closing line sums those of the tests.

usage: run_aarch64.py [PART...]
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMPILER = "aarch64-linux-gnu-gcc"
EMULATOR = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"]
TIMEOUT_S = 300
CROSS = f"""
[binaries]
c = '{COMPILER}'
ar = 'aarch64-linux-gnu-ar'
strip = 'aarch64-linux-gnu-strip'
pkg-config = 'false'

[host_machine]
system = 'linux'
cpu_family = 'aarch64'
cpu = 'aarch64'
endian = 'little'
"""
# The switch and what stands on it; weaker order of memory; scans without vectors; a whole server.
TESTS = ("core/*", "io/stream", "io/offload", "io/listener", "sync/channel", "sync/cross_channel",
         "base/slab", "http/scan", "http/head_portable", "http/server")
# What the emulator cannot show: numbers of system calls and times are those of the machine below; a
# child of vfork has memory of its own.
LEFT_OUT = ("core/watchdog", "io/process")


def execute(command, folder=ROOT):
    """Runs a command: (status, what it printed)."""
    try:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
                              timeout=TIMEOUT_S, env={**os.environ, "BIDE_TEST_EMULATED": "1"})
    except subprocess.TimeoutExpired:
        return -1, f"did not end within {TIMEOUT_S} s\n"
    return done.returncode, done.stdout


def user_flags():
    """The flags that bide.pc hands out: the list `user_args` of meson.build."""
    text = (ROOT / "meson.build").read_text(encoding="utf-8")
    lists = re.findall(r"^user_args \+?= (.*?)(?=^\S)", text + "\nend", re.M | re.S)
    return re.findall(r"'(-[^']+)'", " ".join(lists))


def build_library(folder):
    """None, or what went wrong."""
    (folder / "cross.ini").write_text(CROSS, encoding="utf-8")
    for command in (["meson", "setup", "build", str(ROOT), "--cross-file", "cross.ini",
                     "-Dtests=false", "-Dvalgrind=disabled",
                     "-Ddefault_library=static"],
                    ["ninja", "-C", "build", "src/libbide.a", "src/libbide_test.a"]):
        status, output = execute(command, folder)
        if status:
            return f"{' '.join(command)}:\n{output}"
    return None


def run_test(folder, path):
    """(passed, failed, skipped) and what was printed of one test program."""
    output = folder / path.relative_to(ROOT).as_posix().replace("/", "-")
    archives = [str(folder / "build/src" / name) for name in ("libbide_test.a", "libbide.a")]
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-g", "-O1", *user_flags(), "-Iinclude", "-Isrc"]
    status, text = execute([COMPILER, *flags, str(path.relative_to(ROOT)), "-o", str(output),
                            *archives, "-pthread", "-ldl", "-lm", "-Wl,-z,now"])
    if status:
        return (0, 1, 0), text
    _, text = execute([*EMULATOR, str(output)])
    closing = re.search(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", text, re.MULTILINE)
    return tuple(map(int, closing.groups())) if closing else (0, 1, 0), text


def main():
    """Exit status 1 if anything failed."""
    if len(sys.argv) == 1 and os.environ.get("BIDE_TEST_ALL") != "1":
        print("skip: BIDE_TEST_ALL=1 is not set\n0 passed, 0 failed, 1 skipped")
        return 0
    if not shutil.which(COMPILER) or not shutil.which(EMULATOR[0]):
        print(f"no {COMPILER} or no {EMULATOR[0]}: ./dev deps test")
        failed = os.environ.get("CI") == "true"
        print(f"0 passed, {int(failed)} failed, {int(not failed)} skipped")
        return int(failed)
    paths = [path for pattern in TESTS
             for path in sorted((ROOT / "tests/unit").glob(pattern + "_test.c"))
             if not any(name in str(path) for name in LEFT_OUT)
             and (len(sys.argv) == 1 or any(part in str(path) for part in sys.argv[1:]))]
    sums = [0, 0, 0]
    with tempfile.TemporaryDirectory(prefix="bide-aarch64-") as name, \
            concurrent.futures.ThreadPoolExecutor(2) as pool:
        problem = build_library(pathlib.Path(name))
        if problem:
            print(f"FAILED {problem}\n0 passed, 1 failed, 0 skipped")
            return 1
        jobs = [(path, pool.submit(run_test, pathlib.Path(name), path)) for path in paths]
        for path, job in jobs:
            counts, text = job.result()
            sums = [a + b for a, b in zip(sums, counts)]
            good = "FAILED" if counts[1] else "ok"
            print(f"{good} {path.relative_to(ROOT)}: {counts[0]} passed", flush=True)
            if counts[1]:
                print(text)
    print(f"{sums[0]} passed, {sums[1]} failed, {sums[2]} skipped")
    return 1 if sums[1] or sums[0] == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
