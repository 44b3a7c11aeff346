#!/usr/bin/env python3
"""Builds the fuzz targets with clang and runs each for a while; see fuzz/README.md.

Called by tools/run_tests, where it runs with BIDE_TEST_ALL=1 in the environment only; by hand it
runs when it is given a target or --seconds.

usage: run_fuzz.py [--seconds N] [TARGET...]
"""
import argparse
import concurrent.futures
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORPORA = pathlib.Path(os.environ.get("BIDE_CORPORA", ROOT.parent / "shared/corpora"))
SANITIZE = "address,undefined"
FLAGS = ["-std=gnu11", "-O1", "-g", "-fexceptions", "-fno-omit-frame-pointer", "-D_GNU_SOURCE",
         "-DBIDE_DEBUG=1", "-fno-sanitize-recover=undefined",
         "-I", str(ROOT / "src"), "-I", str(ROOT / "include")]
BUILD_TIMEOUT_S = 300
SECONDS = 4
CLOSE_S = 60
# Of one allocation: no target needs more. Of the process: what the system makes of the mappings of
# AddressSanitizer differs, so this only ends what runs away; leaks are for the targets to see.
MALLOC_MB = 256
RSS_MB = 4096
ASAN_OPTIONS = "quarantine_size_mb=64"

# One value of each field of json_fuzz.c.
JSON = [
    b'{"flag":true,"small":-1,"large number":9007199254740993,"real":1e-3,"text":"\\u00e9\\n",'
    b'"data":"YWI=","uuid":"01234567-89ab-cdef-0123-456789abcdef"'
    b',"at":"2024-05-06T07:08:09.5+02:00","day":"2024-02-29","amount":"12.50","shade":"dark",'
    b'"extra":{"a":[1,null]},"inside":{"more":'
    b'[{"name":"x"}]},"flags":[true],"reals":[1,2.5],"texts":["a",""],"amounts":["1",2.50],'
    b'"shades":["gray"],"extras":[[],"x"],"inners":[{"any":null,"count":5}]}',
    b'{"flag":null,"small":3,"real":1.5,"text":"abc","data":"YQ==","day":"2024-12-31","mail":'
    b'"a@b.example","link":"https://a.example/b?c","word":"abc","token":"t","typed":"pw",'
    b'"shown":"s","told":"t","id":7,"hash":"x","unknown":[{}]}',
    b'{"flag":null,"small":null,"inside":{"name":"a"},"link":null}',
]
PARTS = (b"--b\r\nContent-Disposition: form-data; name=\"one\"; filename=\"f\"\r\n"
         b"Content-Type: x/y\r\n\r\ndata\r\n--b\r\nContent-Disposition: form-data; "
         b"name=\"text\"\r\n\r\n-a\r\n--b--\r\n")
HTTP = ["http/head.c", "http/whole_lines.c", "http/framing.c", "http/names.c", "http/fields.c",
        "http/body.c", "http/scan.c"]
