#!/usr/bin/env python3
"""Runs `bide check` and `bide migrate` as users do: on programs, folders and databases.

Called by tools/run_tests with BIDE_BUILD and CC in the environment. Each check is a function whose
name begins with check_. Ends with the closing line.

usage: run_check.py [NAME]   only checks whose name contains it
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BIDE_BUILD", ROOT / "build/release"))
CC = os.environ.get("CC", "cc").split()
BIDE = str(BUILD / "cli/bide")
CASES = ROOT / "tests/check"
PATIENCE_S = 60
SETTINGS = ("BIDE_", "APP_", "DATABASE_URL", "CFLAGS", "LDFLAGS", "LDLIBS", "XDG_")


def environment(**more):
    """That of this process, without what would change a program, and with its own cache."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    return {**kept, "XDG_CACHE_HOME": FOLDER + "/cache", **more}


HAS_CLANG = shutil.which("clang") is not None
FOLDER = ""
LIBRARY = {}


def run(*arguments, cwd=None, **more):
    """Runs the command to its end; gives (status, stdout, stderr)."""
    linked = LIBRARY if str(CASES / "app.c") in arguments else {}
    done = subprocess.run([BIDE, *arguments], env=environment(**linked, **more), text=True,
                          cwd=cwd or FOLDER, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=PATIENCE_S)
    return done.returncode, done.stdout, done.stderr


def expect(good, *shown):
    """A check of a check."""
    if not good:
        raise AssertionError("\n".join(str(one) for one in shown) or "it does not hold")


def build_library():
    """The shared library that app.c is linked with."""
    flags = ["-std=gnu11", "-fexceptions", "-fPIC", "-shared", f"-I{ROOT}/include"]
    subprocess.run([*CC, *flags, str(CASES / "library.c"), "-o", FOLDER + "/liblibrary.so"],
                   check=True, env=environment())
    LIBRARY["LDLIBS"] = f"-L{FOLDER} -llibrary -Wl,-rpath,{FOLDER}"


def expected(*names):
    """The findings that comments announce: (file, line, message), in order."""
    found = []
    for name in names:
        lines = (CASES / name).read_text(encoding="utf-8").split("\n")
        waiting = []
        for number, line in enumerate(lines, 1):
            announced = re.match(r"\s*/\* expect: (.*) \*/$", line)
            if announced:
                waiting.append(announced.group(1))
            else:
                found += [(name, number, message) for message in waiting]
                waiting = []
    return found


def findings(text):
    """The findings of an output as (file, line, message)."""
    rows = [re.match(r"(\S+?):(\d+): (.*)$", line) for line in text.split("\n")]
    return [(pathlib.Path(row.group(1)).name, int(row.group(2)), row.group(3))
            for row in rows if row]


# ---- the code ---------------------------------------------------------------------------------
def marked(path):
    """What a file's marks `// <- RULE RULE` ask for: (line, rule)."""
    found = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found += [(number, rule) for rule in text.partition("// <- ")[2].split()]
    return sorted(found)


def needs_clang(findings):
    """Those that are found without clang too, where there is none."""
    return findings if HAS_CLANG else [one for one in findings
                                       if one[1] not in ("await-outside-a-task",
                                                         "await-in-no-await")]


def check_every_rule_is_found_where_it_is():
    path = CASES / "code.c"
    status, out, err = run("check", str(path), "--code")
    found = sorted((int(line), rule) for line, rule in
                   re.findall(r"code\.c:(\d+): .* \[([\w-]+)\]$", out, re.MULTILINE))
    expect(found == needs_clang(marked(path)), out, marked(path))
    expect(status == (1 if HAS_CLANG else 2) and len(err.splitlines()) == (not HAS_CLANG), err)
    rows = json.loads(run("check", str(path), "--code", "--json")[1])
    expect(sorted((row["line"], row["rule"]) for row in rows) == found, rows)


