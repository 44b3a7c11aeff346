#!/usr/bin/env python3
"""Runs what docs/pitfalls shows: each mistake elsewhere, and what bide says to it.

    run_pitfalls.py             checks the pages; prints `pitfalls: N/N rows`
    run_pitfalls.py --write     writes the generated blocks and docs/pitfalls/documents anew

A page of docs/pitfalls is prose with blocks between `<!-- WORD NAME -->` and `<!-- end -->`:

    python           the code of the block is run by this Python; what it prints follows
    program PATH     the program is compiled as a user would, and run; its code and what it prints
    look PATH        the program is started, stands still, and is looked at by `bide tree`
    refused FILE/CASE    a case of tests/compile_fail and both compilers' words (docs/errors.md)
    test PATH: NAME  a test of the tree, quoted; ./dev test runs it
    check PATH       what `bide check` says of a file
    trial PATH       a test of a file, run by the test kit, that must fail: what it reports
    later            what is not caught yet: its rows do not count

The tables of docs/pitfalls/README.md are the rows. A row holds if its page does, and if something
on it is bide's. Uses BIDE_BUILD (the library, the command) and CC.
"""
import argparse
import concurrent.futures
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BIDE_BUILD", ROOT / "build" / "release"))
COMPILER = os.environ.get("CC", "cc").split()
PAGES = ROOT / "docs" / "pitfalls"
MISTAKES = ROOT / "docs" / "internals" / "mistakes_made_impossible.md"
BLOCK = re.compile(r"<!-- (python|program|look|refused|test|check|trial|later)(?: ([^\n]*?))? -->\n"
                   r"(.*?)<!-- end -->\n", re.DOTALL)
HEADS = ("| pitfall | caught | page |", "| bug | page |")
ROW = re.compile(r"^\| (.*?) \| (?:.* \| )?\[[^\]]*\]\(([\w/]+\.md)\) \|$", re.MULTILINE)
TWIN = "In bide: ["  # and the name of a program that tests/run_documents.py holds
NAMED = re.compile(r"`([\w/]+)/(\w+): (\w+)`")
TITLE_BYTES = 40
# What runs in vain on an overloaded machine is run again: the watchdog draws no conclusions there.
TRIES = 10


def load(path):
    """Another script of this tree as a module."""
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None:
        spec = importlib.util.spec_from_loader(
            path.stem, importlib.machinery.SourceFileLoader(path.stem, str(path)))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


documents = load(ROOT / "tests" / "run_documents.py")
errors = load(ROOT / "tools" / "gen_errors")


def fence(language, text):
    """A fenced block."""
    return f"```{language}\n{text.strip(chr(10))}\n```\n"


# Where this Python stands, and the line in a file of its library.
LIBRARY_LINE = re.compile(r"/\S*/(asyncio/\w+\.py):\d+")
# The head of a line of the log: its time and its place in the library are not shown.
LOG_HEAD = re.compile(r"^[-\d]+T[:.\d]+Z ([A-Z]+ (?:\[.*?\] )?)\w+\.c:\d+ ", re.MULTILINE)


class Tools:
    """What all blocks need; made once."""

    def __init__(self, folder):
        self.folder = folder
        self.flags = documents.user_flags()
        cases = errors.load_cases()
        self.cases = {case.title: case for path in sorted(cases.CASES.glob("*.c"))
                      for case in cases.read_cases(path)}
        page = errors.PAGE.read_text(encoding="utf-8")
        self.messages = errors.messages_of(page, list(self.cases.values())) or {}


# ---- the blocks: each gives its text, made anew --------------------------------------------------
def python_block(_tools, _name, old):
    """The code stays; what it prints is new."""
    code = re.match(r"```python\n(.*?)^```$", old, re.MULTILINE | re.DOTALL)
    if not code:
        return "lacks its code\n"
    if sys.version_info < documents.TWIN_PYTHON:
        return old
    with tempfile.TemporaryDirectory(prefix="bide-pitfalls-") as folder:
        pathlib.Path(folder, "app.py").write_text(code[1], encoding="utf-8")
        done = subprocess.run([sys.executable, "-B", "app.py"], cwd=folder, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=documents.TIMEOUT_S, check=False)
    out = LIBRARY_LINE.sub(r"\1", done.stdout.replace(folder + "/", ""))
    return fence("python", code[1]) + fence("text", out or "(nothing)")


