#!/usr/bin/env python3
"""Runs what the documents promise: examples/documents, exercises, concepts, reports; checks pages.

    run_documents.py            what ./dev test documents runs
    run_documents.py --write    writes docs/from-the-documents.md, the quoted blocks of the docs,
                                the expected reports (docs/reports/*.err), docs/errors.md anew

Each row of the documents that is here needs: a source whose header says what the document does,
what goes wrong and what bide does; its exact output; a Python twin with its exact output; and, if
the row says "refused", a case in tests/compile_fail/documents.c. Uses BIDE_BUILD (the library) and
CC. Prints `documents: N/48 rows` before the closing line.
"""
import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BIDE_BUILD", ROOT / "build" / "release"))
COMPILER = os.environ.get("CC", "cc").split()
TIMEOUT_S = 60
TRIES = 10                      # of a program whose report the watchdog may leave out
DOCUMENTS = ROOT / "examples" / "documents"
PAGE = ROOT / "docs" / "from-the-documents.md"
TWIN_PYTHON = (3, 11)

# The rows by document, and those of them that say "refused": each of these needs a case.
DOCUMENT_TITLES = {
    "A": ("a registration route that let everyone in", 4),
    "B": ("notes on await, a user repository", 5),
    "C": ("common mistakes", 14),
    "D": ("the course chapter", 18),
    "E": ("the async part of a blog", 7),
}
REFUSED = {"A1", "B2", "B5", "C1", "C2", "C3", "C4", "C5", "C6", "C7", "C12", "D5", "D15"}
ROWS = [f"{letter}{n}" for letter, (_, count) in DOCUMENT_TITLES.items()
        for n in range(1, count + 1)]
# Functions that block a loop in these programs: the watchdog's stack must show one of them.
CULPRITS = "checksum|app|requests_get"
LABELS = ("The document:", "What goes wrong:", "In bide:")

# A whole file, which --write keeps as it is now; and parts of one, which stand in it as they are.
QUOTE = re.compile(r"(<!-- file: (\S+) -->\n```\w*\n)(.*?)(^```$)", re.MULTILINE | re.DOTALL)
PARTS = re.compile(r"<!-- from: (\S+) -->\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Checks:
    """Counts, and prints what failed."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, title, problem):
        """One check: `problem` is None when it holds."""
        if problem:
            self.failed += 1
            print(f"FAILED {title}: {problem}")
        else:
            self.passed += 1
        return not problem


class Program:
    """A row's source, or rows' that share one."""

    def __init__(self, path):
        self.path = path
        span = re.match(r"([A-E])(\d+)(?:-[A-E](\d+))?_", path.name)
        if not span:
            sys.exit(f"run_documents.py: {path.name} names no row")
        first, last = int(span[2]), int(span[3] or span[2])
        self.rows = [f"{span[1]}{n}" for n in range(first, last + 1)]
        self.name = path.stem.split("_")[0]
        comment = path.read_text(encoding="utf-8").partition("*/")[0]
        text = "\n".join(re.sub(r"^ ?\* ?", "", line) for line in comment.splitlines()[1:])
        self.paragraphs = [re.sub(r"\s*\n", " ", part).strip()
                           for part in text.strip().split("\n\n")]

    def problem(self):
        """What is missing beside the source or in its header, or None."""
        if not self.paragraphs[0].startswith(self.name + ": "):
            return f"its header does not begin with `{self.name}: `"
        for label in LABELS:
            if not any(part.startswith(label) for part in self.paragraphs):
                return f"its header has no paragraph `{label}`"
        for suffix in (".out", ".py", ".py.out"):
            if not self.path.with_suffix(suffix).is_file():
                return f"{self.path.stem}{suffix} is missing"
        if REFUSED & set(self.rows) and not self.refused():
            return "the row says refused, and tests/compile_fail/documents.c has no case of it"
        return None

    def refused(self):
        """(name, gcc's words, clang's words) of the cases of these rows."""
        text = (ROOT / "tests/compile_fail/documents.c").read_text(encoding="utf-8")
        prefix = self.name.replace("-", "_")
        return re.findall(rf"^#ifdef CASE_({prefix}_[a-z]\w*)\n// gcc: (.*)\n// clang: (.*)$", text,
                          re.MULTILINE)


def user_flags():
    """The flags that bide.pc hands out: the list `user_args` of meson.build."""
    text = (ROOT / "meson.build").read_text(encoding="utf-8")
    lists = re.findall(r"^user_args \+?= (.*?)(?=^\S)", text + "\nend", re.M | re.S)
    return re.findall(r"'(-[^']+)'", " ".join(lists))


def needed(path):
    """What pkg-config says of the package that a program needs beside bide: (lacking, flags)."""
    for word, tool in (("redis", "redis-server"), ("clang", "clang")):
        if word in beside(path) and not shutil.which(tool):
            return tool, []
    needs = path.with_suffix(".needs")
    if not needs.is_file():
        return None, []
    package = needs.read_text(encoding="utf-8").strip()
    out, errors, status = execute(["pkg-config", "--cflags", "--libs", package])
    return (errors.strip() or package) if status else None, out.split()


def beside(path):
    """What the program's .server says that it needs: redis; bide, the command; clang."""
    said = path.with_suffix(".server")
    return said.read_text(encoding="utf-8") if said.is_file() else ""


def library_flags():
    """How this build's static library is linked: its own pkg-config file says what it stands on."""
    text = (BUILD / "meson-private" / "bide.pc").read_text(encoding="utf-8")
    private = re.search(r"^Libs.private: (.*)$", text, re.MULTILINE)
    archives = [str(BUILD / "src" / name) for name in ("libbide_test.a", "libbide.a")]
    return [*archives, *private[1].split(), "-pthread", "-Wl,-z,now"]


def execute(command, cwd=ROOT, **more_environment):
    """Runs a command: (stdout, stderr, status)."""
    try:
        done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors="replace", timeout=TIMEOUT_S,
                              env={**os.environ, **more_environment})
    except subprocess.TimeoutExpired:
        return "", f"did not end within {TIMEOUT_S} s", -1
    return done.stdout, done.stderr, done.returncode


