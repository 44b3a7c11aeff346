#!/usr/bin/env python3
"""Looks into running programs as users do: `bide ps | tree | top | trace`, signals, gdb.

Called by tools/run_tests with BIDE_BUILD and CC in the environment. Each check is a function whose
name begins with check_; what they start is ended by its pid. Ends with the closing line.

usage: run_look.py [NAME]   only checks whose name contains it
"""
import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import platform
import pty
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BIDE_BUILD", ROOT / "build/release"))
CC = os.environ.get("CC", "cc").split()
BIDE = str(BUILD / "cli/bide")
APP = ROOT / "tests/look/app.c"
PATIENCE_S = 60
FOLDER = ""


def expect(good, *shown):
    """A check of a check."""
    if not good:
        raise AssertionError("\n".join(str(one) for one in shown) or "it does not hold")


def line_of(words):
    """The line of app.c with this comment."""
    for number, line in enumerate(APP.read_text(encoding="utf-8").splitlines(), 1):
        if f"/* {words} */" in line:
            return number
    raise AssertionError(f"no line /* {words} */")


def build(name, *options, shared=False):
    """A program made of app.c; None where the linker cannot do it."""
    package = str(BUILD / "meson-uninstalled/bide-uninstalled.pc")
    words = subprocess.check_output(
        ["pkg-config", "--static", "--cflags", "--libs", package], text=True).split()
    flags = [word for word in words if word not in ("-lbide",) and not word.startswith("-L")
             and not word.endswith(("libbide.a", "libbide.so"))]
    library = [f"-L{BUILD}/src", "-lbide", f"-Wl,-rpath,{BUILD}/src"] if shared else \
        [str(BUILD / "src/libbide.a")]
    made = f"{FOLDER}/{name}"
    done = subprocess.run([*CC, "-std=gnu11", "-g", "-O1", f"-I{ROOT}/include", f"-I{ROOT}/src",
                           *options, str(APP),
                           "-o", made, *library, *flags, "-ldl", "-lm"],
                          capture_output=True, text=True, check=False)
    if done.returncode and "-static" in options:
        return None
    expect(done.returncode == 0, done.stderr)
    return made


@contextlib.contextmanager
def running(*words, program=None, **options):
    """A program that runs, from its word that it is up; killed at the end."""
    process = subprocess.Popen([program or f"{FOLDER}/app", *(str(word) for word in words)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    try:
        expect(process.stdout.readline() == "up\n", "it did not come up")
        yield process
    finally:
        process.kill()
        process.communicate()


def bide(*words, **options):
    """Runs the command; gives (status, stdout, stderr)."""
    done = subprocess.run([BIDE, *(str(word) for word in words)], capture_output=True, text=True,
                          timeout=PATIENCE_S, check=False, **options)
    return done.returncode, done.stdout, done.stderr


def tasks_of(process, **options):
    """The tasks of a picture, by name; and all of it."""
    status, out, error = bide("ps", process.pid, "--json", **options)
    expect(status == 0, error)
    picture = json.loads(out)
    return {task["name"]: task for task in picture["tasks"]}, picture


def forbid_reading():
    """In a child: process_vm_readv(2) fails as where ptrace is not allowed (seccomp(2))."""
    number = {"x86_64": 310, "aarch64": 270}[platform.machine()]
    codes = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001),
             (0x06, 0, 0, 0x7fff0000)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *code) for code in codes))

    class Filter(ctypes.Structure):
        """struct sock_fprog."""
        _fields_ = [("length", ctypes.c_ushort), ("codes", ctypes.c_void_p)]

    libc = ctypes.CDLL(None)
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    if libc.prctl(22, 2, ctypes.byref(Filter(len(codes), ctypes.addressof(program))), 0, 0):
        os._exit(99)


