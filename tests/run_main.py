#!/usr/bin/env python3
"""Runs a web program as its users do: `bide run app.c` from the build tree, real sockets, signals.

Called by tools/run_tests with BIDE_BUILD and CC in the environment. Each check is a function whose
name begins with check_; what they start is ended by its pid. Ends with the closing line.

usage: run_main.py [NAME]   only checks whose name contains it
"""
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BIDE_BUILD", ROOT / "build/release"))
BIDE = str(BUILD / "cli/bide")
APP = str(ROOT / "tests/main/app.c")
PATIENCE_S = 20
SETTINGS = ("BIDE_", "APP_", "PORT", "WEB_CONCURRENCY", "LISTEN_", "CFLAGS", "LDFLAGS", "XDG_")


def environment(**more):
    """That of this process, without what would change a program, and with its own cache."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    return {**kept, "XDG_CACHE_HOME": CACHE, **more}


CACHE = ""


def run(*arguments, command=(BIDE,), cwd=None, **more):
    """Runs the command to its end; gives (status, stdout, stderr)."""
    done = subprocess.run([*command, *arguments], env=environment(**more), text=True, cwd=cwd,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S)
    return done.returncode, done.stdout, done.stderr


class Server:
    """A program that serves, from its first line to its end. A thread reads its log."""

    def __init__(self, *options, wait=True, pass_fds=(), prefix=(), words=(), **more):
        self.lines = []
        self.process = subprocess.Popen(
            [*prefix, BIDE, *(words or ("run", APP)), *options], env=environment(**more), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            pass_fds=pass_fds)
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stderr))
        self.reader.start()
        if wait:
            self.wait_for(" on ")

    def wait_for(self, words):
        """Waits for a line with these words."""
        limit = time.monotonic() + PATIENCE_S
        while not any(words in line for line in list(self.lines)):
            if time.monotonic() > limit or not self.reader.is_alive():
                self.end(signal.SIGKILL)
                raise AssertionError(f"no line with '{words}' in: {self.text()}")
            time.sleep(0.01)

    @property
    def port(self):
        """The port of its first line."""
        return int(re.search(r"http://\S+:(\d+)", self.text()).group(1))

    def text(self):
        """What it has said so far."""
        return "".join(self.lines)

    def end(self, number=signal.SIGTERM):
        """Stops it; gives its status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self.lines.append("(killed)\n")
        self.reader.join()
        self.process.stderr.close()
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.returncode is None:
            self.end(signal.SIGKILL)


QUICK = ("--port", "0", "--lame-duck", "0.05")


