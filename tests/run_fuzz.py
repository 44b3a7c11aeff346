#!/usr/bin/env python3
"""Builds the fuzz targets with clang and runs each for a while; see fuzz/README.md.

Called by tools/run_tests, where it runs with BIDE_TEST_ALL=1 in the environment only; by hand it
runs when it is given a target or --seconds.

usage: run_fuzz.py [--seconds N] [TARGET...]
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORPORA = pathlib.Path(os.environ.get("BIDE_CORPORA", ROOT.parent / "shared/corpora"))
FLAGS = ["-std=gnu11", "-O1", "-g", "-fexceptions", "-D_GNU_SOURCE", "-DBIDE_DEBUG=1",
         "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined"]
BUILD_TIMEOUT_S = 120
SECONDS = 10
CLOSE_S = 60

HTTP = ["http/head.c", "http/framing.c", "http/fields.c", "http/body.c", "http/scan.c"]
# Target: its sources, the archives with its seeds, seeds of its own, bytes of the longest input.
TARGETS = {
    "head": (HTTP, ["http1-fuzz"], [], 20000),
    "body": (HTTP, ["http1-fuzz"], [b"5;a=\"b\\\"c\"\r\nhello\r\n0\r\nX: y\r\n\r\n"], 2000),
    "url": (["http/url.c", "http/cookie.c", "http/date.c", "http/fields.c", "http/scan.c",
             "base/utf8.c"], ["url-fuzz"],
            [b"/a/%2e%2E/b%2Fc//../%C3%A9", b"a=b; c=\"d\"", b"; a=b; c=\"d\\\"\"",
             b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sunday, 06-Nov-94 08:49:37 GMT",
             b"Sun Nov  6 08:49:37 1994"], 500),
    "multipart": (["http/multipart.c", "http/fields.c", "http/scan.c", "base/utf8.c"], [],
                  [b"--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n"
                   b"Content-Type: x/y\r\n\r\ndata\r\n--b-\r\n\r\n--b--\r\n",
                   b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--b\r\n"
                   b"Content-Disposition: form-data; name=c\r\n\r\n\r\n--b--"], 4000),
}


def write_seeds(folder, archives, own):
    """Writes the seeds, each with a byte in front; how many there are."""
    seeds = list(own)
    for name in archives:
        archive = CORPORA / name / "corpus.tar.gz"
        if archive.is_file():
            with tarfile.open(archive) as tar:
                seeds += [tar.extractfile(member).read() for member in tar if member.isfile()]
    for number, seed in enumerate(seeds):
        (folder / f"seed_{number}").write_bytes(bytes([number * 2 % 256]) + seed)
    return len(seeds)


def fuzz(name, scratch, seconds):
    """Builds and runs one target; gives "" or what was found."""
    sources, archives, own, longest = TARGETS[name]
    program, corpus = scratch / name, scratch / f"{name}_corpus"
    corpus.mkdir()
    count = write_seeds(corpus, archives, own)
    command = ["clang", *FLAGS, "-I", str(ROOT / "src"), "-I", str(ROOT / "include"),
               str(ROOT / f"tests/fuzz/{name}_fuzz.c"),
               *[str(ROOT / "src" / source) for source in sources], "-o", str(program)]
    built = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=BUILD_TIMEOUT_S, check=False)
    if built.returncode:
        return built.stdout.decode("utf-8", "replace")
    command = [str(program), f"-max_total_time={seconds}", f"-max_len={longest}", "-timeout=10",
               "-rss_limit_mb=2048", "-print_final_stats=1", f"-artifact_prefix={scratch}/",
               str(corpus)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=seconds + CLOSE_S, check=False)
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        found = [path.read_bytes() for path in sorted(scratch.glob("*-*")) if path.is_file()]
        return text[-6000:] + "".join(f"\nbytes: {bytes_!r}\n" for bytes_ in found)
    runs = [line.split(":")[-1].strip() for line in text.splitlines() if "executed_units" in line]
    print(f"ok   {name}: {count} seeds, {runs[0] if runs else '?'} runs in {seconds} s")
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=" ".join(TARGETS))
    arguments = parser.parse_args()
    targets = arguments.targets or list(TARGETS)
    wanted = arguments.seconds or arguments.targets or os.environ.get("BIDE_TEST_ALL") == "1"
    if not wanted or not shutil.which("clang"):
        print("skip: BIDE_TEST_ALL=1 is not set" if not wanted else "skip: no clang")
        print(f"0 passed, 0 failed, {len(targets)} skipped")
        return 0
    failed = 0
    for name in targets:
        with tempfile.TemporaryDirectory(prefix="bide_fuzz_") as scratch:
            problem = fuzz(name, pathlib.Path(scratch), arguments.seconds or SECONDS)
        if problem:
            failed += 1
            print(f"FAIL {name}\n{problem}")
    print(f"{len(targets) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