def check_tree(**options):
    """Names, places, lines, who waits for whom."""
    with running("tree") as process:
        tasks, picture = tasks_of(process, **options)
        began = time.monotonic()
        while not tasks["main"]["waits_for"] and time.monotonic() < began + PATIENCE_S:
            tasks, picture = tasks_of(process, **options)  # it has just said that it is up
        expect(len(picture["tasks"]) == 12 and picture["unread"] == 0, picture)
        main, owner, wanter = tasks["main"], tasks["owner"], tasks["wanter"]
        expect(main["waits_for"]["name"] == "all" and main["parent"] is None, main)
        expect(owner["at"]["line"] == line_of("owner waits"), owner)
        expect(owner["at"]["file"].endswith("look/app.c") and owner["at"]["function"] == "owner")
        expect(owner["waits_for"]["verb"] == "sleeps" and owner["parent"] == main["id"], owner)
        expect(wanter["waits_for"]["noun"] == "mutex" and wanter["waits_for"]["name"] == "account"
               and wanter["waits_for"]["holder"] == owner["id"], wanter)
        expect(wanter["at"]["line"] == line_of("wanter waits"), wanter)
        expect(480000 < wanter["deadline_ms"] <= 500000 and owner["deadline_ms"] is None, wanter)
        feeds = [task for task in picture["tasks"] if task["name"] == "feed"]
        expect(len(feeds) == 7 and all(task["at"]["line"] == line_of("feed waits")
                                       for task in feeds), feeds)
        expect(sum(task["spawned"]["line"] == line_of("feed is spawned") for task in feeds) == 5)
        expect([task["background"] for task in feeds].count(True) == 1, feeds)
        expect(tasks["outer 7"]["id"] in [task["parent"] for task in feeds], feeds)
        expect(all(0 < task["stack_used_bytes"] < task["stack_bytes"] for task in feeds), feeds)
        expect(0 <= owner["age_ms"] < 60000 and owner["state"] == "waiting", owner)


def check_folded():
    """Equal tasks are one line; --all has a line for each."""
    with running("tree", 40) as process:
        for command in "ps", "tree":
            status, out, error = bide(command, process.pid)
            expect(status == 0 and "\033" not in out, error, out)
            expect(re.search(r"40 x\s+feed +waiting +sleeps +app\.c:%d" % line_of("feed waits"),
                             out) or command == "ps" and "42 x" in out, out)
            expect(re.search(r"wanter +waiting .*mutex 'account' .*#\d+", out), out)
            lines = bide(command, process.pid, "--all")[1].splitlines()
            expect(len(lines) == 2 + 1 + 47, "\n".join(lines))


def check_loops():
    """A task belongs to its loop: ids are those of a loop."""
    with running("loops") as process:
        for _ in range(100):
            picture = tasks_of(process)[1]
            if len(picture["tasks"]) == 24:
                break
            time.sleep(0.02)
        expect([loop["loop"] for loop in picture["loops"]] == [0, 1], picture["loops"])
        expect(sum(task["loop"] for task in picture["tasks"]) == 12, picture)


def check_builds():
    """Whatever kind of file the program is, stripped too."""
    ways = {"nopie": ["-no-pie"], "pie": ["-fPIE", "-pie"], "static": ["-static"],
            "dropped": ["-ffunction-sections", "-Wl,--gc-sections", "-s"]}
    programs = [build(name, *options) for name, options in ways.items()]
    programs.append(build("shared", shared=True))
    shutil.copy(f"{FOLDER}/app", f"{FOLDER}/stripped")
    subprocess.run(["strip", "-s", f"{FOLDER}/stripped"], check=True)
    for program in filter(None, [*programs, f"{FOLDER}/stripped"]):
        with running("tree", program=program) as process:
            tasks, _ = tasks_of(process)
            expect(tasks["owner"]["at"]["line"] == line_of("owner waits"), program, tasks)
            os.unlink(program)  # what runs needs no file
            expect(len(tasks_of(process)[0]) == len(tasks), program)


def patched(name, found, put):
    """A copy of the program with other bytes."""
    path = pathlib.Path(FOLDER, name)
    whole = pathlib.Path(FOLDER, "app").read_bytes()
    expect(found in whole, found)
    path.write_bytes(whole.replace(found, put))
    path.chmod(0o755)
    return str(path)