# Target: its sources (None: the whole library), the archives or folders with its seeds, seeds of
# its own, bytes of the longest input. A target NAME_portable is NAME without SSE2.
TARGETS = {
    "head": (HTTP, ["http1-fuzz"], [], 20000),
    "head_portable": (HTTP, ["http1-fuzz"], [], 20000),
    "body": (HTTP, ["http1-fuzz"], [b"5;a=\"b\\\"c\"\r\nhello\r\n0\r\nX: y\r\n\r\n"], 2000),
    "url": (["http/url.c", "http/cookie.c", "http/date.c", "http/fields.c", "http/range.c",
             "http/scan.c", "base/utf8.c"], ["url-fuzz"],
            [b"/a/%2e%2E/b%2Fc//../%C3%A9", b"a=b; c=\"d\"", b"; a=b; c=\"d\\\"\"",
             b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sunday, 06-Nov-94 08:49:37 GMT",
             b"Sun Nov  6 08:49:37 1994", b"bytes=5-9,0-1, -7,8-"], 500),
    "split": (["db/split.c"], [], [b"create trigger t after insert on a begin select 1; end; b",
                                   b"select 'a;', $x$ ; $x$, E'\\'' -- ;\n/* /* ; */ */; c"], 4096),
    "multipart": (["http/multipart.c", "http/fields.c", "http/scan.c", "base/utf8.c"], [],
                  [b"--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n"
                   b"Content-Type: x/y\r\n\r\ndata\r\n--b-\r\n\r\n--b--\r\n",
                   b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--b\r\n"
                   b"Content-Disposition: form-data; name=c\r\n\r\n\r\n--b--"], 4000),
    "json": (None, ["json/test_parsing"], JSON, 3000),
    "form": (None, ["url-fuzz"],
             [b"t=a+b%2B&i=7&l=-5&f=1e3&b=on&y=YQ==&u=00000000-0000-0000-0000-000000000000",
              b"m=2024-05-06T07:08:09Z&d=2024-02-29&c=-12.50&s=dark&j=[1,{\"a\":null}]&a+b=x",
              b"e=a@b.example&h=http://a.example/&li=1&li=2&ls=x&ls=&le=light&p=1234"], 1000),
    "template": (None, [],
                 [b"a<p title=\"{{v}}\" {{#yes}}x{{/yes}}>{{#list}}<i>{{.}}</i>{{/list}}"
                  b"{{{safe}}}<a href='{{v}}'>{{#tree}}{{>p}}{{/tree}}\x1e"
                  b"<b>{{v}}{{#more}}{{>p}}{{/more}}</b>",
                  b"b{{<p}}{{$a}}{{v}}{{/a}}{{/p}}\x1e<title>{{$a}}{{/a}}</title>{{>q}}\x1e"
                  b"{{n}}{{s}}",
                  b"c<a href=\"/x/{{v}}?q={{w}}#{{v}}\"><script src='/a/{{v}}.js'></script>"
                  b"{{=| |=}}|v|",
                  b"d<!-- x --><style>a</style><input style='width: {{n}}' "
                  b"{{^no}}checked{{/no}}>{{at}}"],
                 1500),
    "router": (None, [],
               [b"a/users\na/users/{id}\nb/users/{id:path}\na/a b/\n\na/users\na/users/7\nb/a%20b/",
                b"a/{x}/a\na/{x}/{y}\na/{r:path}\nc/b/{r:path}\n\na/b/a\na/b/c\nc/b/\na//x\n"],
               1500),
    "bind": (None, [],
             [b"`/p/-7/S%20m/a/b", b"`/q?q=a+b%2B&page=9&deep=on&sort=up&ids=1&ids=2&ratio=0.5",
              b"`/q?since=2024-05-06T07:08:09Z&price=1.5&key=0&mail=a@b.example&words=a&words=b",
              b"`/h\nX-Text:hello\nX-Count:4\nCookie:sid=\"a\"; number=5",
              b"a/b?version=1\n\n{\"text\":\"a\",\"all\":[{\"name\":\"b\"}],\"any\":[]}",
              b"a/f\nContent-Type:application/x-www-form-urlencoded\n\ntext=a+b&count=3&all=x",
              b"a/m\nContent-Type:application/x-www-form-urlencoded\n\nname=abc",
              b"a/f\nContent-Type:multipart/form-data; boundary=b\n\n" + PARTS,
              b"`/s?key=k\nAuthorization:Bearer abc\nX-Text:a",
              b"`/s\nAuthorization:Basic YTpi"],
             2000),
    "jwt": (None, ["json/test_parsing"],
            [b"eyJhbGciOiJIUzI1NiJ9.e30.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
             b'{"alg":"HS256","typ":"JWT"}\n{"sub":"1","iss":"bide","exp":99999999999}',
             b'{"alg":"HS256"}\n{"sub":"1","iss":"bide","exp":99999999999,"nbf":1,"iat":1.5}',
             b'{"alg":"HS256"}\n{"sub":"1","iss":"bide","exp":99999999999,"aud":["a"]}',
             b'{"alg":"HS256"}\n{"exp":99999999999,"iss":"bide","sub":"\\u0041","extra":{}}'],
            3000),
}
DICTIONARIES = {"json": "json.dict", "jwt": "json.dict", "form": "url.dict", "bind": "url.dict",
                "head": "http.dict"}


def library_flags():
    """What compiles the library, and what links it: src/meson.build says which features it has."""
    text = (ROOT / "src/meson.build").read_text(encoding="utf-8")
    packages = dict(re.findall(r"^(\w+) = dependency\('([^']+)'.*, required: false\)", text, re.M))
    flags = ["-ftls-model=initial-exec", '-DBIDE_VERSION="fuzz"', '-DBIDE_SWAGGER_UI_DIR=""']
    links = ["-pthread", "-ldl", "-lm"]
    for define, name in re.findall(r"'-D(\w+)=@0@'\.format\((\w+)\.found\(\)", text):
        command = ["pkg-config", "--cflags", "--libs", packages[name]]
        found = shutil.which("pkg-config") and subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, text=True)
        words = found.stdout.split() if found and found.returncode == 0 else []
        flags.append(f"-D{define}={int(bool(words))}")
        flags += [word for word in words if not word.startswith(("-l", "-L"))]
        links += [word for word in words if word.startswith(("-l", "-L"))]
    if platform.machine() == "x86_64":
        flags += ["-mno-red-zone", "-DBIDE_NO_RED_ZONE=1"]
    return flags, links