def get(port, path="/status", headers=None):
    """One request on a connection of its own; gives the status and the body as JSON or text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers or {})
        reply = connection.getresponse()
        body = reply.read()
    if reply.headers.get("Content-Type") == "application/json":
        return reply.status, json.loads(body)
    return reply.status, body.decode()


def get_unix(address):
    """The same on a unix socket, without a parser: gives all bytes of the reply."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE_S)
        client.connect(address)
        client.sendall(b"GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: client.recv(65536), b""))


def expect(good, *shown):
    """A check of a check."""
    if not good:
        raise AssertionError("\n".join(str(one) for one in shown) or "it does not hold")


def expect_refused(result, status, *words):
    """One line on stderr with these words, nothing on stdout, and that status."""
    expect(result[0] == status and result[1] == "" and result[2].count("\n") == 1
           and all(word in result[2] for word in words), result, words)


def check_io_backends():
    """What --io says is what the first line of the log says; where io_uring is refused, epoll."""
    for how in ((["--io", "uring"], {}), ([], {"BIDE_IO": "uring"})):
        with Server(*QUICK, *how[0], **how[1]) as server:
            expect(re.search(r"\(1 worker, (io_uring|epoll), pid", server.text()), server.text())
            expect("io_uring: " in server.text() or "worker, io_uring," in server.text(),
                   server.text())
            status, body = get(server.port)
            expect(status == 200 and body["pid"] == server.process.pid, body)
            expect(server.end() == 0, server.text())
    with Server(*QUICK, "--io", "epoll", BIDE_IO="uring") as server:
        expect("worker, epoll," in server.text(), server.text())
        expect(server.end() == 0, server.text())
    expect_refused(run("run", APP, "--io", "iocp"), 2, "--io")


# ---- serving -------------------------------------------------------------------------------------
def check_serves_and_stops():
    with Server(*QUICK) as server:
        expect(re.search(r"INFO .*Test 0\.1\.0 on http://127\.0\.0\.1:\d+, docs at "
                         r"http://127\.0\.0\.1:\d+/docs \(1 worker, epoll, pid \d+\)$",
                         server.lines[-1]), server.text())
        status, body = get(server.port)
        expect(status == 200 and body["pid"] == server.process.pid and body["answer"] == 42, body)
        expect(get(server.port, "/docs")[0] == 200 and get(server.port, "/nothing")[0] == 404)
        expect(server.end() == 0, server.text())
        expect("start hook 0" in server.text() and "stop hook 0" in server.text(), server.text())
        expect(server.text().rstrip().endswith("stopped"), server.text())


def check_run_may_be_left_out():
    program = run("routes", APP)
    expect(program[0] == 0 and "get_slowly" in program[1], program)
    built = next(pathlib.Path(CACHE).glob("bide/app-*/app"))
    with subprocess.Popen([built, "--port=0"], env=environment(), stderr=subprocess.PIPE,
                          text=True) as process:
        expect("start hook" in process.stderr.readline())
        expect(" on http://" in process.stderr.readline())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)
        expect(process.returncode == 0, process.returncode)


def check_workers_share_the_port():
    with Server(*QUICK, "--workers", "2") as server:
        expect("(2 workers, epoll" in server.text(), server.text())
        counts = {0: set(), 1: set()}
        for _ in range(200):
            body = get(server.port)[1]
            counts[body["worker"]].add(body["requests"])
        expect(counts[0] and counts[1], "the kernel has given all connections to one", counts)
        expect(sum(max(seen) for seen in counts.values()) == 200,
               "each worker counts its own requests", counts)
        expect("same state" not in server.text(), server.text())
        expect(server.end() == 0)
        expect(server.text().count("start hook") == 2 and server.text().count("stop hook") == 2,
               server.text())


def check_workers_auto():
    with Server(*QUICK, "--workers", "auto") as server:
        cores = len(os.sched_getaffinity(0))
        expect(f"({cores} worker" in server.text(), server.text())
    with Server(*QUICK, WEB_CONCURRENCY="3") as server:
        expect("(3 workers" in server.text(), server.text())
    with Server(*QUICK, BIDE_WORKERS="auto", WEB_CONCURRENCY="3") as server:
        expect(f"({cores} worker" in server.text(), server.text())


def check_shared_state_is_named():
    with Server(*QUICK, "--workers", "2", APP_SHARED="1") as server:
        server.wait_for("all 2 workers have the same state")
        expect(server.end() == 0)
    result = run("run", APP, *QUICK, "--workers", "2", APP_SAME="1")
    expect_refused(result, 2, "make_app gave the same application for two workers")


def check_json_log():
    with Server(*QUICK, "--log-format", "json", "--log-level", "info") as server:
        line = json.loads(server.lines[-1])
        expect(line["level"] == "info" and " on http://" in line["message"], line)
    with Server(*QUICK, "--log-level", "warn", wait=False) as server:
        time.sleep(0.2)
        expect(server.end() in (0, -signal.SIGTERM))
        expect(server.text() == "", server.text())


# ---- where to listen -----------------------------------------------------------------------------
def check_a_port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        for workers in ("1", "2"):
            result = run("run", APP, "--port", port, "--workers", workers)
            expect_refused(result, 3, f"cannot listen on 127.0.0.1:{port}: Address already in use",
                           f"pid {os.getpid()}", "--port 0")


def check_two_programs_never_share_a_port():
    with Server(*QUICK, "--workers", "2") as server:
        for workers in ("1", "2"):
            result = run("run", APP, "--port", str(server.port), "--workers", workers)
            expect_refused(result, 3, "Address already in use by app, pid",
                           str(server.process.pid))
        expect(get(server.port)[0] == 200)