def check_strangers():
    """What cannot be looked at is said, with a status."""
    layout = b"bideSEE\0" + struct.pack("<I", 1)
    newer = patched("newer", layout, b"bideSEE\0" + struct.pack("<I", 9))
    bare = patched("bare", struct.pack("<III", 5, 8, 0xb1de) + b"bide\0",
                   struct.pack("<III", 5, 8, 0xb1de) + b"mine\0")
    for program, words, message in ((newer, ["tree"], "layout 9; this command knows 1"),
                                    (bare, ["tree"], "is no program of bide's"),
                                    (None, ["plain"], "no bide_run runs in process"),
                                    ("/bin/sh", ["-c", "echo up; read x"], "no program of bide's")):
        with running(*words, program=program, stdin=subprocess.PIPE) as process:
            kept = pathlib.Path(FOLDER, "kept.json")
            kept.write_text("kept", encoding="utf-8")
            for command in ["ps"], ["tree"], ["trace", "-o", str(kept)]:
                status, out, error = bide(*command, process.pid)
                expect(status == 1 and message in error and out == "", command, status, error)
            expect(kept.read_text(encoding="utf-8") == "kept", "an old trace is gone")
    for words, status, message in ((("ps", 2 ** 22 + 1), 1, "there is no process"),
                                   (("ps", "x"), 2, "'x' is no process id"), (("ps",), 2, "name a"),
                                   (("tree", 1, "--wrong"), 2, "does not know '--wrong'"),
                                   (("top", 1, "--interval", "x"), 2, "a number from")):
        got = bide(*words)
        expect(got[0] == status and message in got[2], words, got)


def check_circle():
    """A tree with a circle is printed, the circle marked and not followed."""
    with running("circle") as process:
        status, out, error = bide("tree", process.pid)
        expect(status == 0 and out.count("a circle: not followed") == 1 and " feed " in out, out,
               error)


def check_damage():
    """Whatever stands in its memory: an answer, no crash."""
    for seed in range(24):
        with running("damage", seed) as process:
            for command in "tree", "ps":
                status, out, error = bide(command, process.pid)
                expect(status in (0, 1) and (out if status == 0 else error), seed, status, error)
            for words in ("ps", process.pid, "--json"), ("trace", process.pid, "--seconds", 0,
                                                         "-o", "-"):
                status, out, error = bide(*words)
                expect(status == 0 and json.loads(out) or status == 1 and error, seed, error)


def check_churn():
    """While tasks come and go: no task twice, none below itself, and the program goes on."""
    with running("churn", 2000) as process:
        slices = []
        for _ in range(15):
            picture = tasks_of(process)[1]
            ids = [task["id"] for task in picture["tasks"]]
            expect(len(ids) == len(set(ids)), ids)
            expect(all(task["name"] in ("main", "nothing") and task["parent"] != task["id"]
                       for task in picture["tasks"]), picture)
            expect(all(0 <= task["age_ms"] < 60000 for task in picture["tasks"]), picture)
            slices.append(picture["loops"][0]["slices"])
        expect(slices == sorted(slices) and slices[0] < slices[-1], slices)


def check_ending():
    """A program that ends while it is read."""
    for ms in 0, 1, 5, 20:
        with running("brief", ms) as process:
            for _ in range(50):
                status, _, error = bide("tree", process.pid)
                expect(status == 0 or status == 1 and re.search(
                    "has ended|there is no process|no bide_run runs|just ending", error), error)
                if status == 1:
                    break


def check_forbidden():
    """Where its memory may not be read the program answers by itself; if not, that is said."""
    check_tree(preexec_fn=forbid_reading)
    with running("deaf") as process:
        status, out, error = bide("tree", process.pid, preexec_fn=forbid_reading)
        expect(status == 1 and "may not be read" in error and "ptrace" in error and not out, error)
        expect(process.poll() is None, "it died of the question")


