#!/usr/bin/env python3
"""Starts the application as ./dev run does: `frodo init`, then `frodo run`, in a scratch folder;
checks the files of apps/frodo/deploy, with the tools they are for where those are.

Called by tools/run_tests with BIDE_BUILD in the environment. Each check is a function whose name
begins with check_; what they start is ended by its pid. Ends with the closing line.

usage: run_frodo.py [NAME]   only checks whose name contains it
"""
import http.client
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BIDE_BUILD", ROOT / "build/release"))
FRODO = str(BUILD / "apps/frodo")
DEPLOY = ROOT / "apps/frodo/deploy"
PATIENCE_S = 30
SETTINGS = ("BIDE_", "FRODO_", "DATABASE_URL", "REDIS_URL", "SMTP_URL", "SECRET_KEY", "PUBLIC_URL",
            "CODES", "MAIL_FROM", "PORT", "WEB_CONCURRENCY", "LISTEN_")


class Skip(Exception):
    """What a check needs is not on this machine."""


def environment(**more):
    """That of this process, without what would change the application."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(SETTINGS) or name == "BIDE_SWAGGER_UI"}
    return {**kept, **more}


def run(folder, *arguments, given="", **more):
    """Runs a command of the application to its end; gives (status, stdout, stderr)."""
    done = subprocess.run([FRODO, *arguments], cwd=folder, env=environment(**more), text=True,
                          input=given, capture_output=True, timeout=PATIENCE_S)
    return done.returncode, done.stdout, done.stderr


class Site:
    """The application, serving, on a free port of loopback; `lines` is what it prints at its start
    in development. What it logs is in FOLDER/log."""

    def __init__(self, folder, *options, program=FRODO, **more):
        self.log = pathlib.Path(folder, "log")
        self.log_start = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([program, "run", "--port", "0", "--lame-duck", "0",
                                             *options], cwd=folder,
                                            env=environment(**more), text=True, stderr=log,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.lines = []
        self.in_production = more.get("FRODO_MODE") == "production"
        if self.in_production:
            self.url = self.find(self.logged, r" on (http://\S+?)[, ]")
            return
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith("stop:"):
                break
        self.url = self.find(lambda: "\n".join(self.lines), r"(?m)^blog: +(http://\S+)/$")

    def logged(self):
        """What it has logged so far."""
        return self.log.read_bytes()[self.log_start:].decode()

    def find(self, read, pattern):
        """Waits for a text; "" when it does not come."""
        give_up_at = time.monotonic() + PATIENCE_S
        while not (found := re.search(pattern, read())) and time.monotonic() < give_up_at \
                and self.process.poll() is None:
            time.sleep(0.01)
        return found[1] if found else ""

    def __enter__(self):
        assert self.url, (self.lines, self.logged())
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends it by SIGTERM, with status 0; once is enough. Gives how long that took."""
        begin = time.monotonic()
        if self.process.returncode is not None:
            return 0.0
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            self.process.stdout.close()
        assert status == 0, (status, self.logged()[-2000:])
        return time.monotonic() - begin

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


LINES = ["data", "admin", "mails", "loops", "blog", "API", "examples", "inside", "stop"]


def check_the_lines_of_a_start(folder):
    """As ./dev run starts it: with demo posts in an empty database."""
    for is_first in (True, False):
        with Site(folder, FRODO_DEMO="true") as site:
            assert [line.split(":")[0] for line in site.lines] == LINES, site.lines
            text = "\n".join(site.lines)
            assert bool(password_in(text)) == is_first, text
            assert "data:     sqlite://frodo.db, 45 posts" in site.lines, text
    with Site(folder) as site:
        assert [line.split(":")[0] for line in site.lines] == LINES[2:], site.lines


def check_accounts_from_the_command_line(folder):
    run(folder, "init")
    words = "a garden of roses\n"
    status, out, err = run(folder, "adduser", "sam", "sam@shire.example", given=words)
    assert status == 0 and re.search(r"^sam has the number \d+$", out, re.MULTILINE), out + err
    status, _, err = run(folder, "adduser", "sam", "other@shire.example", given=words)
    assert status == 1 and "username" in err, err
    status, _, err = run(folder, "adduser", "rosie", "rosie@shire.example", given="short\n")
    assert status == 1 and "password" in err and "8" in err, err
    status, _, err = run(folder, "adduser", "Rosie!", "nowhere", given=words)
    assert status == 1 and "username" in err and "email" in err, err
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
        status, _, err = run(folder, "run", "--port", port, BIDE_LOG_LEVEL="warn",
                             FRODO_DEMO="true")
    assert status == 3 and port in err and len(err.strip().splitlines()) == 1, err
    assert not list(pathlib.Path(folder).iterdir()), "something was made before"