def check_wrong_addresses():
    expect_refused(run("run", APP, "--host", "192.0.2.77", "--port", "0"), 3,
                   "Cannot assign requested address", "0.0.0.0 stands for all")
    expect_refused(run("run", APP, "--host", "localhost.example"), 2, "--host", "numeric")
    if os.geteuid() != 0 and int(pathlib.Path(
            "/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) > 80:
        expect_refused(run("run", APP, "--port", "80"), 3, "Permission denied",
                       "CAP_NET_BIND_SERVICE")


def check_all_addresses():
    with Server(*QUICK, "--host", "0.0.0.0") as server:
        expect(re.search(r"on http://0\.0\.0\.0:(\d+), docs at http://127\.0\.0\.1:\1/docs",
                         server.text()), server.text())
        expect(get(server.port)[0] == 200)


def check_unix_sockets():
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/app.sock"
        with Server("--uds", path, "--lame-duck", "0.05", "--workers", "2") as server:
            expect(f"on unix:{path} (2 workers" in server.text(), server.text())
            expect(stat.S_IMODE(os.stat(path).st_mode) == 0o660, oct(os.stat(path).st_mode))
            expect(b"200 OK" in get_unix(path))
            expect_refused(run("run", APP, "--uds", path), 3, "Address already in use")
            expect(b"200 OK" in get_unix(path))
            expect(server.end() == 0, server.text())
            expect(not os.path.exists(path), "the file is still there")
        with Server("--uds", path, "--uds-mode", "606", prefix=("sh", "-c", "umask 77; exec \"$@\"",
                                                               "sh")) as server:
            expect(stat.S_IMODE(os.stat(path).st_mode) == 0o606, oct(os.stat(path).st_mode))
            server.end(signal.SIGKILL)
        expect(os.path.exists(path))
        with Server("--uds", path, "--lame-duck", "0.05") as server:  # a file left behind
            expect(b"200 OK" in get_unix(path))
            os.unlink(path)
            pathlib.Path(path).write_text("another's")
            expect(server.end() == 0)
            expect(pathlib.Path(path).read_text() == "another's", "a file of others was removed")
        expect_refused(run("run", APP, "--uds", path), 3, "Address already in use")
        expect(pathlib.Path(path).read_text() == "another's")
        expect_refused(run("run", APP, "--uds", path, "--uds-mode", "899"), 2, "--uds-mode 899")
        expect_refused(run("run", APP, "--uds", "a" * 108), 2, "--uds")


def check_handed_descriptors():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, fd = listener.getsockname()[1], listener.fileno()
        with Server("--fd", str(fd), "--lame-duck", "0.05", "--workers", "2",
                    pass_fds=(fd,)) as server:
            expect(server.port == port)
            expect({get(port)[0] for _ in range(20)} == {200})
            expect(server.end() == 0, server.text())
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with Server("--fd", str(bound.fileno()), pass_fds=(bound.fileno(),)) as server:
            expect(get(bound.getsockname()[1])[0] == 200)
    expect_refused(run("run", APP, "--fd", "0"), 3, "descriptor 0 is not a stream socket")
    expect_refused(run("run", APP, "--fd", "99"), 3, "descriptor 99", "Bad file descriptor")
    expect_refused(run("run", APP, "--fd", "3", "--uds", "x"), 2, "--uds and --fd")


def check_systemd_sockets():
    shell = 'exec 3<&"$0"; export LISTEN_FDS=$LISTEN LISTEN_PID=$$; exec "$@"'
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, fd = listener.getsockname()[1], listener.fileno()
        prefix = ("bash", "-c", shell, str(fd))
        with Server("--lame-duck", "0.05", prefix=prefix, pass_fds=(fd,), LISTEN="1") as server:
            expect(server.port == port, server.text())
            expect(get(port)[0] == 200)
        with Server(*QUICK, prefix=prefix, pass_fds=(fd,), LISTEN="1") as server:
            expect(server.port != port, "--port counts more")
    with Server("--port", "0", LISTEN_FDS="1", LISTEN_PID="1") as server:
        expect(get(server.port)[0] == 200)  # meant for another process


# ---- options and settings ------------------------------------------------------------------------
def check_wrong_options():
    for arguments, words in (
            (("--prot", "1"), ("no option --prot; did you mean --port?",)),
            (("--worker=2",), ("did you mean --workers?",)),
            (("--whatever",), ("no option --whatever; --help",)),
            (("8000",), ("unexpected argument '8000'",)),
            (("--port",), ("--port needs a value",)),
            (("--port", "65536"), ("--port: Input should be less than or equal to 65535",)),
            (("--port", "http"), ("--port: Input should be a valid integer",)),
            (("--port=",), ("--port: Input should be a valid integer",)),
            (("--workers", "-1"), ("--workers: Input should be greater",)),
            (("--log-level", "loud"), ("--log-level: Input should be 'debug', 'info'",)),
            (("--trusted-proxies", "::1, proxy"), ("--trusted-proxies: 'proxy' is no address",)),
            (("--drain", "0"), ("--drain: Input should be greater",))):
        expect_refused(run("run", APP, *arguments), 2, "app: ", *words)
    expect_refused(run("run", APP, BIDE_PORT="x"), 2, "BIDE_PORT (environment): Input")
    expect_refused(run("run", APP, BIDE_PROT="1"), 2, "BIDE_PROT (environment): no such setting",
                   "BIDE_PORT")
    expect_refused(run("run", APP, PORT="x"), 2, "PORT: Input")
    expect_refused(run("routes", APP, "more"), 2, "routes takes no argument 'more'")


def check_which_option_counts():
    with Server("--lame-duck=0.05", PORT="0") as server:
        expect(server.port != 8000)
    with Server("--lame-duck=0.05", PORT="70000", BIDE_PORT="0") as server:
        expect(server.port != 8000)
    with Server("--port=99999", "--port", "0", BIDE_PORT="x") as server:
        expect(get(server.port)[0] == 200)


def check_help_and_version():
    for arguments in (("run", APP, "--help"), ("run", APP, "-h"), ("routes", APP, "--help")):
        status, out, errors = run(*arguments)
        expect(status == 0 and errors == "" and "--lame-duck" in out and "usage: app" in out, out)
    status, out, _ = run("run", APP, "--version")
    expect(status == 0 and re.fullmatch(r"bide \d+\.\d+\.\d+\n", out), out)
    expect(run("version")[1] == out)


def check_settings():
    with Server(*QUICK, APP_ANSWER="7") as server:
        expect(get(server.port)[1]["answer"] == 7)
    status, out, errors = run("run", APP, "--port", "0", APP_ANSWER="700", APP_KEY="psst")
    expect(status == 2 and out == "" and "APP_ANSWER (environment): Input" in errors, errors)
    expect("psst" not in errors and "the application was not made" in errors, errors)
    status, _, errors = run("routes", APP, APP_KEY="sh!")
    expect(status == 2 and "APP_KEY (environment): String should have at least 4" in errors, errors)
    expect("sh!" not in errors)


def check_a_wrong_application():
    for command in ("run", "routes", "openapi"):
        expect_refused(run(command, APP, APP_DOUBLED="1"), 2, "app.c:", "/status")


def check_a_failing_start_hook():
    for workers in ("1", "2"):
        status, _, errors = run("run", APP, *QUICK, "--workers", workers, APP_NO_START="1")
        expect(status == 1 and "the database is not there" in errors, status, errors)
        expect(" on http://" not in errors, errors)


def check_openapi():
    status, out, errors = run("openapi", APP)
    document = json.loads(out)
    expect(status == 0 and errors == "" and document["info"]["title"] == "Test", out, errors)
    paths = {"/status", "/origin", "/slow/{ms}", "/back"}
    expect(set(document["paths"]) == paths, document["paths"])


# ---- limits and stopping -------------------------------------------------------------------------
def check_limits():
    with Server(*QUICK, "--max-body", "10", "--keep-alive", "0.2") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
        connection.request("POST", "/back", json.dumps({"text": "longer than ten"}),
                           {"Content-Type": "application/json"})
        expect(connection.getresponse().status == 413)
        connection.close()
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as client:
            client.sendall(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
            start = time.monotonic()
            while client.recv(65536):
                pass
            expect(0.1 < time.monotonic() - start < 10, time.monotonic() - start)


def check_who_is_believed():
    said = {"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "https"}
    with Server(*QUICK) as server:
        body = get(server.port, "/origin", said)[1]
        expect(body == {"client": "127.0.0.1", "scheme": "http"}, body)
    with Server(*QUICK, "--trusted-proxies", "127.0.0.0/8, unix") as server:
        body = get(server.port, "/origin", said)[1]
        expect(body == {"client": "192.0.2.9", "scheme": "https"}, body)


def check_what_runs_is_finished():
    with Server(*QUICK) as server, concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(get, server.port, "/slow/700")
        time.sleep(0.3)
        expect(server.end() == 0, server.text())
        expect(slow.result() == (200, "done\n"), slow.result())


def check_the_drain_is_bounded():
    with Server(*QUICK, "--drain", "0.3") as server, \
            concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(get, server.port, "/slow/30000")
        time.sleep(0.3)
        start = time.monotonic()
        server.end()
        expect(time.monotonic() - start < 20, server.text())
        expect("stopping takes too long" in server.text(), server.text())
        with contextlib.suppress(OSError, http.client.HTTPException):
            expect(slow.result()[0] == 503)


def check_a_second_interrupt():
    with Server(*QUICK) as server, concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(get, server.port, "/slow/30000")
        time.sleep(0.3)
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        expect(server.end(signal.SIGINT) == 130, server.text())
        expect(slow.exception() is not None)


class Client(threading.Thread):
    """Requests on kept connections, and new ones until `until`; counts those without an answer."""

    def __init__(self, port):
        super().__init__()
        self.port, self.until = port, float("inf")
        self.served, self.lost = 0, []

    def run(self):
        try:
            while time.monotonic() < self.until:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
                with contextlib.closing(connection):
                    self.use(connection)
        except (OSError, http.client.HTTPException) as error:
            self.lost.append(repr(error))

    def use(self, connection):
        """Requests until the server says that it will close."""
        while True:
            connection.request("GET", "/status")
            reply = connection.getresponse()
            reply.read()
            self.served += 1
            if reply.will_close:
                return


def check_stopping_under_load_loses_nothing():
    for workers in ("1", "2"):
        with Server("--port", "0", "--lame-duck", "1", "--workers", workers) as server:
            clients = [Client(server.port) for _ in range(8)]
            for client in clients:
                client.start()
            time.sleep(0.5)
            for client in clients:
                client.until = time.monotonic() + 0.5  # as a balancer that looks twice a second
            expect(server.end() == 0, server.text())
            for client in clients:
                client.join(PATIENCE_S)
            lost = [error for client in clients for error in client.lost]
            expect(sum(client.served for client in clients) > 100 and not lost, lost)


# ---- the command ---------------------------------------------------------------------------------
def check_only_what_changed_is_compiled():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        (path / "one.h").write_text("#define ANSWER 41\nint two(void);\n")
        (path / "one.c").write_text(
            '#include "one.h"\n#include <stdio.h>\nint main(int c, char **v)\n'
            '{ printf("%d %d %s\\n", ANSWER, two(), v[c - 1]); return 7; }\n')
        (path / "two words.c").write_text('#include "one.h"\nint two(void) { return 2; }\n')
        counter = path / "counting"
        counter.write_text(f'#!/bin/sh\necho x >>"{folder}/calls"\nexec {compiler()} "$@"\n')
        counter.chmod(0o755)

        def build(expected, calls, *arguments):
            (path / "calls").write_text("")
            result = run("run", folder, *arguments, CC=str(counter))
            expect(result[0] == 7 and result[1] == expected, result)
            expect((path / "calls").read_text().count("x") == calls, "compiled another number of "
                   "times", (path / "calls").read_text(), calls)

        time.sleep(0.05)
        build("41 2 --a b\n", 3, "--a b")
        build("41 2 run\n", 0)
        (path / "two words.c").write_text('#include "one.h"\nint two(void) { return 3; }\n')
        time.sleep(0.05)
        build("41 3 run\n", 2)
        (path / "one.h").write_text("#define ANSWER 42\nint two(void);\n")
        old = time.time() - 86400
        os.utime(path / "one.h", (old, old))  # an older file is another one, too
        build("42 3 run\n", 3)
        (path / "three.c").write_text("int three(void);\nint three(void) { return 3; }\n")
        time.sleep(0.05)
        build("42 3 run\n", 2)
        (path / "three.c").unlink()
        build("42 3 run\n", 1)
        build("42 3 run\n", 0)


def compiler():
    """That of the build."""
    return os.environ.get("CC", "cc")


def check_the_compilers_words_are_not_changed():
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "wrong.c").write_text("#include <bide/bide.h>\nint main(void)\n{\n"
                                                   "    return x;\n}\n")
        result = run("run", "wrong.c", cwd=folder)
        expect(result[0] == 1 and result[1] == "", result)
        expect("wrong.c:4:12: error: " in result[2], result[2])
        expect(result[2].endswith("bide: wrong.c does not compile\n"), result[2])
        pathlib.Path(folder, "wrong.c").write_text("int f(void);\nint f(void) { return 1; }\n")
        result = run("run", "wrong.c", cwd=folder)
        expect(result[0] == 1 and "main" in result[2] and "does not link" in result[2], result[2])
        pathlib.Path(folder, "wrong.c").write_text("int main(void) { return 0; }\n")
        expect(run("run", "wrong.c", cwd=folder)[0] == 0)


def check_wrong_commands():
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "notes.txt").write_text("x")
        expect_refused(run("run", folder + "/nothing.c"), 2, "nothing.c: No such file")
        expect_refused(run("run", folder), 2, "has no .c file")
        expect_refused(run("run", folder + "/notes.txt"), 2, "neither a .c file nor a folder")
    expect_refused(run("run"), 2, "run: name a .c file or a folder first")
    expect_refused(run("run", "--port", "1"), 2, "name a .c file or a folder first: bide run app.c")
    expect_refused(run("run", APP, CC="no-such-cc"), 1, "no compiler 'no-such-cc'")
    expect_refused(run("run", APP, CC="", PATH="/nowhere"), 1, "no compiler here: install gcc")
    status, out, errors = run("rnu")
    expect(status == 2 and out == "" and "no command 'rnu'" in errors, errors)
    expect(run()[0] == 2 and run("help")[0] == 0 and run("run", "--help")[0] == 0)


def check_the_cache():
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "p.c")
        source.write_text("int main(void) { return 5; }\n")
        expect(run("run", str(source), HOME=folder, XDG_CACHE_HOME="")[0] == 5)
        cache = pathlib.Path(folder, ".cache/bide")
        expect(len(list(cache.glob("p-*/p"))) == 1 and stat.S_IMODE(cache.stat().st_mode) == 0o700)
        results = [subprocess.Popen([BIDE, "run", str(source)], stderr=subprocess.PIPE,
                                    env=environment(HOME=folder, XDG_CACHE_HOME=folder + "/new"))
                   for _ in range(4)]  # at the same time
        expect([process.wait(PATIENCE_S) for process in results] == [5] * 4)
        for process in results:
            process.stderr.close()


# ---- dev, new ------------------------------------------------------------------------------------
DEV_APP = """
#include <bide/bide.h>
MODEL(version_out, "", (i64, number), (i64, pid));
GET(get_version, "/version", version_out)
{
    return (version_out){.number = VERSION, .pid = getpid()};
}
static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "Dev");
    bide_app_add_all(app, "");
    return app;
}
int main(int argc, char **argv)
{
    START
    return bide_main(argc, argv, make_app);
}
"""


def write_dev_app(path, version, start=""):
    text = DEV_APP.replace("VERSION", str(version)).replace("START", start)
    new = path.with_name("." + path.name)  # as editors do it
    new.write_text("#include <stdlib.h>\n#include <unistd.h>\n" + text)
    new.rename(path)


def wait_until(holds):
    limit = time.monotonic() + PATIENCE_S
    while not holds():
        expect(time.monotonic() < limit, "it never came")
        time.sleep(0.02)


def wait_for_version(port, number):
    wait_until(lambda: get(port, "/version")[1]["number"] == number)
    return get(port, "/version")[1]["pid"]


class Reader(threading.Thread):
    """Requests for the version, each on a new or a kept connection, until `ends`."""

    def __init__(self, port, kept):
        super().__init__()
        self.port, self.kept, self.ends = port, kept, False
        self.seen, self.lost = [], []

    def run(self):
        try:
            connection = None
            while not self.ends:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port,
                                                                      timeout=PATIENCE_S)
                connection.request("GET", "/version")
                reply = connection.getresponse()
                self.seen.append(json.loads(reply.read())["number"])
                if reply.will_close or not self.kept:
                    connection.close()
                    connection = None
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.lost.append(repr(error))


