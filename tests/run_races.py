#!/usr/bin/env python3
"""Races across awaits: programs under ThreadSanitizer on a library that shows it each task as a
thread (BIDE_TASK_RACES).

tests/races/check_then_act.c must be told, with both lines and both tasks. Nothing may be said of
tests/races/ordered.c, which uses each way of ordering, and of EXAMPLES. Those of TOLD have what the
mode is strict about: a variable that tasks share without a word that nothing waits between.

usage: run_races.py [-v]
"""
import concurrent.futures
import pathlib
import re
import sys
import tempfile

sys.dont_write_bytecode = True
from run_matrix import ROOT, run, sources, supported  # noqa: E402

COMPILER = ["clang", "-std=gnu11", "-pthread", "-fexceptions", "-fPIC", "-D_GNU_SOURCE",
            "-Iinclude", "-O1", "-g1", "-fno-omit-frame-pointer"]
EXAMPLES = ("03_spawn", "04_gather", "06_cleanup", "08_cancel", "12_channel", "13_echo",
            "15_background", "23_loops", "25_rwlock", "27_generator", "28_files", "31_local")
TOLD = {"10_mutex": r"deposit_unlocked", "11_semaphore": r"in download"}


def compiled(folder):
    """The objects of the library, which is not under ThreadSanitizer itself."""
    def compile_one(source):
        target = str(folder / f"{source.parent.name}-{source.name}.o")
        status, said = run([*COMPILER, "-Isrc", "-DBIDE_TASK_RACES=1", "-c", str(source), "-o",
                            target])
        if status:
            raise SystemExit(f"{source} does not compile\n{said}")
        return target

    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(compile_one, [source for source in sources()
                                           if source.parent.name != "test"] +
                             sorted((ROOT / "src" / "pool").glob("*.c"))))


def calm():
    """Older runtimes refuse the maps of kernels that randomise more bits of addresses."""
    bits = pathlib.Path("/proc/sys/vm/mmap_rnd_bits")
    return ["setarch", "-R"] if bits.exists() and int(bits.read_text()) > 28 else []


def shared(folder, objects):
    """The library as a shared one, and a file for ThreadSanitizer that leaves out what it calls of
    libc, locks too."""
    library, left_out = folder / "libbide.so", folder / "left_out.txt"
    status, said = run(["clang", "-shared", *objects, "-o", str(library)])
    if status:
        raise SystemExit(f"the shared library cannot be linked\n{said}")
    left_out.write_text("called_from_lib:libbide.so\n")
    return [str(library), f"-Wl,-rpath,{folder}"], {"TSAN_OPTIONS": f"suppressions={left_out}"}


def said_of(source, folder, objects, environment=None):
    """The exit status of a program, and what it said."""
    program = str(folder / source.stem)
    status, said = run([*COMPILER, "-fsanitize=thread", str(source), *objects, "-lm", "-ldl", "-o",
                        program])
    if status:
        return status, said
    return run([*calm(), program], environment)


def wrong_with_race(said):
    """What the report of check_then_act.c lacks."""
    wanted = (r"Write of size 4 .*\n +#0 withdraw .*check_then_act\.c:19",
              r"Previous read of size 4 .*\n +#0 withdraw .*check_then_act\.c:17",
              r"Thread T\d+ 'task #2 withdraw'", r"Thread T\d+ 'task #3 withdraw'")
    return [pattern for pattern in wanted if not re.search(pattern, said)]


def main():
    if not supported("clang", ["-fsanitize=thread"]):
        print("skip: no clang with ThreadSanitizer here\n0 passed, 0 failed, 1 skipped")
        return 0
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="bide-races-") as name:
        folder = pathlib.Path(name)
        objects = compiled(folder)
        races = ROOT / "tests" / "races"
        own = [races / "check_then_act.c", races / "ordered.c"]
        examples = [ROOT / "examples" / f"{example}.c" for example in (*EXAMPLES, *TOLD)]
        cases = [*((source, *shared(folder, objects)) for source in own),
                 *((source, objects) for source in (*own, *examples))]
        for source, *library in cases:
            status, said = said_of(source, folder, *library)
            if source.stem == "check_then_act":
                right = status == 66 and not wrong_with_race(said)
            elif source.stem in TOLD:
                right = status == 66 and bool(re.search(TOLD[source.stem], said))
            else:
                right = status == 0 and "ThreadSanitizer" not in said
            passed, failed = passed + right, failed + (not right)
            if not right:
                print(f"FAIL {source.relative_to(ROOT)}: exit status {status}\n{said}")
            elif "-v" in sys.argv:
                print(f"ok   {source.relative_to(ROOT)}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