def program_block(tools, name, _old):
    """A whole program and what it prints."""
    path = ROOT / name
    out = ""
    for _ in range(TRIES):
        problem, out, said, _ = documents.build_and_run(path, tools.folder, tools.flags)
        if problem:
            return problem
        out += said
        if out:
            break
    built = name.replace("/", "-").removesuffix(".c")
    code = re.sub(r"\A/\*.*?\*/\n", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    out = LOG_HEAD.sub(r"\1", out.replace(built, path.stem))
    return fence("c", code) + fence("text", out or "(nothing)")


def task_line(task):
    """A task of `bide tree --json` in what is the same in each run."""
    waits = task["waits_for"] or {}
    at = task["at"] or {"file": "?", "line": 0}
    words = [f"#{task['id']} {task['name']}", task["state"], waits.get("verb"), waits.get("noun"),
             f"'{waits['name']}'" if waits.get("name") else None, f"at {at['file']}:{at['line']}",
             f"held by #{waits['holder']}" if waits.get("holder") else None,
             "no deadline!" if waits.get("lacks_deadline") else None]
    return "  " * (task["parent"] is not None) + " ".join(word for word in words if word)


def look_block(tools, name, _old):
    """A program that says a line and stands still, as it is seen from outside."""
    path = ROOT / name
    output = pathlib.Path(tools.folder) / ("look-" + path.stem)
    _, said, status = documents.execute(
        [*COMPILER, "-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", *tools.flags,
         "-Iinclude", name, "-o", str(output), *documents.library_flags()])
    if status:
        return said
    program = subprocess.Popen([str(output)], cwd=ROOT, stdin=subprocess.DEVNULL, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        line = program.stdout.readline()
        for _ in range(TRIES):  # its tasks are on their way to their waits
            seen, said, status = documents.execute(
                [str(BUILD / "cli" / "bide"), "tree", str(program.pid), "--json"])
            tasks = json.loads(seen)["tasks"] if status == 0 else []
            if tasks and all(task["state"] == "waiting" for task in tasks):
                break
    finally:
        program.kill()
        program.communicate()
    code = re.sub(r"\A/\*.*?\*/\n", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return fence("c", code) + fence("text", line + "\n".join(map(task_line, tasks)) + said)


def refused_block(tools, name, _old):
    """A case of tests/compile_fail, which tests/run_compile_fail.py holds."""
    case = tools.cases.get(name)
    if not case or name not in tools.messages:
        return f"there is no case {name}\n"
    wrong, right = errors.code_of(case)
    lines = [fence("c", f"/* refused */\n{wrong}\n/* right */\n{right}")]
    for compiler in errors.COMPILERS:
        text = tools.messages[name][compiler]
        lines.append(f"- {compiler}: " + (f"`` {text} ``\n" if text else "accepts it\n"))
    return "".join(lines)


def test_block(_tools, name, _old):
    """A test as it stands in its file."""
    path, _, title = name.partition(": ")
    source = ROOT / path
    text = source.read_text(encoding="utf-8") if source.is_file() else ""
    found = re.search(rf"^[A-Z_]+\({title}[,)].*?^}}$", text, re.MULTILINE | re.DOTALL)
    return fence("c", found[0]) if found else f"there is no test {name}\n"


def check_block(_tools, name, _old):
    """What `bide check` says."""
    out, said, status = documents.execute([str(BUILD / "cli" / "bide"), "check", name, "--code"])
    return (fence("c", (ROOT / name).read_text(encoding="utf-8").partition("*/\n")[2])
            + fence("text", f"{out}{said}(exit status {status})"))


def trial_block(tools, name, _old):
    """A test that must fail, in the harness of the test kit."""
    path = ROOT / name
    problem, out, said, status = documents.build_and_run(path, tools.folder, tools.flags)
    if problem or status == 0:
        return problem or f"{name} did not fail:\n{out}{said}"
    code = re.sub(r"\A/\*.*?\*/\n", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    built = f"{tools.folder}/{name.replace('/', '-').removesuffix('.c')}"
    return fence("c", code) + fence("text", (out + said).replace(built, f"./{path.stem}"))


def later_block(_tools, _name, old):
    """Words only."""
    return old


BLOCKS = {"python": python_block, "program": program_block, "look": look_block,
          "refused": refused_block,
          "test": test_block, "check": check_block, "trial": trial_block, "later": later_block}


# ---- the pages of the documents' own mistakes ----------------------------------------------------
def held_by(text):
    """The blocks that the last column of a row of mistakes_made_impossible.md asks for."""
    for folder, file, name in NAMED.findall(text):
        if folder == "compile_fail":
            yield f"<!-- refused {file}/{name} -->\n<!-- end -->\n"
        else:
            path = documents.source_of_test(folder, file).relative_to(ROOT)
            yield f"`{path}`:\n\n<!-- test {path}: {name} -->\n<!-- end -->\n"


def twins(text):
    """The documents' code that shows the mistake, in Python, with what it prints."""
    for letter, number in re.findall(r"\b([A-E])(\d+)\b", re.sub("`.*?`", "", text)):
        for path in sorted(documents.DOCUMENTS.glob(f"{letter}*.c")):
            program = documents.Program(path)
            if f"{letter}{number}" in program.rows:
                yield program


def document_pages():
    """(name, text without generated blocks) of the pages that the table of mistakes makes."""
    table = MISTAKES.read_text(encoding="utf-8")
    for number, mistake, held in re.findall(r"^\| (\d+) \| (.*?) \| (.*) \|$", table, re.MULTILINE):
        parts = [f"# {number}: {mistake}\n\nGenerated by `tests/run_pitfalls.py --write` from "
                 "[mistakes_made_impossible](../../internals/mistakes_made_impossible.md).\n"]
        for program in dict.fromkeys(twins(held)):
            text = {label: part for part in program.paragraphs for label in documents.LABELS
                    if part.startswith(label)}
            code = program.path.with_suffix(".py").read_text(encoding="utf-8")
            out = program.path.with_suffix(".py.out").read_text(encoding="utf-8")
            parts.append(f"## {program.name}\n\n" + "\n\n".join(
                textwrap.fill(text[label], 120) for label in documents.LABELS) + "\n\n"
                + f"In Python (`{program.path.with_suffix('.py').relative_to(ROOT)}`):\n\n"
                + fence("python", code) + fence("text", out)
                + f"{TWIN}{program.name}](../../from-the-documents.md), run and compared by "
                  "`tests/run_documents.py`.\n")
        blocks = list(held_by(held))
        if blocks:
            parts.append("## Held by\n\n" + "\n".join(blocks))
        yield f"documents/{int(number):02}.md", "\n".join(parts)


# ---- checking ------------------------------------------------------------------------------------
def blocks_of(text):
    """The blocks of a page, as (word, name, text)."""
    return [(found[1], found[2], found[3]) for found in BLOCK.finditer(text)]


def made(tools, text, pool):
    """A page with its blocks made anew."""
    jobs = [pool.submit(BLOCKS[word], tools, name, old) for word, name, old in blocks_of(text)]
    answers = iter([job.result() for job in jobs])

    def put(found):
        head = found[0][:found[0].index("-->\n") + 4]
        return head + next(answers) + "<!-- end -->\n"
    return BLOCK.sub(put, text)


def same(one, other):
    """Whether two makings of a block say the same: see run_documents.stable."""
    split = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    if split.sub("", one) != split.sub("", other):
        return False
    pairs = list(zip(split.findall(one), split.findall(other)))
    return all(documents.stable(a) == documents.stable(b) for a, b in pairs)


def difference(page, new):
    """What is stale on a page, or None."""
    for (word, name, old), (_, _, text) in zip(blocks_of(page), blocks_of(new)):
        if word != "later" and "```" not in text:
            return f"{word} {name}: {text}"
        if not same(old, text):
            return f"{word} {name}: the page says\n{old}--- but it is\n{text}"
    return None


def lacking(text):
    """The tool that a page needs and this machine has not, or None."""
    needs = {"clang": "<!-- check "}
    return next((tool for tool, mark in needs.items() if mark in text and not shutil.which(tool)),
                None)


def own_pages():
    """The pages that are written by hand."""
    return sorted(path for path in PAGES.glob("*.md") if path.name != "README.md")


def write(tools, pool):
    """All generated blocks, and the pages that have nothing else."""
    (PAGES / "documents").mkdir(exist_ok=True)
    for path in own_pages():
        text = path.read_text(encoding="utf-8")
        path.write_text(made(tools, text, pool), encoding="utf-8")
    for name, text in document_pages():
        (PAGES / name).write_text(made(tools, text, pool), encoding="utf-8")


def check(tools, pool):
    """Gives (the pages that hold, those that do not, those that cannot be checked here)."""
    good, bad, skipped = set(), set(), set()
    generated = dict(document_pages())
    for path in [*own_pages(), *(PAGES / name for name in generated)]:
        name = path.relative_to(PAGES).as_posix()
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        tool = lacking(text)
        if tool and os.environ.get("CI") != "true":
            print(f"skip {name}: {tool} is not installed")
            skipped.add(name)
            continue
        problem = difference(text, made(tools, text, pool))
        if name in generated:
            source = BLOCK.sub(lambda found: found[0].replace(found[3], ""), text)
            if source != generated[name]:
                problem = "it is stale: run tests/run_pitfalls.py --write"
        if not set(word for word, _, _ in blocks_of(text)) - {"python"} and not (
                name in generated and TWIN in text):
            problem = problem or "it shows nothing of bide"
        if problem:
            print(f"FAILED docs/pitfalls/{name}: {problem}")
        (bad if problem else good).add(name)
    return good, bad, skipped


def check_rows(good):
    """The rows of README.md: (how many hold, all of them); prints what does not."""
    text = (PAGES / "README.md").read_text(encoding="utf-8")
    rows = ROW.findall(text)
    lost = [line for line in text.splitlines() if line.startswith("|")
            and line not in HEADS and not ROW.match(line) and line.strip("|-")]
    held = 0
    for title, page in rows:
        path = PAGES / page
        body = path.read_text(encoding="utf-8") if path.is_file() else ""
        if any(word == "later" for word, _, _ in blocks_of(body)):
            print(f"not yet caught: {title}")
        elif page in good:
            held += 1
    unread = {path.relative_to(PAGES).as_posix() for path in PAGES.rglob("*.md")}
    unread -= {page for _, page in rows} | {"README.md", "documents/README.md"}
    return held, len(rows), lost, sorted(unread)


def main():
    """Exit status 1 if anything failed."""
    parser = argparse.ArgumentParser(description="run what docs/pitfalls shows")
    parser.add_argument("--write", action="store_true", help="write the generated blocks anew")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bide-pitfalls-") as folder, \
            concurrent.futures.ThreadPoolExecutor(2) as pool:
        tools = Tools(folder)
        if arguments.write:
            write(tools, pool)
            return 0
        good, bad, skipped = check(tools, pool)
    held, count, lost, unread = check_rows(good)
    for line in lost:
        print(f"FAILED docs/pitfalls/README.md: no page in the row: {line}")
    for name in unread:
        print(f"FAILED docs/pitfalls/README.md: no row has {name}")
    print(f"pitfalls: {held}/{count} rows")
    failed = len(bad) + len(lost) + len(unread)
    print(f"{len(good)} passed, {failed} failed, {len(skipped)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
