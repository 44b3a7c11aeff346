#!/usr/bin/env python3
"""Opens /docs in a headless chromium: it renders, asks no other host, and its console is quiet.

See browser/README.md. Called by tools/run_tests with BIDE_BUILD and CC; ends with the closing line.
Without a chromium it is skipped, and without Swagger UI its page is.
"""
import base64
import fcntl
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLAGS = ["-std=gnu11", "-O1", "-g", "-fexceptions", "-Wall", "-Wextra", "-Werror"]
WAIT_S = 60


class Browser:
    """A chromium, and one page in it."""

    def __init__(self, program, profile):
        to_read, self.out = os.pipe()
        self.incoming, to_write = os.pipe()
        # The browser reads its descriptor 3 and writes its 4: moved out of the way of both first.
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (to_read, to_write)]

        def place():
            os.dup2(theirs[0], 3)
            os.dup2(theirs[1], 4)

        command = [program, "--headless=new", "--remote-debugging-pipe", "--disable-gpu",
                   "--no-first-run", "--disable-background-networking", "--disable-sync",
                   "--disable-extensions", "--disable-component-update", "--disable-dev-shm-usage",
                   "--window-size=1100,1300", f"--user-data-dir={profile}",
                   "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "about:blank"]
        if os.geteuid() == 0:
            command.insert(1, "--no-sandbox")
        self.process = subprocess.Popen(command, preexec_fn=place, close_fds=False,
                                        start_new_session=True, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for fd in [to_read, to_write] + theirs:
            os.close(fd)
        self.buffer = b""
        self.last = 0
        self.events = []
        self.session = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target,
                                flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.ask(domain + ".enable")

    def close(self):
        """Ends the browser, with all of its processes: they are a session of their own."""
        os.close(self.out)
        os.close(self.incoming)
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def receive(self, deadline):
        """The next message."""
        while b"\0" not in self.buffer:
            ready = select.select([self.incoming], [], [], max(0, deadline - time.monotonic()))[0]
            piece = os.read(self.incoming, 1 << 16) if ready else b""
            if not piece:
                raise TimeoutError("the browser does not answer")
            self.buffer += piece
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def ask(self, method, **parameters):
        """Calls a method; events that come meanwhile are kept."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + WAIT_S
        while True:
            answer = self.receive(deadline)
            if answer.get("id") == self.last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def evaluate(self, expression):
        """The value of an expression in the page."""
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return result["result"].get("value")

    def open(self, url):
        """Goes to a page, and forgets what was before."""
        self.ask("Page.navigate", url="about:blank")
        self.events = []
        self.ask("Page.navigate", url=url)

    def until(self, expression):
        """Waits until an expression is true; gives its value."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            value = self.evaluate(expression)
            if value:
                return value
            time.sleep(0.1)
        return None

    def screenshot(self, name):
        """Writes what the page looks like."""
        data = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        pathlib.Path(name).write_bytes(base64.b64decode(data))

    def requests(self):
        """The addresses that the page has asked for."""
        return [event["params"]["request"]["url"] for event in self.events
                if event["method"] == "Network.requestWillBeSent"]

    def complaints(self):
        """What a developer would see in the console in yellow or red."""
        found = []
        for event in self.events:
            parameters = event.get("params", {})
            if event["method"] == "Log.entryAdded" \
                    and parameters["entry"]["level"] in ("warning", "error"):
                entry = parameters["entry"]
                found.append(entry["text"] + " " + entry.get("url", ""))
            elif event["method"] == "Runtime.exceptionThrown":
                found.append(str(parameters["exceptionDetails"]))
            elif event["method"] == "Runtime.consoleAPICalled" \
                    and parameters["type"] in ("warning", "error", "assert"):
                found.append(str(parameters["args"]))
        return found


class Checks:
    """Counts what passed and prints what did not."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, title, good, detail=""):
        """One check."""
        self.passed += bool(good)
        self.failed += not good
        print(f"{'ok' if good else 'FAILED'} {title}" + ("" if good else f": {detail}"))
        return good


class Server:
    """docs_app, with this folder of Swagger UI ("": none)."""

    def __init__(self, program, swagger):
        environment = dict(os.environ, BIDE_SWAGGER_UI=swagger)
        self.process = subprocess.Popen([program], env=environment, stdout=subprocess.PIPE,
                                        text=True)
        self.url = f"http://127.0.0.1:{self.process.stdout.readline().strip()}"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.wait()


def quiet(checks, browser, url, title):
    """No other host, no complaint."""
    host = urllib.parse.urlsplit(url).netloc
    foreign = [asked for asked in browser.requests() if not asked.startswith(("data:", "blob:"))
               and urllib.parse.urlsplit(asked).netloc != host]
    checks.check(f"{title}: it asks no other host", not foreign, foreign)
    complaints = browser.complaints()
    checks.check(f"{title}: nothing in the console", not complaints, complaints)


def try_operation(browser, block):
    """Opens an operation, sends it, and gives what came back."""
    for button in (".opblock-summary-control", ".try-out__btn", ".execute"):
        browser.until(f"!!document.querySelector('{block} {button}')")
        browser.evaluate(f"document.querySelector('{block} {button}').click()")
    return browser.until(f"(document.querySelector('{block} .live-responses-table .microlight')"
                         " || {}).textContent")


def authorize(checks, browser):
    """Gives a token to the form behind "Authorize"; the next request carries it."""
    browser.evaluate("document.querySelector('.auth-wrapper .authorize').click()")
    browser.until("!!document.querySelector('.auth-container input')")
    # React hears of a value only if it was set behind its back and then announced.
    browser.evaluate("""(() => {
        const input = document.querySelector('.auth-container input');
        Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')
            .set.call(input, 'a-token');
        input.dispatchEvent(new Event('input', {bubbles: true}));
        document.querySelector('.auth-container .authorize').click();
    })()""")
    browser.until("!!document.querySelector('.auth-container .btn-done')")
    browser.evaluate("document.querySelector('.auth-container .btn-done').click()")
    answer = try_operation(browser, "#operations-people-who_am_i")
    checks.check("swagger: the token of \"Authorize\" arrives", answer == "a-token", answer)


def look_at_swagger(checks, browser, url):
    """Swagger UI: the operations, one of them tried, the authorization form."""
    browser.open(url + "/docs")
    count = browser.until("document.querySelectorAll('.opblock').length")
    checks.check("swagger: all operations are there", count == 5, count)
    shown = browser.evaluate("document.querySelector('.title').textContent")
    checks.check("swagger: the title is text", "Books & <b>more</b>" in (shown or ""), shown)
    tag = browser.evaluate("document.title")
    checks.check("swagger: so is the page's", tag == "Books & <b>more</b>", tag)
    answer = try_operation(browser, "#operations-default-list_books")
    checks.check("swagger: an operation can be tried", answer and '"pages": 310' in answer, answer)
    authorize(checks, browser)
    quiet(checks, browser, url, "swagger")
    if os.environ.get("BIDE_SCREENSHOT"):
        browser.screenshot(os.environ["BIDE_SCREENSHOT"])


def look_at_plain(checks, browser, url):
    """The page without Swagger UI."""
    browser.open(url + "/docs")
    count = browser.until("document.querySelectorAll('main details').length")
    checks.check("plain: all operations are there", count == 5, count)
    shown = browser.evaluate("document.querySelector('h1').textContent")
    checks.check("plain: the title is text", shown == "Books & <b>more</b> 2.1", shown)
    quiet(checks, browser, url, "plain")
    if os.environ.get("BIDE_SCREENSHOT"):
        browser.screenshot(os.environ["BIDE_SCREENSHOT"] + ".plain.png")


def main():
    """Builds the application and looks at it; exit status 1 if anything failed."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        print("skipped: no chromium here\n0 passed, 0 failed, 1 skipped")
        return 0
    checks = Checks()
    swagger = os.environ.get("BIDE_SWAGGER_UI", "")
    libraries = pathlib.Path(os.environ["BIDE_BUILD"]) / "src"
    with tempfile.TemporaryDirectory(prefix="bide-docs-", ignore_cleanup_errors=True) as folder:
        application = folder + "/docs_app"
        subprocess.run([os.environ.get("CC", "cc"), *FLAGS, f"-I{ROOT}/include", "-o", application,
                        str(ROOT / "tests/browser/docs_app.c"), f"-L{libraries}", "-lbide",
                        f"-Wl,-rpath,{libraries}", "-pthread"], check=True)
        browser = Browser(program, folder + "/profile")
        try:
            with Server(application, "") as server:
                look_at_plain(checks, browser, server.url)
            if swagger:
                with Server(application, swagger) as server:
                    look_at_swagger(checks, browser, server.url)
        finally:
            browser.close()
    print(f"{checks.passed} passed, {checks.failed} failed, {0 if swagger else 1} skipped")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
