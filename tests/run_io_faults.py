#!/usr/bin/env python3
"""Runs tests of streams while system calls of the io_uring backend fail, by strace --inject: no
operation may be lost, none may hang, and a ring that cannot be made is epoll.

Called by tools/run_tests with BIDE_BUILD, the build folder. What fails is one call in three, or the
first ones: a test then passes as it does without. Ends with the closing line.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

BUILD = pathlib.Path(os.environ["BIDE_BUILD"])
STREAMS = "tests/unit-io-stream_test"
LISTENERS = "tests/unit-io-listener_test"
BACKENDS = "tests/unit-io-epoll_test"
FILES = "tests/unit-io-file_test"
SITES = "tests/unit-web-serve_test"
PATIENCE_S = 60

# Programs and their tests.
TESTS = (
    (STREAMS, "echo_over_tcp"),
    (STREAMS, "much_at_once_in_both_directions"),
    (STREAMS, "a_reader_that_does_not_read_holds_up_nobody"),
    (STREAMS, "closing_wakes_who_waits"),
    (STREAMS, "a_cancelled_read_leaves_its_buffer_alone"),
    (LISTENERS, "several_tasks_accept"),
    (BACKENDS, "any_descriptor_can_be_waited_for"),
    (FILES, "much_at_a_position"),
    (SITES, "bodies"),
)
# Which call fails, how, and when: strace's words.
ENTERING = [("io_uring_enter", error, "2+3") for error in ("EINTR", "EBUSY", "EAGAIN", "ENOMEM")]
# The first is the one that tells whether there is io_uring at all.
MAKING = [("io_uring_setup", error, "1+") for error in ("EPERM", "ENOSYS", "ENOMEM")]
# Without buffers for it to receive into, streams are polled.
REGISTERING = [("io_uring_register", error, "1+") for error in ("EINVAL", "ENOMEM")]


def injected(program, test, call, error, when):
    """Runs it; gives whether it passed, how often the call failed, and what it said."""
    with tempfile.TemporaryDirectory(prefix="bide-faults-") as folder:
        trace = pathlib.Path(folder) / "trace"
        command = ["strace", "-f", "-qq", "-o", trace, "-e", f"trace={call}",
                   "-e", f"inject={call}:error={error}:when={when}",
                   BUILD / program, "--only", test]
        try:
            done = subprocess.run(command, env=dict(os.environ, BIDE_IO="uring"),
                                  capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        except subprocess.TimeoutExpired:
            return False, 0, f"still running after {PATIENCE_S} s"
        failures = trace.read_text(encoding="utf-8").count("(INJECTED)")
        passed = done.returncode == 0 and "1 passed, 0 failed" in done.stdout
        return passed, failures, done.stdout + done.stderr


def works():
    """Whether strace may trace here, and the kernel makes rings."""
    with tempfile.NamedTemporaryFile(prefix="bide-faults-") as trace:
        command = ["strace", "-f", "-qq", "-o", trace.name, "-e", "trace=io_uring_setup",
                   BUILD / STREAMS, "--only", "echo_over_tcp"]
        subprocess.run(command, env=dict(os.environ, BIDE_IO="uring"), capture_output=True,
                       timeout=PATIENCE_S, check=False)
        text = pathlib.Path(trace.name).read_text(encoding="utf-8")
    return "io_uring_setup" in text and "= -1" not in text


def main():
    """Runs the cases; exit status 1 if anything failed."""
    if not shutil.which("strace") or not works():
        print("skipped: no strace, or no io_uring here\n0 passed, 0 failed, 1 skipped")
        return 0
    cases = [(program, test, *fault) for program, test in TESTS for fault in ENTERING]
    cases += [(*TESTS[0], *fault) for fault in MAKING + REGISTERING]
    cases += [(*TESTS[2], *fault) for fault in REGISTERING]
    failed = 0
    for program, test, call, error, when in cases:
        passed, failures, said = injected(program, test, call, error, when)
        if not passed or failures == 0:
            failed += 1
            print(f"FAILED {test} with {call} {error}, {failures} times\n{said}")
    print(f"{len(cases) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
