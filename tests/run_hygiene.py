#!/usr/bin/env python3
"""Checks that <bide/bide.h> gets along with every standard header, whichever comes first.

For each compiler: bide before and after all of them (with gcc also each header alone), with every
warning an error; then every public header alone (it must include what it needs); then
-DBIDE_NO_KEYWORDS, with which no short word may be a macro.

usage: run_hygiene.py [-v]
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = ROOT / "include"
TIMEOUT_S = 60
FLAGS = ["-std=gnu11", "-fexceptions", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wshadow",
         "-Wpedantic", "-Werror", "-fsyntax-only", "-I", str(INCLUDE)]

C11 = """assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal
stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time
uchar wchar wctype""".split()
POSIX = """
aio arpa/inet dirent dlfcn fcntl fnmatch ftw glob grp iconv langinfo libgen link mqueue net/if
netdb netinet/in netinet/tcp nl_types poll pthread pwd regex sched search semaphore spawn strings
sys/epoll sys/eventfd sys/file sys/ioctl sys/ipc sys/mman sys/msg sys/prctl sys/random sys/resource
sys/select sys/sem sys/sendfile sys/shm sys/signalfd sys/socket sys/stat sys/statvfs sys/syscall
sys/sysinfo sys/time sys/timerfd sys/times sys/types sys/uio sys/un sys/utsname sys/wait syslog
termios ucontext unistd unwind utime wordexp""".split()
HEADERS = [f"{name}.h" for name in C11 + POSIX]

# `#define word` between `#ifndef BIDE_NO_KEYWORDS` and its `#endif`.
KEYWORD_BLOCK = re.compile(r"^#ifndef BIDE_NO_KEYWORDS\n(.*?)^#endif", re.M | re.S)
KEYWORD = re.compile(r"^#define (\w+)", re.M)
# The words of the manual; the headers' own lists must hold them.
PROMISED = ["async", "async_fn", "await", "ready", "spawn", "spawn_void", "task", "await_task",
            "fail", "attempt", "defer", "on_error", "on_cancel", "with", "with_group",
            "with_deadline", "with_no_await"]


def keywords():
    words = set()
    for header in sorted((INCLUDE / "bide").glob("*.h")):
        for block in KEYWORD_BLOCK.findall(header.read_text()):
            words.update(KEYWORD.findall(block))
    return sorted(words)


def include(*headers):
    return "".join(f"#include <{header}>\n" for header in headers)


NOTHING = "extern int hygiene_nothing;\n"

# Uses of the words that a header's macro of the same name would break.
USE = """
async(int) hygiene_wait(int number);
async(int) hygiene_wait(int number)
{
    if (number > 3)
        return ready(int, await(hygiene_wait(number - 1)));
    return ready(int, number);
}
SPAWNABLE(int, hygiene_spawned, int)
async(int) hygiene_group(int number);
async(int) hygiene_group(int number)
{
    int result = 0;
    with_group(g) {
        task(int) child = spawn(g, hygiene_spawned, number);
        with_deadline(bide_s(1)) {
            result = await_task(child);
        }
    }
    return ready(int, result);
}
"""


def programs(each):
    """Gives (title, source, extra flags) of each check; `each`: with every header alone, too, which
    is about macros and names, and the same for all compilers."""
    bide = "bide/bide.h"
    words = keywords()
    for header in HEADERS if each else ():
        yield f"bide, {header}", include(bide, header) + USE, []
        yield f"{header}, bide", include(header, bide) + USE, []
    yield "bide, all headers", include(bide, *HEADERS) + USE, []
    yield "all headers, bide", include(*HEADERS, bide) + USE, []
    yield "all headers between two of bide", include(bide, *reversed(HEADERS), bide) + USE, []
    for header in sorted((INCLUDE / "bide").glob("*.h")):
        yield f"{header.name} alone", include(f"bide/{header.name}") + NOTHING, []
    test = "TEST_PLAIN(hygiene)\n{\n    check_int(1, 1);\n}\n"
    yield "test.h, all headers", include("bide/test.h", *HEADERS) + test, []
    yield "all headers, test.h", include(*HEADERS, "bide/test.h") + test, []
    forbidden = "".join(f"#ifdef {word}\n#error `{word}` is a macro\n#endif\n" for word in words)
    variables = "".join(f"    int {word} = 1;\n" for word in words)
    sums = " + ".join(words)
    body = f"int hygiene(void);\nint hygiene(void)\n{{\n{variables}    return {sums};\n}}\n"
    yield "no keywords", include(bide) + forbidden + body, ["-DBIDE_NO_KEYWORDS"]
    yield ("no keywords, all headers", include(*HEADERS, bide) + forbidden,
           ["-DBIDE_NO_KEYWORDS"])


def check(compiler, folder, number, source, flags):
    path = pathlib.Path(folder) / f"hygiene_{number}.c"
    path.write_text(source)
    extra = ["-Wthread-safety"] if compiler == "clang" else []
    command = [compiler, *FLAGS, *extra, *flags, str(path)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"{compiler} did not end within {TIMEOUT_S} s"
    return done.stdout if done.returncode or done.stdout.strip() else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-v", action="store_true", help="print the passed ones too")
    arguments = parser.parse_args()
    passed = failed = skipped = 0
    missing = sorted(set(PROMISED) - set(keywords()))
    if missing:
        print(f"FAIL no `#define` under BIDE_NO_KEYWORDS for: {' '.join(missing)}")
        failed += 1
    else:
        passed += 1
    jobs = {}
    with tempfile.TemporaryDirectory(prefix="bide_hygiene_") as folder, \
            concurrent.futures.ThreadPoolExecutor(2) as pool:
        for compiler in ["gcc", "clang"]:
            checks = list(programs(each=compiler == "gcc"))
            if shutil.which(compiler):
                for number, (title, source, flags) in enumerate(checks):
                    job = pool.submit(check, compiler, folder, f"{compiler}_{number}", source,
                                      flags)
                    jobs[job] = f"{title} ({compiler})"
            elif os.environ.get("CI") == "true":
                print(f"FAIL {compiler} is not installed")
                failed += len(checks)
            else:
                print(f"skip {compiler} is not installed")
                skipped += len(checks)
        for job, title in jobs.items():
            problem = job.result()
            if problem:
                print(f"FAIL {title}:\n{problem.rstrip()}")
                failed += 1
            else:
                if arguments.v:
                    print(f"ok   {title}")
                passed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
