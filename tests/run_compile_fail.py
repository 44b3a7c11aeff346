#!/usr/bin/env python3
"""Checks that mistakes do not compile, on gcc and clang, and that an editor shows them.

Each file of tests/compile_fail holds cases of this form (tests/compile_fail/README.md):

    #ifdef CASE_name
    // gcc: a part of the message
    // clang: a part of the message
    ...
    #ifndef FIXED
        the mistake // <- here
    #else
        the same done right
    #endif
    #endif // CASE_name

The mistake is compiled with bide as a system header, as installed, and must be refused at the
marked line, and nowhere else, with that text. The fixed twin is compiled with bide's headers as
ordinary ones and must give no diagnostic at all. `nothing` as a text says that this compiler
accepts the mistake: a limit, written down. `// editor: nothing` says the same of clangd. With
`// gcc warning:` or `// clang warning:` a warning is enough.

usage: run_compile_fail.py [--only TEXT] [--cc gcc|clang|clangd] [-v]
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
CASES = ROOT / "tests" / "compile_fail"
TIMEOUT_S = 60
WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wpedantic"]
EFFECTS = ["-Wthread-safety", "-Werror=thread-safety"]

# file:line:column: severity: text
DIAGNOSTIC = re.compile(r"^(?P<file>[^\s:][^:]*):(?P<line>\d+):(?:\d+:)? "
                        r"(?P<severity>fatal error|error|warning|note): (?P<text>.*)$")
EDITOR = re.compile(r"^E\[[^\]]*\] \[(?P<name>[^\]]*)\] Line (?P<line>\d+): (?P<text>.*)$")


def user_flags():
    """The flags that bide.pc hands out: the list `user_args` of meson.build."""
    text = (ROOT / "meson.build").read_text()
    lists = re.findall(r"^user_args \+?= (.*?)(?=^\S)", text + "\nend", re.M | re.S)
    flags = re.findall(r"'(-[^']+)'", " ".join(lists))
    if "-fexceptions" not in flags:
        sys.exit("run_compile_fail.py: no user_args with -fexceptions in meson.build")
    return flags


class Case:
    def __init__(self, path, name):
        self.path, self.name = path, name
        self.expected = {}
        self.warnings = set()  # the compilers of which a warning is enough
        self.marked_line = 0

    @property
    def title(self):
        return f"{self.path.stem}/{self.name}"

    def problem(self):
        if "gcc" not in self.expected or "clang" not in self.expected:
            return "needs a `// gcc:` and a `// clang:` line"
        if not self.marked_line:
            return "marks no line with `// <- here`"
        if all(text == "nothing" for text in self.expected.values()):
            return "expects nothing from both compilers"
        return None


def read_cases(path):
    cases, current, depth = [], None, 0
    for number, line in enumerate(path.read_text().splitlines(), 1):
        start = re.match(r"\s*#\s*ifdef CASE_(\w+)", line)
        if start:
            if current:
                sys.exit(f"{path.name}:{number}: a case inside a case")
            current, depth = Case(path, start[1]), 0
            cases.append(current)
        if not current:
            continue
        if re.match(r"\s*#\s*if", line):
            depth += 1
        elif re.match(r"\s*#\s*endif", line):
            depth -= 1
            if depth == 0:
                current = None
        text = re.match(r"\s*// (gcc|clang|editor)( warning)?: (.*)$", line)
        if text:
            current.expected[text[1]] = text[3].strip()
            if text[2]:
                current.warnings.add(text[1])
        if line.rstrip().endswith("// <- here"):
            current.marked_line = number
    if current:
        sys.exit(f"{path.name}: case {current.name} has no end")
    return cases


def run(command, directory=None):
    environment = dict(os.environ, LC_ALL="C")
    done = subprocess.run(command, cwd=directory, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=TIMEOUT_S)
    return done.returncode, done.stdout


def errors_of(output, path):
    """The errors as (line in the case's file or 0, text). gcc gives the place inside a macro of an
    ordinary header and names the user's line in a note that follows."""
    errors = []
    for line in output.splitlines():
        match = DIAGNOSTIC.match(line)
        if not match:
            continue
        own = int(match["line"]) if match["file"] == str(path) else 0
        if "error" in match["severity"]:
            errors.append([own, match["text"]])
        elif errors and not errors[-1][0] and "in expansion of macro" in match["text"]:
            errors[-1][0] = own
    return errors


def judge(case, expected, errors, status, output):
    """Gives what is wrong with the answer to the mistake, or None."""
    if expected == "nothing":
        return None if status == 0 and not errors else f"was to be accepted:\n{output}"
    if not any(line == case.marked_line and expected in text for line, text in errors):
        return f"line {case.marked_line} was to say `{expected}`, but:\n{output or '(nothing)'}"
    elsewhere = [error for error in errors if error[0] != case.marked_line]
    if elsewhere:
        return f"errors not at line {case.marked_line}: {elsewhere}\n{output}"
    return None if status else f"an error, but exit status 0:\n{output}"


def check_mistake(case, compiler, flags):
    command = [compiler, "-std=gnu11", *WARNINGS, *flags, "-D_GNU_SOURCE", f"-DCASE_{case.name}",
               "-isystem", str(ROOT / "include"), "-c", str(case.path), "-o", "/dev/null"]
    if compiler == "clang":
        command += EFFECTS
    if compiler in case.warnings:
        command += ["-Werror"]
    status, output = run(command)
    return judge(case, case.expected[compiler], errors_of(output, case.path), status, output)


def check_fixed(case, compiler, flags):
    command = [compiler, "-std=gnu11", *WARNINGS, *flags, "-D_GNU_SOURCE", f"-DCASE_{case.name}",
               "-DFIXED", "-I", str(ROOT / "include"), "-c", str(case.path), "-o", "/dev/null"]
    if compiler == "clang":
        command += EFFECTS
    status, output = run(command)
    if status or output.strip():
        return f"the fixed twin was to compile silently, but:\n{output}"
    return None


def check_editor(case, flags):
    expected = case.expected.get("editor", case.expected["clang"])
    with tempfile.TemporaryDirectory(prefix="bide_editor_") as folder:
        copy = pathlib.Path(folder) / case.path.name
        shutil.copy(case.path, copy)
        (pathlib.Path(folder) / "compile_flags.txt").write_text("\n".join(
            ["-std=gnu11", *WARNINGS, *flags, *EFFECTS, *(["-Werror"] if case.warnings else []),
             "-D_GNU_SOURCE", f"-DCASE_{case.name}", "-isystem", str(ROOT / "include")]) + "\n")
        _, output = run(["clangd", f"--check={copy}", f"--check-lines={case.marked_line}"], folder)
    if "Building AST" not in output:
        return f"clangd did not read the file:\n{output}"
    errors = [(int(m["line"]), m["text"]) for m in map(EDITOR.match, output.splitlines())
              if m and m["name"] != "fatal_too_many_errors"]
    shown = "\n".join(f"  line {line}: {text}" for line, text in errors)
    return judge(case, expected, errors, 1 if errors else 0, shown)


def check(case, compiler, flags):
    problem = case.problem()
    if problem:
        return problem
    try:
        if compiler == "clangd":
            return check_editor(case, flags)
        return check_mistake(case, compiler, flags) or check_fixed(case, compiler, flags)
    except subprocess.TimeoutExpired:
        return f"{compiler} did not end within {TIMEOUT_S} s"


def edited(cases):
    """Those that an editor is asked about: it reads them as clang does, so a part is enough, and
    all of which something else is said."""
    return [case for i, case in enumerate(cases) if i % 4 == 0 or "editor" in case.expected]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="only cases whose title contains this")
    parser.add_argument("--cc", choices=["gcc", "clang", "clangd"], action="append")
    parser.add_argument("-v", action="store_true", help="print the passed ones too")
    arguments = parser.parse_args()
    flags = user_flags()
    cases = [case for path in sorted(CASES.glob("*.c")) for case in read_cases(path)
             if arguments.only in f"{path.stem}/{case.name}"]
    if not cases:
        sys.exit("run_compile_fail.py: no such case")
    passed = failed = skipped = 0
    jobs = {}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for compiler in arguments.cc or ["gcc", "clang", "clangd"]:
            if shutil.which(compiler):
                for case in cases if compiler != "clangd" or arguments.cc else edited(cases):
                    jobs[pool.submit(check, case, compiler, flags)] = (case, compiler)
            elif os.environ.get("CI") == "true":
                print(f"FAIL {compiler} is not installed")
                failed += len(cases)
            else:
                print(f"skip {compiler} is not installed")
                skipped += len(cases)
        for job, (case, compiler) in jobs.items():
            problem = job.result()
            if problem:
                print(f"FAIL {case.title} {compiler}: {problem.rstrip()}")
                failed += 1
            else:
                if arguments.v:
                    print(f"ok   {case.title} {compiler}")
                passed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