@contextlib.contextmanager
def redis_server():
    """The environment of a program that needs a Redis server: one of its own, on a socket."""
    with tempfile.TemporaryDirectory(prefix="bide-redis-") as folder:
        socket = pathlib.Path(folder) / "socket"
        server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", str(socket),
                                   "--dir", folder, "--save", ""],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            give_up_at = time.monotonic() + TIMEOUT_S
            while not socket.exists() and time.monotonic() < give_up_at:
                time.sleep(0.01)
            yield {"REDIS_URL": f"unix:{socket}"}
        finally:
            server.terminate()
            server.wait()


def build_and_run(path, folder, flags):
    """Compiles a program as a user would and runs it: (what is wrong, stdout, stderr, status).
    Paths are relative, so that reports name the same files everywhere."""
    name = path.relative_to(ROOT).as_posix()
    output = pathlib.Path(folder) / name.replace("/", "-").replace(".c", "")
    command = [*COMPILER, "-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", *flags,
               "-Iinclude", name, "-o", str(output), *library_flags(), *needed(path)[1]]
    _, errors, status = execute(command)
    if status or errors:
        return f"does not compile silently:\n{errors}", "", "", status
    commands = {"PATH": f"{BUILD / 'cli'}:{os.environ['PATH']}"}
    with redis_server() if "redis" in beside(path) else contextlib.nullcontext({}) as environment:
        return None, *execute([str(output)], **commands, **environment)


def differs(actual, path):
    """How an output differs from what the file says, or None. A missing file means nothing."""
    expected = path.read_text(encoding="utf-8") if path.is_file() else ""
    if actual == expected:
        return None
    return f"prints\n{actual}--- but {path.name} says\n{expected}"


def run_program(path, folder, flags):
    """What is wrong with a program that has a .out, and a .err if it reports something."""
    expected = path.with_suffix(".err")
    blocks = expected.is_file() and "BLOCKED" in expected.read_text(encoding="utf-8")
    for _ in range(TRIES if blocks else 1):
        problem, out, errors, status = build_and_run(path, folder, flags)
        if problem or errors:
            break
    if problem:
        return problem
    if status:
        return f"exit status {status}\n{out}{errors}"
    return differs(out, path.with_suffix(".out")) or (
        report_differs(errors, expected) if blocks else differs(errors, expected))