def check_a_reload_under_load_loses_nothing():
    with tempfile.TemporaryDirectory() as folder:
        app = pathlib.Path(folder, "app.c")
        write_dev_app(app, 1)
        with Server("--port", "0", words=("dev", str(app))) as server:
            port = server.port
            wait_for_version(port, 1)
            readers = [Reader(port, kept) for kept in (True, True, False, False)]
            for reader in readers:
                reader.start()
            for version in (2, 3, 4):
                write_dev_app(app, version)
                wait_for_version(port, version)
            time.sleep(1.5)  # the last of the old ones has ended
            for reader in readers:
                reader.ends = True
            for reader in readers:
                reader.join(PATIENCE_S)
            lost = [error for reader in readers for error in reader.lost]
            expect(not lost, lost)
            for reader in readers:
                expect(set(reader.seen) == {1, 2, 3, 4} and reader.seen[-1] == 4, set(reader.seen))
            expect(server.end() == 0, server.text())


def check_what_does_not_work_leaves_the_old_one():
    with tempfile.TemporaryDirectory() as folder:
        app = pathlib.Path(folder, "app.c")
        write_dev_app(app, "no_number")
        with Server("--port", "0", words=("run", str(app), "--reload"), wait=False) as server:
            server.wait_for("waiting for a change")
            write_dev_app(app, 1)
            server.wait_for(" on ")
            pid = wait_for_version(server.port, 1)
            write_dev_app(app, "no_number")
            server.wait_for("the program of before goes on")
            write_dev_app(app, 2, "exit(7);")
            server.wait_for("ended with 7: the one of before goes on")
            write_dev_app(app, 3, "abort();")
            server.wait_for("died of signal 6")
            expect(wait_for_version(server.port, 1) == pid)
            os.kill(pid, signal.SIGKILL)
            server.wait_for("died of signal 9 (Killed): waiting for a change")
            write_dev_app(app, 4)
            wait_for_version(server.port, 4)
            expect(server.end(signal.SIGINT) == 0, server.text())


