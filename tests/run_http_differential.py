#!/usr/bin/env python3
"""Feeds bide's HTTP parsers and node's the same requests, and compares what they understood.

What bide accepts, node must understand in the same way; see differential/README.md. The requests
are generated and mutated from a seed, so many or for so long, and taken from the corpora of the
project where they are present (BIDE_CORPORA, or ../shared/corpora beside the project). Called by
tools/run_tests.

usage: run_http_differential.py [--seed N] [--cases N] [--seconds N]
"""
import argparse
import json
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORPORA = pathlib.Path(os.environ.get("BIDE_CORPORA", ROOT.parent / "shared/corpora"))
SOURCES = ["http/head.c", "http/whole_lines.c", "http/framing.c", "http/names.c", "http/fields.c",
           "http/body.c", "http/scan.c"]
FLAGS = ["-std=gnu11", "-O1", "-g", "-fexceptions", "-D_GNU_SOURCE", "-Wall", "-Wextra",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
BATCH = 3000
TIMEOUT_S = 120
SHOWN = 5

# Why node may refuse what bide accepts: a part of its reason, what the bytes must then hold, ours.
NODE_STRICTER = [
    # RFC 9110 9.1: a method is any token; which ones exist is not for the parser to say.
    ("HPE_INVALID_METHOD", rb"", "another method"),
    ("HTTP/2 Connection Preface", rb"PRI ", "another method"),
    # RFC 9112 7.1.1 with RFC 9110 5.6.3: bad white space must be understood.
    ("in chunk size", rb"[0-9a-fA-F][ \t]+;", "bad white space behind a chunk size"),
    ("hidden by an upgrade", rb"[0-9a-fA-F][ \t]+;", "bad white space behind a chunk size"),
    # RFC 9112 5: the white space around a value may be a tab.
    ("in Content-Length", rb"\d[ \t]*\t", "a tab behind Content-Length"),
    # RFC 9112 7.1.2: trailers are dropped, whatever they are called.
    ("can't be present with", rb"(?i)\n0[^\n]*\n([^\n]+\n)*(content-length|transfer-encoding)",
     "framing fields in trailers"),
    ("in chunk extension", rb"[ \t]", "bad white space in a chunk extension"),
]
METHODS = [b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"PATCH", b"CONNECT", b"TRACE",
           b"M-SEARCH", b"get", b"PRI", b"FOO"]
TARGETS = [b"/", b"/a/b?c=d", b"*", b"http://b.example/x", b"https://[::1]:8/", b"b:443", b"/%41",
           b"//x", b"/a#b", b"", b"/\xc3\xa9", b"x", b"/" + b"y" * 300, b"/a\"<>\\^`{|}"]
VERSIONS = [b"HTTP/1.0"] * 6 + [b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.2",
                                                   b"http/1.1", b"HTTP/1.10", b"", b"ICE/1.0"]
NAMES = [b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Upgrade", b"Expect",
         b"X-a", b"Cookie", b"host", b"CONTENT-LENGTH", b"Keep-Alive", b"TE",
         b"Content-Length ", b" X", b"", b"X(y)", b"Te"]
VALUES = [b"a", b"", b"5", b"0", b"05", b"+5", b"5, 5", b"chunked", b"Chunked", b"gzip, chunked",
          b"chunked, gzip", b"chunked, chunked", b"identity", b"close", b"keep-alive", b"upgrade",
          b"keep-alive, close", b"Upgrade, x", b"websocket", b"100-continue", b"\xc3\xa9", b"a\tb",
          b"99999999999999999999999", b"18446744073709551615", b"chunked;a=b", b",chunked",
          b"\"x\"", b"\x00", b"a\rb", b"x" * 200]
LINE_ENDS = [b"\n", b"\r", b"\r\r\n", b"\r\n ", b" \r\n"]
BODIES = [b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
          b"5;a=\"b;c\"\r\nhello\r\n00\r\n\r\n", b"5 ;a\r\nhello\r\n0\r\n\r\n",
          b"5\nhello\r\n0\r\n\r\n",
          b"a\r\nhello\r\n0\r\n\r\n", b"05\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n",
          b"ffffffffffffffff5\r\nhello", b"5\r\nhello0\r\n\r\n", b"5;\r\nhello\r\n0\r\n\r\n",
          b"5\r\nhello\r\n0\r\nX : y\r\n\r\n", b"0\r\n\r\n", b"-1\r\n\r\n",
          b"5;a=\"\\\"\"\r\nhello\r\n0;b\r\nT:\r\nU: v\r\n\r\n", b"5\r\nhello\r\n0\r\n\n"]
GOOD_BODIES = [BODIES[index] for index in (2, 3, 4, 5, 8, 14, 16)]
SPICE = [b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b",", b";", b"\x7f", b"\xff", b"0", b"5",
         b"chunked", b"\r\n\r\n", b"\"", b"\\", b"=", b"%", b"#", b"\x0b", b"\x0c"]


def a_request(rng):
    """One request: most often nearly right."""
    def line_end():
        return b"\r\n" if not oddity or rng.random() < 0.97 else rng.choice(LINE_ENDS)

    def one_of(values, usual):
        return rng.choice(values) if rng.random() < oddity else usual

    oddity = rng.choice([0, 0.1, 0.3])
    space = b" " if rng.random() < 0.98 or not oddity else rng.choice([b"  ", b"\t", b""])
    out = one_of(METHODS, b"POST") + space + one_of(TARGETS, b"/x") + space
    out += one_of(VERSIONS, b"HTTP/1.1") + line_end()
    fields = [(b"Host", one_of(VALUES, b"a.example"))] if rng.random() < 0.97 else []
    body = b""
    kind = rng.random()
    if kind < 0.3:
        body = rng.choice(BODIES)
        fields.append((b"Content-Length", str(len(body)).encode()))
    elif kind < 0.75:
        body = rng.choice(BODIES if oddity else GOOD_BODIES)
        fields.append((b"Transfer-Encoding", one_of(VALUES, b"chunked")))
    for _ in range(rng.choice([0, 0, 0, 1, 2, 40] if rng.random() < 0.5 else [0])):
        fields.append((rng.choice(NAMES), rng.choice(VALUES)))
    rng.shuffle(fields)
    for name, value in fields:
        colon = b": " if rng.random() < 0.98 else rng.choice([b":", b" : ", b":\t ", b"", b"::"])
        out += name + colon + value + line_end()
    return out + line_end() + body


def mutated(rng, bytes_):
    """The bytes with some of them changed, put in, left out or moved."""
    out = bytearray(bytes_)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 6])):
        at = rng.randrange(len(out) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            out[at:at] = rng.choice(SPICE)
        elif kind == 1:
            out[at:at + rng.choice([1, 1, 2, 5])] = b""
        elif kind == 2 and at < len(out):
            out[at] = rng.randrange(256)
        else:
            other = rng.randrange(len(out) + 1)
            out[at:at] = out[other:other + rng.randrange(1, 20)]
    return bytes(out)


def a_connection(rng, seeds):
    """The bytes of one case."""
    kind = rng.random()
    if seeds and kind < 0.15:
        return mutated(rng, rng.choice(seeds))
    out = b"".join(a_request(rng) for _ in range(rng.choice([1, 1, 2, 3])))
    if rng.random() < 0.05:
        out = b"\r\n" + out
    return mutated(rng, out) if kind < 0.6 else out


def corpus_seeds():
    """The requests of the corpus, [] where it is absent."""
    archive = CORPORA / "http1-fuzz/corpus.tar.gz"
    if not archive.is_file():
        return []
    with tarfile.open(archive) as tar:
        files = [tar.extractfile(member).read() for member in tar if member.isfile()]
    return [file for file in sorted(files) if len(file) < 20000]


def build(folder):
    """Builds the driver; gives its path."""
    program = pathlib.Path(folder) / "http_driver"
    sources = [str(ROOT / "tests/differential/http_driver.c")]
    sources += [str(ROOT / "src" / source) for source in SOURCES]
    subprocess.run([shutil.which("clang") or "gcc", *FLAGS, "-I", str(ROOT / "src"), "-I",
                    str(ROOT / "include"), *sources, "-o", str(program)], check=True,
                   timeout=TIMEOUT_S)
    return program


def understood(command, cases):
    """What a program makes of the cases; None if it says it cannot (exit status 3)."""
    data = b"".join(struct.pack("<I", len(case)) + case for case in cases)
    done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=TIMEOUT_S, check=False)
    if done.returncode == 3:
        return None
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.decode('utf-8', 'replace')[-3000:]}")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(cases):
        raise RuntimeError(f"{command[0]}: {len(answers)} answers to {len(cases)} cases")
    return answers