def run_start(path, folder, flags):
    """What is wrong with an exercise's first file: it compiles and runs, whatever it prints."""
    problem, _, errors, status = build_and_run(path, folder, flags)
    return problem or (f"exit status {status}\n{errors}" if status else None)


def stable(report):
    """A report without what differs from run to run and build to build. Debug builds abort on
    misuse after its first line; of a blocked loop's stack, compilers decide."""
    lines = report.splitlines()
    if lines and lines[0].startswith("bide: misuse: "):
        return lines[:1]
    if any("BLOCKED" in line for line in lines):
        frames = [line for line in lines if re.search(rf"#\d+ ({CULPRITS}) ", line)]
        lines = [line for line in lines if line.startswith(("bide:", "  fix:"))][:2]
        return [re.sub(r"BLOCKED \d+ ms", "BLOCKED", lines[0])] + lines[1:] + [str(bool(frames))]
    return lines


def report_differs(report, path):
    """How a report differs from what the file says, or None."""
    expected = path.read_text(encoding="utf-8")
    if stable(report) == stable(expected):
        return None
    return f"reports\n{report}--- but {path.name} says\n{expected}"


def report_of(path, folder, flags):
    """What a program of docs/reports says: (what is wrong, report). The watchdog draws no
    conclusions on an overloaded machine, so silence is asked again."""
    for _ in range(TRIES):
        problem, _, errors, _ = build_and_run(path, folder, flags)
        if problem or errors:
            break
    name = path.relative_to(ROOT).as_posix().replace("/", "-")[:-2]
    return problem, errors.replace(name, path.stem)


def run_report(path, folder, flags):
    """What is wrong with a program of docs/reports: its stderr is the report."""
    problem, report = report_of(path, folder, flags)
    return problem or report_differs(report, path.with_suffix(".err"))


def run_twin(path):
    """What is wrong with a Python twin."""
    out, errors, status = execute([sys.executable, "-B", str(path)])
    if status:
        return f"exit status {status}\n{errors}"
    return differs(out, path.with_name(path.name + ".out"))


def block(language, text):
    """A fenced block."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def render_program(program):
    """A program's part of the page."""
    def text(suffix):
        path = program.path.with_suffix(suffix)
        return path.read_text(encoding="utf-8") if path.is_file() else ""
    title, *paragraphs = program.paragraphs
    parts = [f"## {title}\n"]
    for paragraph in paragraphs:
        for label in LABELS:
            paragraph = re.sub("^" + label, f"**{label}**", paragraph)
        parts.append(paragraph + "\n")
    parts += ["In Python:\n", block("python", text(".py")), block("text", text(".py.out")),
              "In bide:\n", block("c", text(".c").partition("*/\n")[2].strip()),
              block("text", text(".out"))]
    if text(".err"):
        parts += ["and on stderr:\n", block("text", text(".err"))]
    cases = program.refused()
    if cases:
        parts.append("What does not compile (`tests/compile_fail/documents.c`):\n")
        parts.append("\n".join(f"- `{name}`: gcc `` {gcc} ``; clang `` {clang} ``"
                               for name, gcc, clang in cases) + "\n")
    return "\n".join(parts)


def render_page(programs, missing):
    """docs/from-the-documents.md."""
    parts = ["# From the documents\n",
             "Generated by `tests/run_documents.py --write` from `examples/documents`: edit the\n"
             "programs. bide is built from five documents on async Python backends, with 48\n"
             "pieces of code and remarks; each that is here runs, beside a Python twin of our\n"
             "own that shows the original behaviour. Times in seconds are virtual in C; the\n"
             "twins sleep hundredths.\n",
             f"{len(ROWS) - len(missing)} of {len(ROWS)} rows are here."
             + (f" Later, with the layers\nthat they need: {' '.join(missing)}." if missing else "")
             + "\n"]
    for letter, (title, _) in DOCUMENT_TITLES.items():
        own = [program for program in programs if program.rows[0][0] == letter]
        if own:
            parts.append(f"# {letter}: {title}\n")
            parts += [render_program(program) for program in own]
    return "\n".join(parts)