def check_lies():
    """Nothing that a process answers, or is called, reaches the terminal as it is."""
    with running("lie", 1) as process:
        for words in ("ps", process.pid), ("ps", process.pid, "--json"):
            status, out, error = bide(*words, preexec_fn=forbid_reading)
            expect(status == 0 and "?[31mEVIL?]0;owned? \u011b?" in out, out, error)
            expect(not re.search(r"[\0-\x09\x0b-\x1f\x7f-\x9f]", out), out)
    with running("lie", 21) as process:  # the second byte of a character, which is CSI
        status, out, error = bide("ps", process.pid, preexec_fn=forbid_reading)
        expect(status == 1 and "is damaged" in error, out, error)
    name = os.fsencode(FOLDER) + b"/s\x1b[31m\xff"
    shutil.copy("/bin/sh", name)
    with running("-c", "echo up; read x", program=name, stdin=subprocess.PIPE) as process:
        status, out, error = bide("ps", process.pid)
        expect(status == 1 and "(s?[31m?) is no program" in error, out, error)
    shutil.copy(f"{FOLDER}/app", os.fsencode(FOLDER) + b"/z\xff")
    with running("tree", program=os.fsencode(FOLDER) + b"/z\xff") as process:
        expect(tasks_of(process)[1]["program"] == "z?")


def may_be_others():
    """Whether this is root, other users are there, and their memory may be read: a container may
    have neither."""
    users = pathlib.Path("/proc/self/uid_map").read_text(encoding="ascii").split()
    status = pathlib.Path("/proc/self/status").read_text(encoding="ascii")
    rights = int(re.search(r"^CapEff:\s*(\w+)", status, re.M).group(1), 16)
    return os.geteuid() == 0 and int(users[2]) > 65534 and all(
        rights >> right & 1 for right in (7, 8, 19))  # CAP_SETUID, CAP_SETPCAP, CAP_SYS_PTRACE


def check_other_users():
    """Another user's answer is refused; a program that may be read but not be signalled is not."""
    if not may_be_others():
        return
    os.chmod(FOLDER, 0o755)
    command = shutil.copy(BIDE, f"{FOLDER}/bide")  # the build may be where others may not go
    with running("lie", 1, user=65534) as process:
        done = subprocess.run([command, "ps", str(process.pid)], user=65533, capture_output=True,
                              text=True, timeout=PATIENCE_S, check=False)
        expect(done.returncode == 1 and "belongs to another user" in done.stderr and
               not done.stdout, done)
        expect(bide("ps", process.pid, preexec_fn=forbid_reading)[0] == 0, "root may be answered")
    with running("tree", user=65534) as process:
        status, out, error = bide("ps", process.pid,  # PR_CAPBSET_DROP, CAP_KILL
                                  preexec_fn=lambda: ctypes.CDLL(None).prctl(24, 5, 0, 0, 0))
        expect(status == 0 and "12 tasks" in out, out, error)


def check_stopped():
    """A program that is stopped is said to be, also when nobody can connect any more."""
    with running("tree") as process:
        expect(bide("ps", process.pid, preexec_fn=forbid_reading)[0] == 0)  # now it listens
        process.send_signal(signal.SIGSTOP)
        others = [subprocess.Popen([BIDE, "ps", str(process.pid)], preexec_fn=forbid_reading,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)]
        sockets = []
        try:
            while len(sockets) < 64:  # until its backlog is full
                sockets.append(socket.socket(socket.AF_UNIX))
                sockets[-1].setblocking(False)
                if sockets[-1].connect_ex(f"\0bide-look/{process.pid}"):
                    break
            expect(len(sockets) < 64)
            others.append(subprocess.Popen(
                [BIDE, "ps", str(process.pid)], preexec_fn=forbid_reading, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True))
            for other in others:
                out, error = other.communicate(timeout=PATIENCE_S)
                expect(other.returncode == 1 and not out and "did not answer within 3 s: it is "
                       "stopped, or too busy" in error, out, error)
        finally:
            for one in sockets:
                one.close()
            for other in others:
                other.kill()
                other.wait()