def check_which_files_count():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "shop")
        (other := pathlib.Path(folder, "shared")).mkdir()
        (path / "pages").mkdir(parents=True)
        (other / "number.h").write_text("enum { NUMBER = 1 };\n")
        write_dev_app(path / "app.c", "NUMBER")
        text = (path / "app.c").read_text()
        (path / "app.c").write_text('#include "../shared/number.h"\n' + text)
        with Server("--port", "0", "--reload-include", "*.txt", words=("dev", str(path))) as server:
            port = server.port
            pid = wait_for_version(port, 1)

            def expect_restart(change):
                before = server.text().count("reloaded")
                change()
                wait_until(lambda: server.text().count("reloaded") > before)

            for name in ("pages/data.db", ".app.c.swp"):
                (path / name).write_text("x")
            time.sleep(1)
            expect("reloaded" not in server.text())
            for name in ("pages/list.html", "pages/mail.txt", ".env"):
                expect_restart(lambda: (path / name).write_text("x"))
            expect_restart((path / "new").mkdir)
            expect_restart(lambda: (path / "new/page.html").write_text("x"))
            (other / "moved/below").mkdir(parents=True)
            (other / "moved/below/page.html").write_text("x")
            expect_restart(lambda: (other / "moved").rename(path / "moved"))  # with what is in it
            expect_restart(lambda: (path / "moved/below/page.html").write_text("y"))
            (other / "number.h").write_text("enum { NUMBER = 2 };\n")
            expect(wait_for_version(port, 2) != pid)
            supervisor = server.process.pid
            last = wait_for_version(port, 2)
            os.kill(supervisor, signal.SIGKILL)  # what it has started ends with it
            wait_until(lambda: not pathlib.Path(f"/proc/{last}").exists())