def check_the_page_has_every_rule():
    named = {rule for name in ("check.c", "rules.c", "call_rules.c") for rule in
             re.findall(r'"([a-z]+(?:-[a-z]+)+)"', (ROOT / "cli" / name).read_text("utf-8"))}
    page = (ROOT / "docs/check.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)
    expect(sorted(rows) == sorted(named), rows, named)


def check_without_clang_that_is_said():
    compiler = shutil.which(CC[0])
    status, out, err = run("check", str(CASES / "code.c"), "--code", PATH="/nowhere", CC=compiler)
    expect(status == 2 and len(err.splitlines()) == 1 and "no clang here" in err, status, err)
    expect("[busy-wait]" in out, out)


def check_compile_commands_say_which_files_and_how():
    folder = pathlib.Path(FOLDER) / "built"
    (folder / "src").mkdir(parents=True)
    text = """#include <bide/bide.h>
#ifndef WANTED
#error not with the flags of the file
#endif
async(int) count(void);
int plain(void);
int plain(void) { return await(count()); }
"""
    for name in ("one.c", "two.c", "src/three.c"):
        (folder / name).write_text(text)
    flags = f"-std=gnu11 -fexceptions -I{ROOT}/include -DWANTED=\\\"1\\\" -fconserve-stack " \
            "--param inline-unit-growth=9 -fno-gcse-after-reload -Wnothing -MD -MF x.d -o x.o -c"
    entries = [{"directory": str(folder), "command": f"gcc {flags} one.c", "file": "one.c",
                "output": "x.o"},
               {"directory": str(folder / "src"), "file": "three.c",
                "arguments": ["ccache", "gcc", *flags.replace("\\", "").split(), "three.c"]}]
    (folder / "compile_commands.json").write_text(json.dumps(entries, indent=1))
    status, out, err = run("check", ".", "--code", cwd=folder)
    if HAS_CLANG:
        expect(status == 1 and re.findall(r"^[\w/]+\.c:7: 'count' waits", out, re.MULTILINE)
               == ["one.c:7: 'count' waits", "src/three.c:7: 'count' waits"], out, err)
    expect("2 files, " in out, out)
    (folder / "compile_commands.json").write_text(json.dumps(entries + entries))
    expect("2 files, " in run("check", ".", "--code", cwd=folder)[1])
    for nothing in [], [{**entries[0], "directory": "/nowhere"}]:  # as if it were not there
        (folder / "compile_commands.json").write_text(json.dumps(nothing))
        status, out, err = run("check", ".", "--code", cwd=folder)
        expect(status in (1, 2) and re.search(r"^[1-9]\d* files?, ", out, re.MULTILINE), out, err)
    (folder / "compile_commands.json").write_text('[{"file": 3}]')
    status, out, err = run("check", ".", "--code", cwd=folder)
    expect(status == 2 and "is no compile_commands.json" in err, err)


def check_what_clang_could_not_look_at_is_a_finding():
    folder = pathlib.Path(FOLDER) / "unlooked"
    folder.mkdir()
    (folder / "bad.h").write_text("typedef int x;\nstatic int f(void) { return undeclared; }\n")
    (folder / "app.c").write_text('#include "bad.h"\nint main(void) { return f(); }\n')
    (folder / "good.c").write_text("int main(void) { return 0; }\n")
    gone = {"directory": "/nowhere", "command": "gcc -c good.c", "file": str(folder / "good.c")}
    here = {**gone, "directory": str(folder)}
    for file, entry, words in (("app.c", None, "undeclared"),
                               ("good.c", {**here, "command": "gcc -march=bogus -c good.c"},
                                "unknown target CPU 'bogus'"),
                               ("good.c", gone, "the folder /nowhere of compile_commands.json: No"),
                               ("good.c", here, None)):
        path = folder / "compile_commands.json"
        path.unlink(missing_ok=True)
        if entry:
            path.write_text(json.dumps([entry]))
        status, out, err = run("check", file, "--code", cwd=folder)
        if HAS_CLANG and words:
            expect(status == 1 and re.search(rf"^{file}:1: .*{re.escape(words)}.* "
                                             r"\[does-not-compile\]$", out, re.MULTILINE)
                   and err == "", status, out, err)
        elif HAS_CLANG:
            expect(status == 0, out, err)


def check_the_code_and_the_queries_are_one_list():
    folder = program("both", GOOD.replace("{ (void)await(bide_all(db, note_title",
                                          "{ while (!db); (void)await(bide_all(db, note_title"))
    (folder / "migrations").mkdir()
    (folder / "migrations/0001_notes.sql").write_text("-- migrate:up\ncreate table notes (id);\n")
    status, out, err = run("check", ".", "--json", cwd=folder)
    rows = json.loads(out)
    expect(status in (1, 2) and rows[0]["rule"] == "busy-wait" and len(rows) > 1
           and "sql" in rows[-1], out, err)


def check_the_code_of_this_tree():
    flags = f"-I{ROOT}/apps/frodo '-DFRODO_FOLDER=\"x\"'"  # as meson.build has them
    for path in ("apps/frodo", "examples/18_app.c", "examples/16_web.c"):
        out = run("check", str(ROOT / path), "--code", CFLAGS=flags)[1]
        expect(out.endswith(", 0 findings\n"), out)


# ---- check ---------------------------------------------------------------------------------------
def check_every_mistake_is_found_where_it_is():
    status, out, err = run("check", str(CASES / "app.c"), "--sql", "--migrations",
                           str(CASES / "migrations"))
    wanted = sorted(expected("app.c", "library.c"))
    got = sorted(findings(out))
    expect(got == wanted, "missing:", *sorted(set(wanted) - set(got)), "more:",
           *sorted(set(got) - set(wanted)), err)
    expect(status == 1 and err == "", status, err)
    expect(re.search(rf"^\d+ queries, {len(wanted)} findings$", out.rstrip().split("\n")[-1]), out)


QUERY = re.compile(r"\bbide_(one|maybe|first|all|exec|do|scalar|page|insert|update|upsert)\(")


def findings_alone(source):
    """`check` for a program of the tree that has a main of its own; gives what is wrong, or ""."""
    name = FOLDER + "/" + source.relative_to(ROOT).as_posix().replace("/", "-")
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-fexceptions", f"-I{ROOT}/include"]
    for command in ([*CC, *flags, "-Dmain=main_of_it", "-c", str(source), "-o", name + ".o"],
                    [*CC, *flags, f"-I{ROOT}/src", str(CASES / "alone.c"), name + ".o", "-o", name,
                     f"-L{BUILD}/src", "-lbide", "-pthread", f"-Wl,-rpath,{BUILD}/src"],
                    [name]):
        done = subprocess.run(command, text=True, env=environment(), capture_output=True,
                              cwd=FOLDER, timeout=PATIENCE_S)
        if done.returncode != 0:
            return f"{source}: {done.stdout}{done.stderr}"
    return "" if " 0 findings" in done.stdout and not done.stdout.startswith("0 queries") \
        else f"{source}: {done.stdout}"


def check_the_examples_of_this_tree():
    sources = [path for path in sorted((ROOT / "examples").rglob("*.c"))
               if QUERY.search(path.read_text(encoding="utf-8"))]
    expect(len(sources) > 5, sources)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        wrong = [text for text in pool.map(findings_alone, sources) if text]
    expect(not wrong, *wrong)


def check_the_place_in_the_text_is_marked():
    out = run("check", str(CASES / "app.c"), "--sql", "--migrations", str(CASES / "migrations"))[1]
    expect("no such column: emial\n      and emial = $2\n          ^\n" in out, out)
    expect("no such column: nmae\n    nmae = $1\n    ^\n" in out, out)
    expect('near "updaet": syntax error\n    updaet users set age = 1\n    ^\n' in out, out)


def check_json_says_the_same():
    status, out, _ = run("check", str(CASES / "app.c"), "--sql", "--json",
                         f"--migrations={CASES / 'migrations'}")
    rows = json.loads(out)
    got = sorted((pathlib.Path(row["file"]).name, row["line"], row["message"]) for row in rows)
    expect(status == 1 and got == sorted(expected("app.c", "library.c")), got)
    one = next(row for row in rows if row["message"].endswith("emial"))
    expect(one["sql"] == "delete from users\n  where id = $1\n  and emial = $2"
           and one["sql"][one["position"] - 1:].startswith("emial"), one)
    expect(any(row["column"] == "slug" for row in rows), rows)


GOOD = """#include <bide/bide.h>
MODEL(note, "notes", (i64, id, key, generated), (str, title));
VIEW(note_title, note, title);
extern async(note_list) all(bide_db *db);
async(note_list) all(bide_db *db) { (void)await(bide_all(db, note_title, ""));
    return ready(note_list, await(bide_all(db, note, "title = $1", "a"))); }
static bide_app *make_app(void) { return bide_app_new(.title = "Good"); }
int main(int argc, char **argv) { return bide_main(argc, argv, make_app); }
"""


def program(name, text):
    """A folder with one source; gives its path."""
    folder = pathlib.Path(FOLDER) / name
    folder.mkdir()
    (folder / "app.c").write_text(text, encoding="utf-8")
    return folder


def check_without_migrations_the_models_are_the_schema():
    folder = program("good", GOOD)
    said = "2 queries, 0 findings\n1 file, 0 findings\n"
    if HAS_CLANG:
        expect(run("check", cwd=folder) == (0, said, ""), run("check", cwd=folder))
    expect(run("check", "--json", cwd=folder)[1] == "[]\n", run("check", "--json", cwd=folder))
    expect(run("check", ".", "--sql", cwd=folder)[0] == 0)
    (folder / "migrations").mkdir()
    (folder / "migrations/0001_notes.sql").write_text("-- migrate:up\ncreate table notes (id);\n")
    status, out, _ = run("check", ".", "--sql", cwd=folder)
    expect(status == 1 and "app.c:6: the table 'notes' has no column 'title', which" in out, out)
    (folder / "migrations/0001_notes.sql").write_text("-- migrate:up\n\ncreate tabel notes (id);\n")
    status, out, _ = run("check", ".", "--sql", cwd=folder)
    expect(status == 1 and 'migrations/0001_notes.sql:3: near "tabel": syntax error' in out, out)


def check_an_application_that_is_wrong_is_said():
    folder = program("wrong", GOOD.replace('bide_app_new(.title = "Good")', "NULL"))
    expect(run("check", cwd=folder)[0] == 2, run("check", cwd=folder))
    expect(run("check", "--sql", cwd=folder)[0] == 0)


def check_wrong_arguments():
    app = str(CASES / "app.c")
    for arguments, words in (
            (("check", app, "--sq"), "takes no argument '--sq'"),
            (("check", app, "--migrations"), "--migrations needs a value"),
            (("migrate", app), "needs one of up, down, status, new, check"),
            (("migrate", app, "upp"), "no command 'upp'"),
            (("migrate", app, "up"), "which database?"),
            (("migrate", app, "up", "--url", "sqlite://x", "--to", "two"), "--to takes the number"),
            (("migrate", app, "new"), "needs a name"),
            (("migrate", app, "up", "more"), "takes no argument 'more'")):
        status, out, err = run(*arguments)
        expect(status == 2 and out == "" and words in err, arguments, status, out, err)
    status, out, err = run("check", app, "--migrations", "/nowhere")
    expect(status == 1 and "'/nowhere': No such file" in err, status, out, err)


# ---- migrate -------------------------------------------------------------------------------------
def migration_program(name):
    """A program beside a folder of two migrations; gives a caller of `bide migrate` in it."""
    folder = program(name, GOOD)
    (folder / "migrations").mkdir()
    (folder / "migrations/0001_notes.sql").write_text(
        "-- migrate:up\ncreate table notes (id integer primary key, title text not null);\n"
        "-- migrate:down\ndrop table notes;\n")
    (folder / "migrations/0002_tags.sql").write_text(
        "-- migrate:up\ncreate table tags (x);\n-- migrate:down\ndrop table tags;\n")

    def call(*arguments):
        return run("migrate", *arguments, cwd=folder, DATABASE_URL="sqlite://test.db")
    return folder, call


def without_times(text):
    """An output without what differs each time."""
    return re.sub(r"\d{4}-\d\d-\d\dT\S+", "TIME", re.sub(r"\(\d+ ms\)", "(N ms)", text))


def check_up_status_down():
    _, call = migration_program("steps")
    expect(call("status")[1] == f"{'0001_notes.sql':40} pending\n{'0002_tags.sql':40} pending\n",
           call("status"))
    status, out, _ = call("up", "--dry-run")
    expect(status == 0 and out == "-- 0001_notes.sql: up\ncreate table notes (id integer primary "
           "key, title text not null);\n\n-- 0002_tags.sql: up\ncreate table tags (x);\n\n", out)
    expect(without_times(call("up", "--to", "1")[1]) == "applied 0001_notes.sql (N ms)\n")
    expect(without_times(call("up")[1]) == "applied 0002_tags.sql (N ms)\n")
    expect(call("up")[:2] == (0, "nothing to do\n"))
    expect(call("up", "--to=1")[:2] == (0, "nothing to do\n"), "up takes nothing back")
    expect(call("down", "--to=7", "--dry-run")[:2] == (0, ""))
    expect(call("down", "--to=7")[:2] == (0, "nothing to do\n"), "down applies nothing")
    expect(without_times(call("status")[1]).count("applied TIME") == 2, call("status"))
    expect(call("check")[0] == 0, call("check"))
    expect(without_times(call("down")[1]) == "taken back 0002_tags.sql (N ms)\n")
    expect(without_times(call("down", "--to", "0")[1]) == "taken back 0001_notes.sql (N ms)\n")
    expect(call("down")[:2] == (0, "nothing to do\n"))
    status, out, _ = call("check")
    expect(status == 1 and "there is no table 'notes', which" in out, out)


def check_what_fails_is_one_line():
    folder, call = migration_program("fails")
    (folder / "migrations/0003_c.sql").write_text("-- migrate:up\ncreate table c (x);\nselect );\n")
    status, out, err = call("up")
    expect(status == 1 and without_times(out).count("applied") == 2
           and err == 'fails: 0003_c.sql:3: near ")": syntax error\n',
           status, out, err)
    (folder / "migrations/0001_notes.sql").write_text("-- migrate:up\n")
    status, out, err = call("status")
    expect(status == 1 and "0003_c.sql" in out and "0001_notes.sql has changed" in err, out, err)


def check_a_new_file_has_the_next_number():
    folder, call = migration_program("fresh")
    expect(call("new", "add_users") == (0, "migrations/0003_add_users.sql\n", ""))
    text = (folder / "migrations/0003_add_users.sql").read_text()
    expect(text == "-- migrate:up\n\n-- migrate:down\n", text)
    expect(call("new", "a b")[0] == 1 and "is no name" in call("new", "a/b")[2])
    expect(call("new", "first", "--migrations", "other")[1] == "other/0001_first.sql\n")


def check_processes_at_once():
    folder, call = migration_program("at_once")
    for number in range(3, 12):
        (folder / f"migrations/{number:04}_t.sql").write_text(
            f"-- migrate:up\ncreate table t{number} (x);\n")
    call("status")                      # builds the program
    command = [BIDE, "migrate", "up", "--url", "sqlite://other.db"]
    started = [subprocess.Popen(command, cwd=folder, env=environment(), text=True,
                                stdout=subprocess.PIPE) for _ in range(5)]
    outputs = [process.communicate(timeout=PATIENCE_S)[0] for process in started]
    expect(all(process.returncode == 0 for process in started), outputs)
    applied = re.findall(r"applied (\S+)", "".join(outputs))
    expect(sorted(applied) == sorted(set(applied)) and len(applied) == 11, outputs)


# ---- running -------------------------------------------------------------------------------------
def main():
    """Runs the checks; exit status 1 if one failed."""
    global FOLDER
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    checks = {name: value for name, value in globals().items()
              if name.startswith("check_") and only in name}
    failed = 0
    FOLDER = tempfile.mkdtemp(prefix="bide-check-")
    try:
        build_library()
        for name, one in checks.items():
            try:
                one()
            except (AssertionError, subprocess.SubprocessError, OSError) as error:
                failed += 1
                print(f"FAIL {name}: {error}")
    finally:
        shutil.rmtree(FOLDER)
    print(f"{len(checks) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