def build_library(folder):
    """The library's objects, built for fuzzing; "" or what the compiler said."""
    listed = subprocess.run([str(ROOT / "tools/list_sources"), str(ROOT / "src")], check=True,
                            stdout=subprocess.PIPE, text=True).stdout.split()

    def build(source):
        command = ["clang", *FLAGS, *library_flags()[0], f"-fsanitize=fuzzer-no-link,{SANITIZE}",
                   "-c", str(ROOT / "src" / source), "-o",
                   str(folder / (source.replace("/", "-") + ".o"))]
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=BUILD_TIMEOUT_S, check=False)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        said = [done.stdout.decode("utf-8", "replace")
                for done in pool.map(build, [source for source in listed
                                             if not source.startswith("test/")])
                if done.returncode]
    return "".join(said)


def write_seeds(folder, archives, own):
    """Writes the seeds, each with a byte in front; how many there are."""
    seeds = list(own)
    for name in archives:
        archive = CORPORA / name / "corpus.tar.gz"
        if (CORPORA / name).is_dir() and not archive.is_file():
            seeds += [path.read_bytes() for path in sorted((CORPORA / name).iterdir())
                      if path.stat().st_size < 5000]
        if archive.is_file():
            with tarfile.open(archive) as tar:
                seeds += [tar.extractfile(member).read() for member in tar if member.isfile()]
    for number, seed in enumerate(seeds):
        (folder / f"seed_{number}").write_bytes(bytes([number * 2 % 256]) + seed)
    return len(seeds)


def build_target(name, program, library):
    """Builds one target; "" or what the compiler said."""
    sources = TARGETS[name][0]
    source = name.removesuffix("_portable")
    command = ["clang", *FLAGS, f"-fsanitize=fuzzer,{SANITIZE}",
               str(ROOT / f"tests/fuzz/{source}_fuzz.c"), "-o", str(program)]
    if source != name:
        command += ["-DBIDE__HTTP_PORTABLE=1"]
    if sources is None:
        command += ["-DFUZZ_WITH_LIBRARY=1", *map(str, sorted(library.glob("*.o"))),
                    *library_flags()[1]]
    else:
        command += [str(ROOT / "src" / source) for source in sources]
    built = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=BUILD_TIMEOUT_S, check=False)
    return built.stdout.decode("utf-8", "replace") if built.returncode else ""


def fuzz(name, scratch, seconds, library):
    """Builds and runs one target; gives "" or what was found."""
    _, archives, own, longest = TARGETS[name]
    program, corpus = scratch / name, scratch / f"{name}_corpus"
    corpus.mkdir()
    count = write_seeds(corpus, archives, own)
    problem = build_target(name, program, library)
    if problem:
        return problem
    command = [str(program), f"-max_total_time={seconds}", f"-max_len={longest}", "-timeout=10",
               f"-malloc_limit_mb={MALLOC_MB}", f"-rss_limit_mb={RSS_MB}", "-print_final_stats=1",
               f"-artifact_prefix={scratch}/", str(corpus)]
    dictionary = CORPORA / "dictionaries" / DICTIONARIES.get(name, "none")
    if dictionary.is_file():
        command.insert(1, f"-dict={dictionary}")
    options = os.environ.get("ASAN_OPTIONS", "")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=seconds + CLOSE_S, check=False,
                          env={**os.environ, "ASAN_OPTIONS": f"{options}:{ASAN_OPTIONS}"})
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        found = [path.read_bytes() for path in sorted(scratch.glob("*-*")) if path.is_file()]
        report = text[max(text.find("ERROR:"), 0):] if "ERROR:" in text else text[-4000:]
        return "".join(f"bytes: {bytes_!r}\n" for bytes_ in found) + report[:4000]
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
    with tempfile.TemporaryDirectory(prefix="bide_fuzz_library_") as library:
        library = pathlib.Path(library)
        lacking = ""
        if any(TARGETS[name][0] is None for name in targets):
            lacking = build_library(library)
        for name in targets:
            with tempfile.TemporaryDirectory(prefix="bide_fuzz_") as scratch:
                problem = lacking if TARGETS[name][0] is None else ""
                problem = problem or fuzz(name, pathlib.Path(scratch),
                                          arguments.seconds or SECONDS, library)
            if problem:
                failed += 1
                print(f"FAIL {name}\n{problem}")
    print(f"{len(targets) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