def keeping_differs(ours, theirs):
    """Why two messages differ in nothing but what becomes of the connection, or ""."""
    fields = {name.lower(): value.lower() for name, value in ours[3]}
    if ours[:-1] != theirs[:-1] or ours[-1] == theirs[-1]:
        return ""
    if ours[-1] == "keep" and "proxy-connection" in fields:
        return "Proxy-Connection, which no RFC knows"
    if ours[-1] == "close" and ours[2] == 0 and "close" in fields.get("connection", ""):
        return "close wins over keep-alive in HTTP/1.0"         # RFC 9112 9.3
    return ""


def difference(case, ours, theirs):
    """What is wrong about a case, or ""; and the excuse if node is allowed to be stricter."""
    if ours["end"] == "split":
        return "bide's answer depends on how the bytes are cut", ""
    for number, message in enumerate(ours["messages"]):
        if number == len(theirs["messages"]):
            for part, needed, excuse in NODE_STRICTER:
                if theirs["end"] == "bad" and part in theirs["reason"] and re.search(needed, case):
                    return "", excuse
            return f"bide accepts message {number}, node says {theirs.get('reason', 'more')}", ""
        excuse = keeping_differs(message, theirs["messages"][number])
        if excuse:
            return "", excuse
        if message != theirs["messages"][number]:
            return f"message {number}: bide {message}, node {theirs['messages'][number]}", ""
    if ours["end"] in ("more", "idle", "stop") and len(theirs["messages"]) > len(ours["messages"]):
        return f"bide waits or stops, node has a message more: {theirs['messages'][-1]}", ""
    return "", ""