def check_wrong_words_for_dev():
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = str(busy.getsockname()[1])
        expect_refused(run("dev", APP, "--port", port), 2, f"cannot listen on 127.0.0.1:{port}")
    expect_refused(run("dev", APP, "--host", "no.such"), 2, "--host no.such")
    expect_refused(run("dev", APP, "--fd", "3"), 2, "bide dev listens by itself")
    expect_refused(run("dev", APP, "--reload-dir"), 2, "--reload-dir wants a value")
    expect_refused(run("dev", "/nowhere/app.c", "--port", "0"), 2, "/nowhere/app.c")
    expect_refused(run("dev"), 2, "name a .c file or a folder first")


def check_a_new_application():
    with tempfile.TemporaryDirectory() as folder:
        expect(run("new", "my-shop", cwd=folder)[0] == 0)
        status, table, errors = run("routes", "my-shop", cwd=folder)
        expect(status == 0 and "/hello/{name}" in table, errors)
        with Server(*QUICK, words=("run", folder + "/my-shop")) as server:
            expect(get(server.port, "/hello/Sam") == (200, {"text": "hello Sam", "length": 9}))
        texts = [path.read_text() for path in pathlib.Path(folder, "my-shop").rglob("*")
                 if path.is_file()]
        expect(not any("@" in text.replace("$@", "") for text in texts))
        expect_refused(run("new", "my-shop", cwd=folder), 2, "File exists")
        for name in ("", "a/", "a b", "-x", "app", "test", "app_test", "Makefile", "Dockerfile"):
            expect(run("new", name, cwd=folder)[0] == 2, name)