def check_top():
    """One look as text; on a terminal again and again, as wide as it is, until q."""
    with running("tree", 40) as process:
        status, out, error = bide("top", process.pid, "--once", "--interval", "0.05")
        expect(status == 0 and "\033" not in out, error)
        expect(re.search(r"^40 +feed +waiting +sleeps", out, re.M) and "slices/s" in out, out)
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 50, 0, 0))
        top = subprocess.Popen([BIDE, "top", str(process.pid), "--interval", "0.05"], stdin=slave,
                               stdout=slave, stderr=slave)
        try:
            shown = b""
            while shown.count(b"\033[H") < 3:
                shown += os.read(master, 65536)
            os.write(master, b"q")
            expect(top.wait(timeout=PATIENCE_S) == 0, shown)
        finally:
            top.kill()
            top.wait()
        frame = shown.decode().split("\033[H\033[2J")[2].splitlines()  # with what changed
        expect(len(frame) <= 12 and all(len(line) <= 50 for line in frame), frame)
        os.close(master)
        os.close(slave)


def check_top_into_a_pipe():
    """`bide top PID | head`: it ends, and the terminal is as it was."""
    master, slave = pty.openpty()
    wanted = termios.tcgetattr(slave)
    with running("tree") as process:
        for restores in True, False:  # without, SIGPIPE is ignored
            top = subprocess.Popen([BIDE, "top", str(process.pid), "--interval", "0.05"],
                                   stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   restore_signals=restores)
            try:
                expect(top.stdout.readline().startswith(b"bide top"))
                expect(termios.tcgetattr(slave) == wanted, "the terminal is changed")
                top.stdout.close()
                expect(top.wait(timeout=PATIENCE_S) != 0)
                expect(termios.tcgetattr(slave) == wanted, "the terminal stays changed")
            finally:
                top.kill()
                top.wait()
                top.stderr.close()
        with subprocess.Popen([BIDE, "top", str(process.pid)], stdin=slave, stdout=slave) as top:
            try:
                os.read(master, 16)
                expect(termios.tcgetattr(slave) != wanted, "keys are not read")
                top.send_signal(signal.SIGHUP)
                expect(top.wait(timeout=PATIENCE_S) == 0)
                expect(termios.tcgetattr(slave) == wanted, "the terminal stays changed")
            finally:
                top.kill()
    os.close(master)
    os.close(slave)