def compare(driver, node, cases, statistics):
    """Runs a batch; gives the number of differences."""
    ours = understood([str(driver)], cases)
    theirs = understood([node, "--no-warnings", str(ROOT / "tests/differential/http_node.js")],
                        cases)
    failed = 0
    for case, our, their in zip(cases, ours, theirs):
        problem, excuse = difference(case, our, their)
        statistics["messages"] += len(our["messages"])
        statistics["refused"] += our["end"] == "bad"
        statistics["stricter"] += our["end"] == "bad" and their["end"] != "bad"
        if excuse:
            statistics["excused"][excuse] = statistics["excused"].get(excuse, 0) + 1
        if problem:
            failed += 1
            statistics["shown"] += 1
            if statistics["shown"] <= SHOWN:
                print(f"{problem}\n    bytes: {case!r}\n    bide: {our}\n    node: {their}")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=9112)
    parser.add_argument("--cases", type=int, default=60000)
    parser.add_argument("--seconds", type=float, default=30)
    arguments = parser.parse_args()
    node = shutil.which("node")
    if not node or not (shutil.which("clang") or shutil.which("gcc")):
        print("skip: no node, or no compiler\n0 passed, 0 failed, 1 skipped")
        return 0
    probe = subprocess.run([node, "--no-warnings", str(ROOT / "tests/differential/http_node.js")],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           timeout=TIMEOUT_S, check=False)
    if probe.returncode == 3:
        print("skip: this node hides its parser\n0 passed, 0 failed, 1 skipped")
        return 0
    rng = random.Random(arguments.seed)
    seeds = corpus_seeds()
    statistics = {"messages": 0, "refused": 0, "stricter": 0, "excused": {}, "shown": 0}
    total = failed = 0
    with tempfile.TemporaryDirectory(prefix="bide_differential_") as folder:
        driver = build(folder)
        if seeds:
            failed += compare(driver, node, seeds, statistics)
            total += len(seeds)
        end = time.monotonic() + arguments.seconds
        while total < arguments.cases and time.monotonic() < end:
            cases = [a_connection(rng, seeds) for _ in range(BATCH)]
            failed += compare(driver, node, cases, statistics)
            total += len(cases)
    print(f"seed {arguments.seed}: {total} connections ({len(seeds)} of the corpus), "
          f"{statistics['messages']} messages understood, {statistics['refused']} refusals, "
          f"{statistics['stricter']} of them where node refuses nothing")
    print(f"node stricter: {statistics['excused']}")
    print(f"{int(not failed)} passed, {int(failed > 0)} failed, {int(not seeds)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
