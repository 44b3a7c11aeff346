#!/usr/bin/env python3
"""Looks at the shared library: what it exports, needs, and how it reaches its thread-local data.

Called by tools/run_tests with BIDE_BUILD, the build folder. Ends with the closing line.
"""
import os
import pathlib
import subprocess
import sys

PUBLIC_PREFIX = "bide_"         # bide__ is what the library's own files share
# What a linker or a sanitizer adds by itself.
# Read as sentences in clang's thread-safety diagnostics.
ROLE_NAMES = ("inside_a_task", "with_no_await_block")
LINKER_NAMES = ("_init", "_fini", "__start_", "__stop_", "__asan_", "__odr_asan")
# The core needs libc only; libgcc_s brings the unwinder. PCRE2 is what `match` of models
# stands on, zlib what bide_gzip does, SQLite, libpq, hiredis and libsodium what the data layer
# does, libcrypt and libjwt what accounts do, libcurl what mail does, liburing the second backend.
ALLOWED_LIBRARIES = ("libc.so", "libm.so", "libdl.so", "libpthread.so", "libgcc_s.so", "ld-linux",
                     "libpcre2-8.so", "libz.so", "libsqlite3.so", "libhiredis.so",
                     "libsodium.so", "libpq.so", "libcrypt.so", "libjwt.so", "libcurl.so",
                     "liburing.so")


def lines_of(*command):
    """The output of a tool, as lines of words."""
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return [line.split() for line in result.stdout.splitlines()]


def foreign_exports(library):
    """Exported names that do not carry the library's prefix."""
    names = [words[-1] for words in lines_of("nm", "-D", "--defined-only", library) if words]
    return [name for name in names
            if not name.startswith((PUBLIC_PREFIX,) + LINKER_NAMES) and name not in ROLE_NAMES]


def exports(library):
    """The exported names that carry it."""
    names = [words[-1] for words in lines_of("nm", "-D", "--defined-only", library) if words]
    return [name for name in names if name.startswith(PUBLIC_PREFIX)]


def dynamic_entries(library, tag):
    """The values of one tag of the dynamic section, `NEEDED` for one."""
    return [words[-1].strip("[]") for words in lines_of("readelf", "-dW", library)
            if len(words) > 1 and words[1] == f"({tag})"]


def main():
    """Runs the checks; exit status 1 if anything failed."""
    library = str(pathlib.Path(os.environ["BIDE_BUILD"]) / "src/libbide.so")
    imported = [words[-1] for words in lines_of("nm", "-D", "--undefined-only", library) if words]
    foreign = foreign_exports(library)
    libraries = [name for name in dynamic_entries(library, "NEEDED")
                 if not name.startswith(ALLOWED_LIBRARIES)]
    stack = [words for words in lines_of("readelf", "-lW", library) if words[:1] == ["GNU_STACK"]]
    loading = subprocess.run([sys.executable, "-c", f"import ctypes; ctypes.CDLL({library!r})"],
                             check=False, capture_output=True, text=True)
    checks = [
        ("it exports something", exports(library), "nothing is exported"),
        (f"all exports begin with {PUBLIC_PREFIX}", not foreign, " ".join(foreign)),
        ("it needs libc, and what its features stand on", not libraries, " ".join(libraries)),
        ("its name carries its version", dynamic_entries(library, "SONAME")
         == ["libbide.so.0"], str(dynamic_entries(library, "SONAME"))),
        ("thread-local data is reached without a call", not any(
            name.startswith("__tls_get_addr") for name in imported), "__tls_get_addr is called"),
        ("it can be loaded later too", loading.returncode == 0, loading.stderr),
        ("it has no text relocations", not dynamic_entries(library, "TEXTREL"), "TEXTREL"),
        ("its stack is not executable", stack and "E" not in stack[0][-2], str(stack)),
    ]
    failed = 0
    for title, good, message in checks:
        print(("ok " if good else "FAILED ") + title + ("" if good else ": " + message))
        failed += not good
    print(f"{len(checks) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