def check_settings_that_are_refused(folder):
    file = pathlib.Path(folder, "frodo.env")
    file.write_text("FRODO_MODE=production\nDATABSE_URL=x\n", encoding="utf-8")
    status, _, err = run(folder, "run")
    assert status == 2 and "DATABSE_URL" in err, err
    file.write_text("FRODO_MODE=production\n", encoding="utf-8")
    status, _, err = run(folder, "run")
    assert status == 2 and "PUBLIC_URL" in err, err
    for arguments in (("run",), ("check",), ("migrate", "up")):
        status, _, err = run(folder, *arguments, FRODO_MODUS="production", OTHERS_MODUS="1")
        assert status == 2 and "FRODO_MODUS (environment): no such setting; did you mean " \
                               "FRODO_MODE?" in err and "OTHERS" not in err, err


def check_migrations_of_the_settings(folder):
    status, out, err = run(folder, "migrate", "up")
    assert status == 0 and "applied 0001_accounts.sql" in out, out + err
    status, out, err = run(folder, "migrate", "down", "--to", "0")
    assert status == 0 and "taken back" in out, out + err
    status, out, err = run(folder, "check")
    assert status == 0 and "0 findings" in out, out + err


def tool(name):
    """Where a program is; those of administrators are not in everyone's PATH."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise Skip(f"no {name} here")
    return found


def ask_tool(*command):
    """Runs a tool, which has nothing to complain of."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stdout
    return done.stdout


def check_the_sample_of_settings(folder):
    """It names all settings, each once, and none else; it is refused until it has a key."""
    model = re.search(r"^MODEL\(frodo_settings,.*?;$", (ROOT / "apps/frodo/frodo.h").read_text(
        encoding="utf-8"), re.MULTILINE | re.DOTALL)[0]
    sample = (DEPLOY / "frodo.env").read_text(encoding="utf-8")
    names = re.findall(r"^(?:# )?([A-Z_]+)=", sample, re.MULTILINE)
    assert sorted(names) == sorted(re.findall(r'alias\("(\w+)"\)', model)), names
    file = pathlib.Path(folder, "frodo.env")
    file.write_text(sample, encoding="utf-8")
    status, _, err = run(folder, "check")
    assert status == 2 and "SECRET_KEY" in err, err
    usable = re.sub(r"^SECRET_KEY=$", "SECRET_KEY=" + secrets.token_hex(32), sample, flags=re.M)
    for text in (usable, re.sub(r"^# ([A-Z_]+=)", r"\1", usable, flags=re.M)):
        file.write_text(text, encoding="utf-8")
        status, _, err = run(folder, "check")
        assert status == 0, err


def check_what_is_installed_is_enough(folder):
    ask_tool(str(DEPLOY / "install"), FRODO, folder + "/usr")
    place = {"FRODO_FOLDER": folder + "/usr/share/frodo"}
    run(folder, "init", **place)
    with Site(folder, program=folder + "/usr/bin/frodo", **place) as site:
        for path in ("/", "/login", "/static/frodo.css", "/static/favicon.svg"):
            status, body = site.ask(path)
            assert status == 200, (path, status, body)


def check_the_unit_of_systemd(folder):
    analyze = tool("systemd-analyze")
    text = (DEPLOY / "frodo.service").read_text(encoding="utf-8")
    unit = pathlib.Path(folder, "frodo.service")
    unit.write_text(text.replace("/usr/local/bin/frodo", FRODO), encoding="utf-8")
    said = ask_tool(analyze, "verify", "--man=no", str(unit))
    assert "frodo.service" not in said, said


