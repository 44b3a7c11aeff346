#!/usr/bin/env python3
"""Feeds tools/tidy small trees, each with one thing wrong, and a clean one.

Called by tools/run_tests. Ends with the closing line.
"""
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

# A tree without findings: the base of every case.
CLEAN = {
    "include/bide/bide.h": "#include <bide/one.h>\n",
    "include/bide/one.h": "int bide_one(void);\n",
    "src/README.md": "sources\n",
    "src/base/README.md": "base\n",
    "src/base/one.h": "int bide__one;\n",
    "src/base/one.c": '#include "base/one.h"\n#include <bide/one.h>\nint bide_one(void)\n{\n}\n',
    "src/core/README.md": "core\n",
    "src/core/two.h": "int bide__two;\n",
    "src/core/two.c": '#include "two.h"\n#include "base/one.h"\n',
    "tests/README.md": "tests\n",
    "tests/unit/README.md": "unit\n",
    "tests/unit/base/one_test.c": "int main(void)\n{\n}\n",
    "examples/README.md": "examples\n",
    "examples/hello.c": "#include <bide/bide.h>\n",
}


def function(lines):
    """A function whose body has so many lines, braces included."""
    return "int bide_long(void)\n{\n" + "    step();\n" * (lines - 2) + "}\n"


# Title, files added or changed, the findings: none, or the beginning of each line, in order.
CASES = [
    ("a clean tree", {}, []),
    ("base includes core", {"src/base/one.c": '#include "base/one.h"\n#include "core/two.h"\n'},
     ["src/base/one.c:2: 'base' may not include 'core/two.h' of 'core'"]),
    ("core includes base, and what stands beside it",
     {"src/core/three.c": '#include "two.h"\n#include "base/one.h"\n'}, []),
    ("a public header includes a higher one",
     {"include/bide/one.h": "#include <bide/two.h>\n",
      "include/bide/two.h": "int bide_two(void);\n"},
     ["include/bide/one.h:1: 'base' may not include 'bide/two.h' of 'core'"]),
    ("a layer comment moves a header down",
     {"include/bide/one.h": "#include <bide/two.h>\n",
      "include/bide/two.h": "/* Two.\n *\n * layer: base\n */\n"}, []),
    ("a public header of no layer", {"include/bide/lost.h": "int bide_lost(void);\n",
                                     "examples/b.c": "#include <bide/lost.h>\n"},
     ["include/bide/lost.h:1: belongs to no layer"]),
    ("a folder of src outside the list", {"src/misc/README.md": "x\n", "src/misc/x.c": "int x;\n"},
     ["src/misc/x.c:1: belongs to no layer"]),
    ("the umbrella inside src", {"src/core/two.c": '#include "two.h"\n#include <bide/bide.h>\n'},
     ["src/core/two.c:2: the umbrella bide.h is for users"]),
    ("a file of 800 lines", {"src/base/long.c": "int x;\n" * 800}, []),
    ("a file of 801 lines", {"src/base/long.c": "int x;\n" * 801},
     ["src/base/long.c:801: 801 lines; at most 800"]),
    ("a function of 70 lines", {"src/base/long.c": function(70)}, []),
    ("a function of 71 lines", {"src/base/long.c": function(71)},
     ["src/base/long.c:2: a function of 71 lines"]),
    ("a long test", {"tests/unit/base/one_test.c": function(80).replace(
        "int bide_long(void)", "TEST(long_one, .timeout_ms = 5)")},
     ["tests/unit/base/one_test.c:2: a function of 80 lines"]),
    ("braces in comments, literals and #else do not confuse it", {
        "src/base/long.c": "#if A\nint f(void) {\n#else\nint f(int a) {\n#endif\n"
                           "    char c = '{'; /* { */ // {\n    g(\"{\\\"{\");\n}\n"
                           + function(70)}, []),
    ("a long table is not a function", {
        "src/base/long.c": "static const int x[] = {\n" + "    1,\n" * 90 + "};\nint y = F(\n"
                           + "1,\n" * 90 + ");\n"}, []),
    ("a line of 100 columns", {"src/base/long.c": "int " + "x" * 95 + ";\n"}, []),
    ("a line of 101 columns", {"src/base/long.c": "int y;\nint " + "x" * 96 + ";\n"},
     ["src/base/long.c:2: 101 columns; at most 100"]),
    ("a compiler's long message",
     {"tests/compile_fail/x.c": "// gcc: " + "x" * 99 + "\n",
      "tests/compile_fail/README.md": "x\n"}, []),
    ("a banned call", {"src/base/long.c": "void f(char *a)\n{\n    strcpy(a, \"b\");\n}\n"},
     ["src/base/long.c:3: strcpy() is banned"]),
    ("a banned call in a public header", {"include/bide/one.h": "#define X(b) setjmp (b)\n"},
     ["include/bide/one.h:1: setjmp() is banned"]),
    ("banned words that are no calls", {
        "src/base/long.c": "/* never strcpy(a, b) */\nchar *x = \"gets(\";\nint y = bide_atoi(x);\n"
                           "int z = strtok_r(x);\n"}, []),
    ("a header nobody includes", {"src/base/alone.h": "int x;\n"},
     ["src/base/alone.h:1: no file includes this header"]),
    ("a test that nothing builds", {"tests/unit/base/two.c": "int x;\n"},
     ["tests/unit/base/two.c:1: nothing builds this file"]),
    ("an example that nothing builds",
     {"examples/deep/x.c": "int x;\n", "examples/deep/README.md": "x\n"},
     ["examples/deep/x.c:1: nothing builds this file"]),
    ("a folder without README", {"src/io/uring.c": "int x;\n"},
     ["src/io/README.md:1: missing"]),
    ("unfinished work",
     {"src/base/long.c": "int x; /* TO" "DO: more */\n", "docs/README.md": "FIX" "ME\n"},
     ["docs/README.md:1: unfinished", "src/base/long.c:1: unfinished"]),
    ("a template of mkdtemp", {"src/base/long.c": "char x[] = \"/tmp/bide-XXXXXX\";\n"}, []),
    ("paths of one machine",
     {"docs/README.md": "see /ho" "me/ann/bide\nand /t" "mp/out\nand /usr/bin\n"},
     ["docs/README.md:1: a path of one machine", "docs/README.md:2: a path of one machine"]),
]


def findings(files):
    """What tidy prints about a tree of these files, and its exit status."""
    with tempfile.TemporaryDirectory(prefix="bide-tidy-") as folder:
        for name, text in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        result = subprocess.run([sys.executable, "-B", str(ROOT / "tools/tidy"), "--root", folder],
                                capture_output=True, text=True, timeout=60)
    return result.stdout.splitlines(), result.returncode, result.stderr


def main():
    """Runs the cases; exit status 1 if one gives other findings."""
    failed = 0
    for title, files, expected in CASES:
        found, status, errors = findings({**CLEAN, **files})
        good = len(found) == len(expected) and status == (1 if expected else 0) \
            and all(line.startswith(start) for line, start in zip(found, expected))
        print(("ok " if good else "FAILED ") + title)
        if not good:
            failed += 1
            print("expected: " + "\n".join(expected) + "\nfound: " + "\n".join(found) + errors)
    print(f"{len(CASES) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
