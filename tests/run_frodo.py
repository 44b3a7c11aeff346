#!/usr/bin/env python3
"""Starts the application as ./dev run does: `frodo init`, then `frodo run`, in a scratch folder.

Called by tools/run_tests with BIDE_BUILD in the environment. Each check is a function whose name
begins with check_; what they start is ended by its pid. Ends with the closing line.

usage: run_frodo.py [NAME]   only checks whose name contains it
"""
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BIDE_BUILD", ROOT / "build/release"))
FRODO = str(BUILD / "apps/frodo")
PATIENCE_S = 30
SETTINGS = ("BIDE_", "FRODO_", "DATABASE_URL", "REDIS_URL", "SMTP_URL", "SECRET_KEY", "PUBLIC_URL",
            "CODES", "MAIL_FROM", "PORT", "WEB_CONCURRENCY", "LISTEN_")


def environment(**more):
    """That of this process, without what would change the application."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    return {**kept, **more}


def run(folder, *arguments, given="", **more):
    """Runs a command of the application to its end; gives (status, stdout, stderr)."""
    done = subprocess.run([FRODO, *arguments], cwd=folder, env=environment(**more), text=True,
                          input=given, capture_output=True, timeout=PATIENCE_S)
    return done.returncode, done.stdout, done.stderr


class Site:
    """The application, serving; `lines` is what it prints at its start."""

    def __init__(self, folder, *options):
        self.process = subprocess.Popen([FRODO, "run", "--port", "0", *options], cwd=folder,
                                        env=environment(), text=True, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith("stop:"):
                break
        found = re.search(r"^blog: +(http://\S+)/$", "\n".join(self.lines), re.MULTILINE)
        self.url = found[1] if found else ""

    def __enter__(self):
        assert self.url, self.lines
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            self.process.stdout.close()
        assert status == 0, status

    def ask(self, path, data=None, headers=None):
        """One request; gives (status, body)."""
        request = urllib.request.Request(self.url + path, data=data, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as reply:
            return reply.code, reply.read().decode()


def password_in(text):
    found = re.search(r"password (\S+) \(shown this once\)", text)
    return found[1] if found else None


def check_a_first_start_and_a_second(folder):
    status, out, err = run(folder, "init")
    assert status == 0, err
    assert re.search(r"^data: +sqlite://frodo.db, \d+ posts$", out, re.MULTILINE), out
    password = password_in(out)
    assert password and len(password) >= 20, out
    status, out, err = run(folder, "init")
    assert status == 0 and not password_in(out), out + err
    with Site(folder) as site:
        for path in ("/", "/?page=3", "/api/search?q=%E5%BC%82%E6%AD%A5", "/docs", "/healthz",
                     "/readyz"):
            status, body = site.ask(path)
            assert status == 200, (path, status, body)


def check_the_lines_of_a_start(folder):
    run(folder, "init")
    with Site(folder) as site:
        names = [line.split(":")[0] for line in site.lines]
        assert names == ["mails", "loops", "blog", "API", "examples", "inside", "stop"], site.lines


def check_accounts_from_the_command_line(folder):
    run(folder, "init")
    words = "a garden of roses\n"
    status, out, err = run(folder, "adduser", "sam", "sam@shire.example", given=words)
    assert status == 0 and re.search(r"^sam has the number \d+$", out, re.MULTILINE), out + err
    status, _, err = run(folder, "adduser", "sam", "other@shire.example", given=words)
    assert status == 1 and "username" in err, err
    status, _, err = run(folder, "adduser", "rosie", "rosie@shire.example", given="short\n")
    assert status == 1 and "8 to 128 bytes" in err, err
    status, _, err = run(folder, "adduser", "x")
    assert status == 2 and "usage:" in err, err


def check_more_demo_posts(folder):
    run(folder, "init")
    status, out, err = run(folder, "seed", "12")
    assert status == 0 and "12 posts more" in out, out + err
    status, out, _ = run(folder, "init")
    assert "57 posts" in out, out
    for wrong in ("", "0", "x", "1x", "1000001"):
        status, _, err = run(folder, "seed", wrong)
        assert status == 2 and "usage:" in err, err


def check_a_taken_port_is_one_line(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        status, _, err = run(folder, "run", "--port", port, BIDE_LOG_LEVEL="warn")
    assert status == 3 and port in err and len(err.strip().splitlines()) == 1, err


def check_settings_that_are_refused(folder):
    file = pathlib.Path(folder, "frodo.env")
    file.write_text("FRODO_MODE=production\nDATABSE_URL=x\n", encoding="utf-8")
    status, _, err = run(folder, "run")
    assert status == 2 and "DATABSE_URL" in err, err
    file.write_text("FRODO_MODE=production\n", encoding="utf-8")
    status, _, err = run(folder, "run")
    assert status == 2 and "PUBLIC_URL" in err, err


def check_migrations_of_the_settings(folder):
    status, out, err = run(folder, "migrate", "up")
    assert status == 0 and "applied 0001_accounts.sql" in out, out + err
    status, out, err = run(folder, "migrate", "down", "--to", "0")
    assert status == 0 and "taken back" in out, out + err
    status, out, err = run(folder, "check")
    assert status == 0 and "0 findings" in out, out + err


def main():
    names = sys.argv[1:]
    checks = [(name, check) for name, check in globals().items() if name.startswith("check_")
              and (not names or any(part in name for part in names))]
    failed = 0
    for name, check in checks:
        with tempfile.TemporaryDirectory(prefix="bide-frodo-") as folder:
            try:
                check(folder)
            except Exception:  # whatever it is, the others run
                failed += 1
                print(f"FAIL {name}")
                traceback.print_exc(file=sys.stdout)
    print(f"{len(checks) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