def doc_files():
    """The pages that may quote files."""
    return [path for path in (ROOT / "README.md", ROOT / "ARCHITECTURE.md",
                              *sorted((ROOT / "docs").rglob("*.md"))) if path.is_file()]


def quoted(match):
    """A quoted block with the text that its file has now."""
    text = (ROOT / match[2]).read_text(encoding="utf-8")
    return match[1] + text.rstrip("\n") + "\n" + match[4]


def unfound(page):
    """The quoted parts, between empty lines, that their files have not, or None."""
    absent = []
    for name, code in PARTS.findall(page):
        path = ROOT / name
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        absent += [f"not in {name}:\n{part}" for part in code.strip("\n").split("\n\n")
                   if f"\n{part}\n" not in f"\n{text}"]
    return "\n".join(absent) or None


def find_programs():
    """The programs of the documents, in the order of their rows."""
    programs = [Program(path) for path in DOCUMENTS.glob("*.c")]
    return sorted(programs, key=lambda program: ROWS.index(program.rows[0]))


def write(programs, missing):
    """Everything that is generated."""
    flags = user_flags()
    with tempfile.TemporaryDirectory(prefix="bide-documents-") as folder:
        for path in sorted((ROOT / "docs" / "reports").glob("*.c")):
            problem, report = report_of(path, folder, flags)
            if problem:
                sys.exit(f"run_documents.py: {path.name}: {problem}")
            path.with_suffix(".err").write_text(report, encoding="utf-8")
    PAGE.write_text(render_page(programs, missing), encoding="utf-8")
    for path in doc_files():
        text = path.read_text(encoding="utf-8")
        new = QUOTE.sub(quoted, text)
        if new != text:
            path.write_text(new, encoding="utf-8")
    return subprocess.run([str(ROOT / "tools" / "gen_errors"), "--write"]).returncode


def check_pages(checks, programs, missing):
    """Generated pages and quoted blocks are what they would be now."""
    stale = "it is stale: run tests/run_documents.py --write"
    page = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    checks.check("docs/from-the-documents.md",
                 None if page == render_page(programs, missing) else stale)
    for path in doc_files():
        text = path.read_text(encoding="utf-8")
        if QUOTE.search(text) or PARTS.search(text):
            checks.check(path.relative_to(ROOT).as_posix(),
                         unfound(text) if QUOTE.sub(quoted, text) == text else stale)
    out, errors, status = execute([sys.executable, "-B", str(ROOT / "tools" / "gen_errors"),
                                   "--check"])
    checks.check("docs/errors.md", (out + errors) if status else None)


def check_file_list(checks):
    """ARCHITECTURE.md says what each file of the first layers is for, and names no other."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for layer in ("base", "core", "sync", "io"):
        part = text.partition(f"\n## src/{layer}\n")[2].partition("\n## ")[0]
        said = set(re.findall(r"`([\w.]+)`", "\n".join(re.findall(r"^\| (`.*?) \|", part, re.M))))
        found = {path.name for path in (ROOT / "src" / layer).iterdir() if path.suffix != ".md"}
        wrong = sorted(said ^ found)
        checks.check(f"ARCHITECTURE.md, src/{layer}",
                     f"not in both the list and the folder: {wrong}" if wrong else None)


def source_of_test(folder, file):
    """Where `folder/file: NAME` of a page below docs/internals is a test."""
    if folder == "compile_fail":
        return ROOT / "tests" / folder / f"{file}.c"
    if folder.startswith("frodo"):
        return ROOT / "apps" / folder / f"{file}.c"
    return ROOT / "tests" / "unit" / folder / f"{file}.c"


def check_named_tests(checks, present):
    """What the pages of docs/internals name is there: tests, cases, rows."""
    for page in ("databases_compared.md", "mistakes_made_impossible.md"):
        text = (ROOT / "docs" / "internals" / page).read_text(encoding="utf-8")
        table = "\n".join(line for line in text.splitlines() if line.startswith("| "))
        absent = []
        for folder, file, name in re.findall(r"`([\w/]+)/(\w+): (\w+)`", table):
            path = source_of_test(folder, file)
            source = path.read_text(encoding="utf-8") if path.is_file() else ""
            if not re.search(rf"^(?:[A-Z_]+\({name}[,)]|#ifdef CASE_{name}$)", source, re.M):
                absent.append(f"{folder}/{file}: {name}")
        absent += sorted(set(re.findall(r"\b[A-E]\d+\b", re.sub("`.*?`", "", table))) - present)
        checks.check(f"docs/internals/{page}",
                     f"names what is not there: {absent}" if absent else None)


def check_readme(checks):
    """The mistake that README.md begins with is refused by this build's compiler at its line."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code = re.search(r"<!-- refused -->\n```c\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    if not checks.check("README.md, the mistake", None if code else "no block after `refused`"):
        return
    with tempfile.TemporaryDirectory(prefix="bide-documents-") as folder:
        path = pathlib.Path(folder) / "ra.c"
        path.write_text(code[1], encoding="utf-8")
        _, errors, status = execute([*COMPILER, "-std=gnu11", *user_flags(), "-isystem", "include",
                                     "-c", str(path), "-o", f"{folder}/ra.o"])
        places = re.findall(r"ra\.c(:\d+):\d+: error", errors)
        shown = re.findall(r"^ra\.c(:\d+):\d+: error", text, re.MULTILINE)
        checks.check("README.md, the answer", None if status and places == shown[:1] else
                     f"the compiler says\n{errors}")