def check_the_packages_of_a_new_image():
    """What the library stands on is in the image, where this is the Debian that it is made of."""
    release = pathlib.Path("/etc/os-release").read_text()
    if "ID=debian\n" not in release or 'VERSION_ID="12"' not in release:
        return
    image = pathlib.Path(ROOT, "cli/new.c").read_text().partition('"FROM debian:12-slim\\n')[2]
    library = next((BUILD / "src").glob("libbide.so.*.*"))
    for name in re.findall(r"NEEDED.*\[(.*)\]", run("-d", str(library), command=("readelf",))[1]):
        found = run("-S", "*/" + name, command=("dpkg",))[1]
        packages = {line.split(":")[0] for line in found.splitlines()}
        expect(packages & {"libc6", *image.split()}, packages)


def main():
    """Runs the checks; exit status 1 if one failed."""
    global CACHE
    passed = failed = 0
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    with tempfile.TemporaryDirectory(prefix="bide-main-") as folder:
        CACHE = folder + "/cache"
        os.mkdir(CACHE)
        for name, check in list(globals().items()):
            if not name.startswith("check_") or wanted not in name:
                continue
            title = name.removeprefix("check_").replace("_", " ")
            try:
                check()
                passed += 1
                print("ok " + title, flush=True)
            except Exception as error:  # whatever it is, the others run
                failed += 1
                print(f"FAILED {title}\n{type(error).__name__}: {error}", flush=True)
        shutil.rmtree(CACHE)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