def check_warnings():
    """A place where tasks pile up is worth a warning, at the top; nothing else here is."""
    with running("growth") as process:
        top = subprocess.Popen([BIDE, "top", str(process.pid), "--interval", "0.05"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        try:
            began = time.monotonic()
            for line in top.stdout:
                expect("\033" not in line and time.monotonic() < began + PATIENCE_S, line)
                if re.match(r"\d+ +\+\d+ +feed +waiting +sleeps .* grows$", line):
                    break
                expect(not line.rstrip().endswith("grows"), line)
        finally:
            top.kill()
            top.communicate()


def warnings_of(process, **options):
    """What `bide top` warns of: (tasks, name, warning), and its output."""
    status, out, error = bide("top", process.pid, "--once", "--interval", "0.05", **options)
    expect(status == 0, error)
    lines = [re.split(r"  +", line) for line in out.splitlines()]
    at = next(i for i, line in enumerate(lines) if line[0] == "TASKS") + 1
    words = ("grows", "no deadline", "pool empty", "circle of waits", "cancelled, and waits")
    return [(line[0], line[1], line[-1]) for line in lines[at:] if line[-1] in words], out


def check_no_deadline():
    """Tasks without a deadline are not hidden behind one that has one; what is meant is none."""
    with running("asks", 3) as process:
        warnings, out = warnings_of(process)
        expect(warnings == [("3", "ask", "no deadline")], out)
        status, out, error = bide("ps", process.pid)
        expect(status == 0 and re.search(r"^3 x +ask .* none! ", out, re.M) and
               len(re.findall(r"^#\d+ +ask .* 33 min ", out, re.M)) == 1 and
               out.count("none!") == 1 and re.search(r"^2 x +read_it ", out, re.M) is None, out)
        tasks = tasks_of(process)[1]["tasks"]
        lacking = [task["name"] for task in tasks if task["waits_for"]
                   and task["waits_for"]["lacks_deadline"]]
        expect(lacking == ["ask"] * 3, tasks)


def check_each_warning():
    """What takes long to come about, in a picture that is made up; and a loop that is blocked."""
    with running("lie", 1) as process:
        warnings, out = warnings_of(process, preexec_fn=forbid_reading)
        expect(sorted(warnings) == [("1", "left", "circle of waits"), ("1", "poor", "pool empty"),
                                    ("1", "right", "circle of waits"),
                                    ("1", "shielded", "cancelled, and waits")], out)
        expect("BLOCKED" in out, out)
        status, out, error = bide("ps", process.pid, preexec_fn=forbid_reading)
        expect(status == 0 and re.search(r" left .* #3 <- a circle", out) and
               re.search(r" right .* #2 <- a circle", out), out, error)
    with running("circle") as process:
        expect(re.search(r"^loop 0 .* BLOCKED$", warnings_of(process)[1], re.M))
    with running("tree") as process:
        warnings, out = warnings_of(process)
        expect(not warnings and "BLOCKED" not in out, out)


def check_signals():
    """SIGQUIT prints the tree and goes on; the second SIGINT says what it waits for and ends."""
    with running("tree") as process:
        process.send_signal(signal.SIGQUIT)
        lines = [process.stderr.readline()]
        while "12 tasks" not in lines[-1]:
            lines.append(process.stderr.readline())
            expect(lines[-1], lines)
        expect(any(re.search(r"#\d+ wanter .*wants mutex 'account' .*app\.c:%d" %
                             line_of("wanter waits"), line) for line in lines), lines)
        expect(process.poll() is None)
    with running("circle") as process:  # its loop does not answer
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.05)
        expect(process.returncode == 130, process.returncode)


def check_trace():
    """Slices, tasks, waits and wakes, each with its other half."""
    with running("tree") as process:
        status, out, error = bide("trace", process.pid, "--seconds", "0.2", "-o", "-")
        expect(status == 0, error)
        events = json.loads(out)["traceEvents"]
        slices = [event for event in events if event["ph"] == "X"]
        expect(all(event["dur"] >= 0 for event in slices), slices)
        ticks = [event for event in slices if event["name"].startswith("ticker #")]
        expect(len(ticks) > 20 and ticks[-1]["args"]["await"] == "bide_sleep(bide_ms(1))", ticks)
        expect(50000 < ticks[-1]["ts"] - ticks[0]["ts"] < 60e6, ticks[0], ticks[-1])
        open_of = {}
        for event in sorted((event for event in events if event["ph"] in "be"),
                            key=lambda event: event["ts"]):
            open_of.setdefault(event["id"], []).append(event["ph"])
        expect(all(phases.count("b") == phases.count("e") for phases in open_of.values()), open_of)
        starts = {event["id"]: event["ts"] for event in events if event["ph"] == "s"}
        ends = {event["id"]: event["ts"] for event in events if event["ph"] == "f"}
        expect(starts.keys() == ends.keys() and len(starts) >= 8, starts)
        expect(all(starts[one] <= ends[one] for one in starts), starts, ends)
        status, by_socket, error = bide("trace", process.pid, "--seconds", "0", "-o", "-",
                                        preexec_fn=forbid_reading)
        expect(status == 0 and any(event["ph"] == "X" for event in
                                   json.loads(by_socket)["traceEvents"]), error)


def gdb(*words):
    """What gdb says to some commands; the last argument is a list of them."""
    commands = [part for command in words[-1] for part in ("-ex", command)]
    done = subprocess.run(["timeout", "-k", "5", "60", BIDE, "gdb",
                           *(str(word) for word in words[:-1]), "-batch", "-nx", *commands],
                          capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    expect(done.returncode != 124, "gdb did not end")
    return done.stdout + done.stderr


def check_gdb():
    """Backtraces of tasks that wait, of a running program."""
    if not shutil.which("gdb"):
        return
    with running("tree", 2) as process:
        said = gdb(process.pid, ["bide tasks", "bide bt 4", "bide why 5", "bide bt 77",
                                 "bide bt nobody"])
        expect(re.search(r"#5 wanter +wants mutex 'account' +app\.c:%d" % line_of("wanter waits"),
                         said) and "9 tasks" in said, said)
        expect(re.search(r"#4 owner  sleeps.*bide_sleep \(.*#\d+ +owner \(\) at .*app\.c:%d"
                         r".*bide__boundary" % line_of("owner waits"), said, re.S), said)
        expect(re.search(r"#5 wanter .*\n  which has\n#4 owner", said), said)
        expect("there is no task #77" in said and "'nobody' is no task" in said, said)
        expect(process.poll() is None, "gdb ended it")
    with running("damage", 3) as process:
        said = gdb(process.pid, ["bide tasks", "bide bt all", "bide why 1", "echo alive"])
        expect("alive" in said and "Traceback" not in said and "Error occurred" not in said, said)


def core_of(*words):
    """The core of a program that crashes; None where the kernel puts cores elsewhere."""
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii").strip()
    if pattern.startswith("|") or "/" in pattern:
        return None
    folder = tempfile.mkdtemp(dir=FOLDER)

    def allow():
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)

    subprocess.run([f"{FOLDER}/app", *words], cwd=folder, preexec_fn=allow, check=False,
                   capture_output=True)
    cores = list(pathlib.Path(folder).glob(pattern.split("%")[0] + "*"))
    return str(cores[0]) if cores else None


def check_core():
    """The same of a core; a damaged one gives a message."""
    core = core_of("crash", "2") if shutil.which("gdb") else None
    if not core:
        return
    said = gdb(f"{FOLDER}/app", core, ["bide tasks", "bide bt 4", "bide bt 10", "bide why 5"])
    expect("10 tasks" in said and re.search(r"#10 crash +running", said), said)
    expect(re.search(r"#4 owner  sleeps.*\n  #0 +bide_(?!.*thunk.*owner \(\)).*#\d+ +owner \(\) at "
                     r".*app\.c:%d" % line_of("owner waits"), said, re.S), said)
    expect(re.search(r"#10 crash  running.*crash \(number=2\) at .*app\.c:%d" % line_of("crashes"),
                     said, re.S), said)
    expect(re.search(r"#5 wanter .*\n  which has\n#4 owner", said), said)
    whole = pathlib.Path(core).read_bytes()
    for cut, change in ((len(whole) // 2, b""), (len(whole), b"\xff")):
        damaged = bytearray(whole[:cut])
        for at in range(65536, cut, 4096) if change else ():
            damaged[at + 64:at + 96] = change * 32
        pathlib.Path(core).write_bytes(damaged)
        said = gdb(f"{FOLDER}/app", core, ["bide tasks", "bide bt all", "echo alive"])
        expect("alive" in said and "Traceback" not in said and "Error occurred" not in said, said)
    said = gdb("/bin/sh", ["bide tasks", "echo alive"])
    expect("this is no program of bide's" in said and "alive" in said, said)


def main():
    """Runs the checks; exit status 1 if one failed."""
    global FOLDER
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    checks = {name: value for name, value in globals().items()
              if name.startswith("check_") and only in name}
    failed = 0
    FOLDER = tempfile.mkdtemp(prefix="bide-look-")
    try:
        build("app")
        for name, one in checks.items():
            try:
                one()
            except (AssertionError, subprocess.SubprocessError, OSError, ValueError,
                    KeyError, TypeError) as error:
                failed += 1
                print(f"FAIL {name}: {error}")
    finally:
        shutil.rmtree(FOLDER)
    print(f"{len(checks) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
