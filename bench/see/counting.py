"""What the cases off_* share: the library and its programs with BIDE_SEE=0 beside the usual ones,
and instructions of both, in user space, by callgrind."""
import shutil
import signal
import socket
import subprocess

from common import BUILD, ROOT, RUN_LIMIT_S, announced_port, out_folder

OUT = out_folder("see")
OFF = OUT / "off"
REQUEST = b"GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
REPLY_END = b"Hello, World!"
COUNT, REQUESTS = 100000, 3000


def built(programs, source):
    """Whether on_NAME and off_NAME are there, made of a source; what is missing is noted."""
    name = source.rpartition("/")[2].removesuffix(".c")
    if not shutil.which("valgrind"):
        programs.leave_out(f"off_cost of {name}", "valgrind")
        return False
    if f"off_{name}" in programs.built:
        return True
    again = ["--reconfigure"] if (OFF / "build.ninja").exists() else []  # there may be new sources
    subprocess.run(["meson", "setup", *again, "--buildtype=debugoptimized", "-Dtests=false",
                    "-Dc_args=-DBIDE_SEE=0", str(OFF), str(ROOT)], check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", str(OFF), "src/libbide.a"], check=True,
                   stdout=subprocess.DEVNULL)
    words = subprocess.check_output(
        ["pkg-config", "--static", "--cflags", "--libs-only-l",
         str(BUILD / "meson-uninstalled/bide-uninstalled.pc")], text=True).split()
    flags = [word for word in words if not word.startswith("-l")]
    libraries = [word for word in words if word.startswith("-l") and word != "-lbide"]
    for prefix, library, more in (("on", BUILD / "src/libbide.a", []),
                                  ("off", OFF / "src/libbide.a", ["-DBIDE_SEE=0"])):
        programs.compile(f"{prefix}_{name}",
                         [*programs.cc, *programs.c_flags, *more, "-I", ROOT / "include", *flags,
                          source, library, "-pthread", "-ldl", "-lm", "-Wl,-z,now", *libraries],
                         quiet=False)
    there = {f"on_{name}", f"off_{name}"} <= programs.built
    programs.incomplete |= not there
    return there


def command(program, *words):
    """A program under callgrind."""
    return ["valgrind", "--tool=callgrind", f"--callgrind-out-file={OUT / 'callgrind.out'}",
            f"--log-file={OUT / 'valgrind.log'}", str(program), *(str(word) for word in words)]


def total():
    """Of the last program."""
    lines = (OUT / "callgrind.out").read_text(encoding="utf-8").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("totals:")))


def of_operations(program, what, count):
    """Of a run of bide_see."""
    subprocess.run(command(program, what, count), check=True, timeout=RUN_LIMIT_S,
                   stdout=subprocess.DEVNULL)
    return total()


def of_requests(program, count):
    """Of a server that answers so many requests of one connection, one after the other."""
    server = subprocess.Popen(command(program), stdout=subprocess.PIPE, text=True)
    try:
        with socket.create_connection(("127.0.0.1", announced_port(server))) as client:
            client.settimeout(RUN_LIMIT_S)
            for _ in range(count):
                client.sendall(REQUEST)
                reply = b""
                while not reply.endswith(REPLY_END):
                    got = client.recv(65536)
                    if not got:
                        raise SystemExit("bench: the server closed the connection")
                    reply += got
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=RUN_LIMIT_S)
    finally:
        server.kill()
        server.communicate()
    return total()


def operations(programs, what):
    """Instructions of one operation of bide_see, and without what is noted; None: not built."""
    if not built(programs, "bide_see.c"):
        return None
    return [(of_operations(programs.path(f"{kind}_bide_see"), what, 2 * COUNT)
             - of_operations(programs.path(f"{kind}_bide_see"), what, COUNT)) / COUNT
            for kind in ("on", "off")]


def requests(programs):
    """The same of a request to the server of bench/http."""
    if not built(programs, "../http/bide_http.c"):
        return None
    return [(of_requests(programs.path(f"{kind}_bide_http"), 2 * REQUESTS)
             - of_requests(programs.path(f"{kind}_bide_http"), REQUESTS)) / REQUESTS
            for kind in ("on", "off")]


def difference(pair):
    """What is noted costs so many instructions."""
    if not pair:
        return None
    print(f"{pair[0]:.1f} instructions, {pair[1]:.1f} without what is noted")
    return pair[0] - pair[1]
