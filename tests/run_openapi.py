#!/usr/bin/env python3
"""Asks public validators about the OpenAPI document of an application; see openapi/README.md.

Called by tools/run_tests with BIDE_BUILD (the library, and beside it npm/node_modules) and CC.
"""
import copy
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BIDE_BUILD", ROOT / "build" / "debug")).resolve()
COMPILER = os.environ.get("CC", "cc").split()
NPM = BUILD.parent / "npm"
VALIDATOR = NPM / "node_modules/@seriousme/openapi-schema-validator"
TIMEOUT_S = 60


def run(command, **options):
    """Runs a command; its output, or an exception with what it said."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S,
                          check=False, **options)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}"[-4000:])
    return done.stdout


def ask_application(folder):
    """The document, and the replies as [operation, status, body]."""
    text = (BUILD / "meson-private" / "bide.pc").read_text(encoding="utf-8")
    private = re.search(r"^Libs.private: (.*)$", text, re.MULTILINE)[1].split()
    program = pathlib.Path(folder) / "app"
    run([*COMPILER, "-std=gnu11", "-fexceptions", "-Wall", "-Wextra", "-Werror",
         "-Wno-unused-parameter", "-Iinclude", "tests/openapi/app.c", "-o", str(program),
         str(BUILD / "src/libbide.a"), *private, "-pthread"])
    first, *lines = run([str(program)]).splitlines()
    return json.loads(first), [line.split(" ", 2) for line in lines]


def broken(document):
    """(what is wrong with it, a copy of the document in which it is)."""
    def change(what, *path, value=None):
        changed = copy.deepcopy(document)
        place = changed
        for key in path[:-1]:
            place = place[key]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value
        return what, changed

    post = ("components", "schemas", "post_out")
    get_post = ("paths", "/posts/{id}", "get")
    yield change("no title", "info", "title")
    yield change("no version of OpenAPI", "openapi")
    yield change("a place of no parameter", *get_post, "parameters", 0, "in", value="bodyy")
    yield change("a path parameter that may be absent", *get_post, "parameters", 0, "required",
                 value=False)
    yield change("a parameter that the path has not", *get_post, "parameters", 0, "name",
                 value="other")
    yield change("a security scheme that is not there", "components", "securitySchemes", "bearer")
    yield change("a security scheme of no type", "components", "securitySchemes", "basic", "type",
                 value="secret")
    yield change("a reply without a description", *get_post, "responses", "200", "description")
    yield change("an unknown type", *post, "properties", "title", "type", value="text")
    yield change("an unknown keyword", *post, "properties", "title", "maxLen", value=3)
    yield change("a model that is not there", "components", "schemas", "tag")
    yield change("one operation twice", *get_post, "operationId", value="list_posts")
    yield change("another type than the replies have", *post, "properties", "stars",
                 value={"type": "string"})
    yield change("a status that nobody promised", *get_post, "responses", "404")


def misplaced_keys(document):
    """Operations whose API key is documented in another place than where they look for it."""
    wrong = []
    for path, place in (("/by_all", "header"), ("/by_query_key", "query"),
                        ("/by_cookie_key", "cookie")):
        schemes = [document["components"]["securitySchemes"][name]
                   for way in document["paths"][path]["get"]["security"] for name in way]
        if place not in [scheme.get("in") for scheme in schemes]:
            wrong.append(f"{path} has {schemes}")
    return wrong


def main():
    """Exit status 1 if the document is refused, or a broken one is not."""
    lacking = [name for name, found in (("node", shutil.which("node")),
                                        (str(VALIDATOR), VALIDATOR.is_dir())) if not found]
    if lacking:
        ci = os.environ.get("CI") == "true"
        print(f"{'FAILED' if ci else 'skip'}: lacks {', '.join(lacking)}: ./dev deps test")
        print(f"0 passed, {int(ci)} failed, {int(not ci)} skipped")
        return int(ci)
    with tempfile.TemporaryDirectory(prefix="bide-openapi-") as folder:
        document, replies = ask_application(folder)
    cases = [("the document", document), *broken(document)]
    asked = {"documents": [{"name": name, "document": one, "replies": replies}
                           for name, one in cases]}
    answers = json.loads(run(["node", "tests/openapi/validate.mjs", str(NPM)],
                             input=json.dumps(asked)))
    failed = 0
    for name, _ in cases:
        good = bool(answers[name]) == (name != "the document")
        failed += not good
        said = "; ".join(answers[name])[:600] or "accepted"
        print(f"{'ok' if good else 'FAILED'} {name}: {said}")
    wrong = misplaced_keys(document)
    failed += bool(wrong)
    print(f"{'FAILED' if wrong else 'ok'} API keys are where they are said to be {wrong or ''}")
    print(f"{len(cases) + 1 - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
