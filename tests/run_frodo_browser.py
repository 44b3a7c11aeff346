#!/usr/bin/env python3
"""Uses the application as people do, in a headless chromium; see browser/README.md.

Starts it in a scratch folder, as run_frodo.py does, and lets browser/frodo.mjs visit it with
playwright-core. What the pages looked like is below the build folder: screenshots/. Called by
tools/run_tests, which builds "apps/frodo" for it: once, since pages change with no build. Ends with
the closing line.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

from run_frodo import BUILD, ROOT, Site, run

NPM = BUILD.resolve().parent / "npm"
PLAYWRIGHT = NPM / "node_modules/playwright-core"
SCREENSHOTS = NPM.parent / "screenshots"
LIMIT_S = 240
ADMIN = {"username": "merry", "password": "a pony for the long road"}


def visit(settings, folder):
    """Prints what the visitors found; gives [passed, failed, skipped]."""
    process = subprocess.Popen(["node", "tests/browser/frodo.mjs"], cwd=ROOT, text=True,
                               env=dict(os.environ, TMPDIR=folder), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    # SIGTERM: playwright ends its browser, then itself.
    timer = threading.Timer(LIMIT_S, process.terminate)
    timer.start()
    counts = None
    try:
        process.stdin.write(json.dumps(settings))
        process.stdin.close()
        for line in process.stdout:
            closing = re.match(r"(\d+) passed, (\d+) failed, (\d+) skipped$", line)
            if closing:
                counts = [int(count) for count in closing.groups()]
            else:
                print(line, end="")
        process.wait()
    finally:
        timer.cancel()
        process.kill()
        process.stdout.close()
    if not counts:
        print(f"FAILED: the visitors did not come to their end, status {process.returncode}")
    return counts or [0, 1, 0]


def main():
    """Exit status 1 if anything failed."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    lacking = [name for name, found in (("chromium", chromium), ("node", shutil.which("node")),
                                        (str(PLAYWRIGHT), PLAYWRIGHT.is_dir())) if not found]
    if lacking:
        ci = os.environ.get("CI") == "true"
        print(f"{'FAILED' if ci else 'skip'}: lacks {', '.join(lacking)}: ./dev deps test")
        print(f"0 passed, {int(ci)} failed, {int(not ci)} skipped")
        return int(ci)
    shutil.rmtree(SCREENSHOTS, ignore_errors=True)
    SCREENSHOTS.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="bide-frodo-", ignore_cleanup_errors=True) as folder:
        status, _, said = run(folder, "init")
        assert status == 0, said
        status, _, said = run(folder, "adduser", "--admin", ADMIN["username"],
                              "merry@shire.example", given=ADMIN["password"] + "\n")
        assert status == 0, said
        with Site(folder) as site:
            counts = visit({"url": site.url, "chromium": chromium, "npm": str(NPM),
                            "screenshots": str(SCREENSHOTS), "admin": ADMIN,
                            "swagger": bool(os.environ.get("BIDE_SWAGGER_UI"))}, folder)
    print("%d passed, %d failed, %d skipped" % tuple(counts))
    return 1 if counts[1] else 0


if __name__ == "__main__":
    sys.exit(main())