def find_jobs(folder, programs):
    """(title, function, arguments) of all that compiles and runs."""
    flags = user_flags()
    examples = ROOT / "examples"
    for path in ([program.path for program in programs]
                 + sorted((examples / "concepts").glob("*.c"))
                 + sorted(examples.glob("exercises/*/solution.c"))):
        yield path, run_program, (path, folder, flags)
    for path in sorted(examples.glob("exercises/*/start.c")):
        yield path, run_start, (path, folder, flags)
    for path in sorted((ROOT / "docs" / "reports").glob("*.c")):
        yield path, run_report, (path, folder, flags)


def run_all(checks, programs):
    """Runs everything, two beside each other; gives the programs whose rows hold."""
    bad = set()
    with tempfile.TemporaryDirectory(prefix="bide-documents-") as folder, \
            concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = []
        for path, function, arguments in find_jobs(folder, programs):
            lacking = needed(path)[0]
            if lacking and os.environ.get("CI") != "true":
                checks.skipped += 1
                bad.add(path.stem)
                print(f"skip {path.name}: {lacking}")
            else:
                jobs.append((path, pool.submit(function, *arguments)))
        if sys.version_info >= TWIN_PYTHON:
            jobs += [(path, pool.submit(run_twin, path)) for path in sorted(DOCUMENTS.glob("*.py"))]
        else:
            checks.skipped += len(programs)
            print("skip: the Python twins need Python 3.11")
        for path, job in jobs:
            if not checks.check(path.relative_to(ROOT).as_posix(), job.result()):
                bad.add(path.stem)
    for program in programs:
        if not checks.check(program.path.name + " and what belongs to it", program.problem()):
            bad.add(program.path.stem)
    return [program for program in programs if program.path.stem not in bad]


def main():
    """Exit status 1 if anything failed."""
    parser = argparse.ArgumentParser(description="run the documents' rows, check the pages")
    parser.add_argument("--write", action="store_true", help="write the generated pages anew")
    arguments = parser.parse_args()
    programs = find_programs()
    present = {row for program in programs for row in program.rows}
    missing = [row for row in ROWS if row not in present]
    if arguments.write:
        return write(programs, missing)
    checks = Checks()
    good = run_all(checks, programs)
    check_pages(checks, programs, missing)
    check_file_list(checks)
    check_named_tests(checks, present)
    check_readme(checks)
    for task in sorted((ROOT / "examples" / "exercises").glob("[0-9]*")):
        absent = [name for name in ("task.md", "start.c", "solution.c", "solution.out")
                  if not (task / name).is_file()]
        checks.check(f"exercise {task.name}", f"lacks {', '.join(absent)}" if absent else None)
    print("rows that run: " + " ".join(row for program in good for row in program.rows))
    print("left for later issues: " + " ".join(missing))
    print(f"documents: {sum(len(program.rows) for program in good)}/{len(ROWS)} rows")
    print(f"{checks.passed} passed, {checks.failed} failed, {checks.skipped} skipped")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