def place_nginx(folder, upstream):
    """The sample in a folder, with unix sockets in place of its ports; gives nginx's arguments."""
    ask_tool(tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
             "-subj", "/CN=frodo.example", "-addext", "subjectAltName=DNS:frodo.example",
             "-keyout", folder + "/privkey.pem", "-out", folder + "/fullchain.pem")
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    text = text.replace("/etc/letsencrypt/live/frodo.example", folder)
    text = text.replace("unix:/run/frodo/frodo.sock", upstream)
    text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"listen (\d+)", rf"listen unix:{folder}/\1", text)
    pathlib.Path(folder, "frodo.conf").write_text(text, encoding="utf-8")
    temporary = " ".join(f"{name}_temp_path {folder}/{name};" for name in
                         ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    pathlib.Path(folder, "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; events {{}}\n"
        f"http {{ access_log off; {temporary} include frodo.conf; }}\n", encoding="utf-8")
    return "-e", "stderr", "-p", folder, "-c", folder + "/nginx.conf"


def through_nginx(folder, port, method, path, body=None, **headers):
    """A request to the socket that stands for this port; gives the reply."""
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(PATIENCE_S)
    link.connect(f"{folder}/{port}")
    if port == 443:
        context = ssl.create_default_context(cafile=folder + "/fullchain.pem")
        link = context.wrap_socket(link, server_hostname="frodo.example")
    peer = http.client.HTTPConnection("frodo.example")
    peer.sock = link
    peer.request(method, path, body, headers)
    reply = peer.getresponse()
    reply.read()
    peer.close()
    return reply


def check_nginx_in_front(folder):
    """A login needs the host and the scheme that the browser sees: the form's origin is checked."""
    nginx = tool("nginx")
    run(folder, "init")
    run(folder, "adduser", "sam", "sam@shire.example", given="a garden of roses\n")
    with Site(folder, BIDE_TRUSTED_PROXIES="127.0.0.1") as site:
        place = place_nginx(folder, site.url.removeprefix("http://"))
        ask_tool(nginx, "-t", *place)
        server = subprocess.Popen([nginx, *place], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            give_up_at = time.monotonic() + PATIENCE_S
            while not pathlib.Path(folder, "443").exists() and time.monotonic() < give_up_at:
                time.sleep(0.01)
            moved = through_nginx(folder, 80, "GET", "/login")
            assert moved.getheader("Location") == "https://frodo.example/login", moved.status
            assert through_nginx(folder, 443, "GET", "/healthz").status == 200
            assert through_nginx(folder, 443, "GET", "/metrics").status == 403
            for origin, status in (("https://frodo.example", 303), ("http://frodo.example", 403)):
                form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin}
                reply = through_nginx(folder, 443, "POST", "/login",
                                      "username=sam&password=a+garden+of+roses", **form)
                assert reply.status == status, (origin, reply.status)
        finally:
            server.terminate()
            server.wait(PATIENCE_S)


def check_the_packages_of_the_image(_):
    """Those of the libraries that this build is linked with, where it is of the same Debian."""
    release = pathlib.Path("/etc/os-release").read_text(encoding="utf-8")
    image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    if 'ID=debian\n' not in release or 'VERSION_ID="12"' not in release:
        raise Skip("this is not Debian 12")
    dpkg = tool("dpkg")
    needed = re.findall(r"NEEDED.*\[(.*)\]", ask_tool(tool("readelf"), "-d", FRODO))
    assert needed
    for library in needed:
        found = {line.split(":")[0] for line in ask_tool(dpkg, "-S", "*/" + library).splitlines()}
        assert found & {"libc6", *image.split()}, found


def run_checks(checks):
    """Runs the checks of a runner, each with an empty folder; gives its exit status.

    usage: RUNNER [NAME...]   only checks whose name contains one of these
    """
    names = sys.argv[1:]
    checks = [(name, check) for name, check in checks.items() if name.startswith("check_")
              and (not names or any(part in name for part in names))]
    failed = skipped = 0
    for name, check in checks:
        begin = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="bide-frodo-") as folder:
            try:
                check(folder)
                print(f"ok   {name} ({time.monotonic() - begin:.1f} s)", flush=True)
            except Skip as reason:
                skipped += 1
                print(f"skip {name}: {reason}")
            except Exception:  # whatever it is, the others run
                failed += 1
                print(f"FAIL {name}")
                traceback.print_exc(file=sys.stdout)
                log = pathlib.Path(folder, "log")
                if log.is_file():
                    print("its log ends with:\n" + log.read_text(encoding="utf-8")[-4000:])
    passed = len(checks) - failed - skipped
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(run_checks(globals()))
