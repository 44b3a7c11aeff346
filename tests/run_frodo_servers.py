#!/usr/bin/env python3
"""The application on real servers, over sockets: a story from the registration with a mailed code
to the administration, on the embedded default and in production mode on PostgreSQL, Redis and an
SMTP server; databases that restart under load; stops under load.

Called by tools/run_tests, which builds "apps/frodo" for it: once, since what the program does here
changes with no build. Each check is a function whose name begins with check_; what they start is
ended by its process. Ends with the closing line.

usage: run_frodo_servers.py [NAME...]   only checks whose name contains one of these
"""
import collections
import concurrent.futures
import contextlib
import http.client
import json
import os
import re
import secrets
import signal
import sys
import threading
import time
import urllib.parse

from run_frodo import PATIENCE_S, ROOT, Site, Skip, run, run_checks

sys.path.append(str(ROOT / "tools"))
import scratch_servers  # noqa: E402

PASSWORD = "correct horse battery"
ADMIN = "gandalf"


# ---- the servers ---------------------------------------------------------------------------------
class Postgres(scratch_servers.Postgres):
    """What is committed need not outlive the machine."""

    def __init__(self, **settings):
        super().__init__(**{"fsync": "off", "shared_buffers": "16MB", "max_connections": 60,
                            **settings})

    def restart(self, number):
        """Stops it and starts it again."""
        self.stop(number)
        time.sleep(0.4)  # somebody meets it while it is away
        self.begin()

    def kill_a_backend(self):
        """As the kernel does when memory is short: then all others end too, and it recovers."""
        pid = int(self.sql("select pid from pg_stat_activity where usename = 'bench' and "
                           "pid <> pg_backend_pid() and backend_type = 'client backend' limit 1"))
        os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def servers(*kinds):
    """Those that are asked for, started; Skip where one is missing."""
    with contextlib.ExitStack() as stack:
        try:
            yield [stack.enter_context(kind()) for kind in kinds]
        except scratch_servers.Missing as missing:
            raise Skip(f"no {missing} here: ./dev deps test") from missing


def production(**urls):
    """Settings that production takes, behind a proxy that ends TLS; visitors may write as much as
    they can."""
    return {"FRODO_MODE": "production", "PUBLIC_URL": "https://frodo.example",
            "SECRET_KEY": secrets.token_hex(32), "SMTP_URL": "smtp://127.0.0.1:9", **urls,
            "BIDE_TRUSTED_PROXIES": "127.0.0.1", "COMMENTS_PER_MINUTE": "1000000"}


# ---- who asks ------------------------------------------------------------------------------------
class Reply:
    """What came back; `json` is None for other types."""

    def __init__(self, reply):
        self.status, self.headers, self.body = reply.status, reply.headers, reply.read().decode()
        is_json = (reply.headers.get_content_type() or "").endswith("json")
        self.json = json.loads(self.body) if is_json and self.body else None
        self.closes = reply.will_close

    def __repr__(self):
        return f"{self.status} {self.body[:500]}"


class Visitor:
    """One of the site's visitors, on a connection that is kept. In production all come through a
    proxy; each has an address of its own."""

    numbers = iter(range(1, 250))

    def __init__(self, site, token=None):
        where = urllib.parse.urlsplit(site.url)
        self.connection = http.client.HTTPConnection(where.hostname, where.port, timeout=PATIENCE_S)
        self.headers = {"X-Forwarded-For": f"192.0.2.{next(self.numbers)}"}
        if site.in_production:
            self.headers.update({"X-Forwarded-Proto": "https", "Host": "frodo.example"})
        self.browses = {"Sec-Fetch-Site": "same-origin"}
        self.cookie = None
        if token:
            self.headers["Authorization"] = "Bearer " + token

    def ask(self, method, path, body=None, form=None, **headers):
        """One request; `body` is sent as JSON, `form` as a form is."""
        headers = {**self.headers, **headers}
        if body is not None:
            headers["Content-Type"], body = "application/json", json.dumps(body)
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urllib.parse.urlencode(form)
        if self.cookie:
            headers.update(self.browses, Cookie=self.cookie)
        self.connection.request(method, path, body, headers)
        reply = Reply(self.connection.getresponse())
        for cookie in reply.headers.get_all("Set-Cookie") or []:
            self.cookie = cookie.split(";")[0]
        return reply

    def expect(self, status, *request, **more):
        """The same, with this status; gives the JSON."""
        reply = self.ask(*request, **more)
        assert reply.status == status, (request, more, reply)
        return reply.json

    def login(self, name, password=PASSWORD):
        """By the form of OAuth 2: later requests have the token. Gives what the login gave."""
        grant = self.expect(200, "POST", "/api/auth/login",
                            form={"username": name, "password": password})
        self.headers["Authorization"] = "Bearer " + grant["access_token"]
        return grant

    def close(self):
        """Ends its connection."""
        self.connection.close()


def code_in(mails, address, before=0):
    """The code in the newest mail to the address, of which there are more than `before`."""
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        texts = [mail["text"] for mail in mails() if address in mail["to"]]
        if len(texts) > before:
            return re.search(r"\b(\d{6})\b", texts[-1])[1]
        time.sleep(0.02)
    raise AssertionError(f"no mail to {address} has come")


def registered(site, mails, name):
    """Somebody with an account, logged in by token."""
    visitor, address = Visitor(site), name + "@shire.example"
    visitor.expect(202, "POST", "/api/auth/email-codes",
                   {"email": address, "purpose": "register"})
    form = {"email": address, "username": name, "password": PASSWORD,
            "password_confirm": PASSWORD, "code": code_in(mails, address)}
    visitor.expect(201, "POST", "/api/auth/register", form)
    visitor.login(name)
    return visitor


# ---- the story -----------------------------------------------------------------------------------
def tell_registering(site, mails):
    """A code by mail, wrong ones, a taken name; gives the new account's visitor."""
    sam, address = Visitor(site), "sam@shire.example"
    sam.expect(202, "POST", "/api/auth/email-codes", {"email": address, "purpose": "register"})
    form = {"email": address, "username": "sam", "password": PASSWORD,
            "password_confirm": PASSWORD + "x", "code": code_in(mails, address)}
    problems = sam.expect(422, "POST", "/api/auth/register", {**form, "username": "S"})["detail"]
    wrong = {problem["loc"][-1] for problem in problems}
    assert wrong >= {"username", "password_confirm"}, problems
    form["password_confirm"] = PASSWORD
    wrong = f"{(int(form['code']) + 1) % 1000000:06}"
    said = sam.expect(400, "POST", "/api/auth/register", {**form, "code": wrong})
    taken = sam.expect(409, "POST", "/api/auth/register", {**form, "username": ADMIN})
    assert "username" in json.dumps(taken), taken
    assert sam.expect(201, "POST", "/api/auth/register", form)["username"] == "sam"
    again = sam.expect(400, "POST", "/api/auth/register", {**form, "username": "samwise"})
    assert again == said, (again, said)
    return sam


def tell_logins(sam):
    """Wrong passwords, rotation and reuse of refresh tokens, logging out."""
    for name in ("sam", "nobody"):
        said = sam.expect(400, "POST", "/api/auth/login", form={"username": name, "password": "no"})
        assert said["detail"] == "Incorrect User Auth.", said
    grant = sam.login("sam@shire.example")
    assert grant["token_type"] == "bearer" and grant["expires_in"] == 900, grant
    assert sam.expect(200, "GET", "/api/users/me")["email"] == "sam@shire.example"
    old = {"refresh_token": grant["refresh_token"]}
    new = sam.expect(200, "POST", "/api/auth/refresh", old)
    newer = sam.expect(200, "POST", "/api/auth/refresh", {"refresh_token": new["refresh_token"]})
    sam.expect(401, "POST", "/api/auth/refresh", old)  # used before: the whole family ends
    sam.expect(401, "POST", "/api/auth/refresh", {"refresh_token": newer["refresh_token"]})
    grant = sam.expect(200, "POST", "/auth", form={"username": "sam", "password": PASSWORD})
    token = {"refresh_token": grant["refresh_token"]}
    sam.expect(204, "POST", "/api/auth/logout", token)
    sam.expect(401, "POST", "/api/auth/refresh", token)
    sam.expect(401, "GET", "/api/users/me", Authorization="Bearer " + grant["access_token"] + "x")
    sam.expect(200, "PATCH", "/api/users/me", {"about": "A gardener."})


def tell_recovery(site, sam, mails):
    """A new password ends what was; so does logging out everywhere."""
    sam.expect(202, "POST", "/api/auth/email-codes",
               {"email": "sam@shire.example", "purpose": "recover"})
    Visitor(site).expect(202, "POST", "/api/auth/email-codes",
                         {"email": "nobody@shire.example", "purpose": "recover"})
    form = {"email": "sam@shire.example", "password": "a garden of roses",
            "password_confirm": "a garden of roses",
            "code": code_in(mails, "sam@shire.example", 1)}
    sam.expect(204, "POST", "/api/auth/recover", form)
    sam.expect(401, "GET", "/api/users/me")
    sam.expect(400, "POST", "/api/auth/login", form={"username": "sam", "password": PASSWORD})
    sam.login("sam", "a garden of roses")
    sam.expect(204, "POST", "/api/auth/logout", {})
    sam.expect(401, "GET", "/api/users/me")
    sam.login("sam", "a garden of roses")
    assert not [mail for mail in mails() if "nobody" in mail["to"]]


def tell_administration(sam, admin):
    """Many accounts at once, or none of them; roles."""
    sam.expect(403, "GET", "/api/users")
    row = {"email": "rosie@shire.example", "username": "rosie", "password": PASSWORD}
    rows = [row, {"email": "sam@shire.example", "username": "samwise", "password": PASSWORD}]
    problems = admin.expect(422, "POST", "/api/users/batch", {"users": rows})["detail"]
    assert [problem["loc"][:3] for problem in problems] == [["body", "users", 1]], problems
    assert admin.expect(200, "GET", "/api/users?q=rosie")["total"] == 0
    rows[1] = {**rows[1], "email": "tolman@shire.example", "username": "tolman"}
    made = admin.expect(201, "POST", "/api/users/batch?ticket=t-1", {"users": rows})
    assert made["total"] == 2, made
    progress = admin.expect(200, "GET", "/api/users/batch/t-1")
    assert progress is None or progress == {"done": 2, "total": 2}, progress
    found = admin.expect(200, "GET", "/api/users?page=1&size=2&q=shire.example&order=username")
    assert found["total"] >= 4 and len(found["rows"]) == 2, found
    assert {"page", "size"} <= set(found), found
    admin.expect(422, "GET", "/api/users?page=0&size=101")
    number = sam.expect(200, "GET", "/api/users/me")["id"]
    admin.expect(200, "PATCH", f"/api/users/{number}", {"role_id": 2})
    until = time.monotonic() + 1  # with Redis other workers know it a moment after the commit
    while "posts:publish" not in sam.expect(200, "GET", "/api/users/me")["permissions"]:
        assert time.monotonic() < until, "the new role does not hold"
    gone = next(row["id"] for row in made["rows"] if row["username"] == "tolman")
    admin.expect(204, "DELETE", f"/api/users/{gone}")
    admin.expect(404, "GET", f"/api/users/{gone}")


POSTS = [{"title": "An asynchronous garden", "content": "# Roses\n\n<script>alert(1)</script>",
          "tags": ["garden", "async"], "status": "published"},
         {"title": "异步的花园", "content": "花园里的**玫瑰**。", "tags": ["花园"], "status": "published"},
         {"title": "비동기 정원", "content": "정원의 장미.", "tags": ["정원"], "status": "published"}]


def tell_blog(site, sam, admin):
    """Posts, comments, reactions, what others see of them, and the search; gives a slug."""
    anyone = Visitor(site)
    made = [sam.expect(201, "POST", "/api/posts", {**post, "status": "draft"}) for post in POSTS]
    anyone.expect(404, "GET", f"/api/posts/{made[0]['id']}")
    for post in made:
        reply = sam.ask("PATCH", f"/api/posts/{post['id']}", {"status": "published"},
                        **{"If-Match": f'"{post["version"]}"'})
        assert reply.status == 200, reply
    sam.expect(412, "PATCH", f"/api/posts/{made[0]['id']}", {"title": "x"}, **{"If-Match": '"1"'})
    post = anyone.expect(200, "GET", f"/api/posts/{made[0]['id']}")
    assert "<script" not in post["html_content"] and "Roses</h" in post["html_content"], post
    place = f"/api/posts/{post['id']}"
    anyone.expect(401, "POST", place + "/comments", {"content": "me too"})
    comment = admin.expect(201, "POST", place + "/comments", {"content": "<b>Well</b> done"})
    counts = admin.expect(200, "PUT", place + "/reactions/love")
    assert {"kind": "love", "count": 1, "mine": True} in counts, counts
    for word, title in (("异步", POSTS[1]["title"]), ("玫瑰", POSTS[1]["title"]),
                        ("비동", POSTS[2]["title"]), ("장미", POSTS[2]["title"]),
                        ("garden", POSTS[0]["title"])):
        for start in ("/api/search?q=", "/search?q="):
            reply = anyone.ask("GET", start + urllib.parse.quote(word))
            assert reply.status == 200 and title in reply.body, (word, reply)
    assert any(tag["name"] == "garden" for tag in anyone.expect(200, "GET", "/api/tags"))
    page = anyone.ask("GET", "/posts/" + post["slug"])
    assert "&lt;b&gt;Well&lt;/b&gt; done" in page.body, page
    admin.expect(204, "DELETE", f"/api/comments/{comment['id']}")
    assert "done" not in anyone.ask("GET", "/posts/" + post["slug"]).body
    return post["slug"]


def tell_pages(site, slug):
    """A browser: its cookie, a comment by form, a form of another site."""
    browser = Visitor(site)
    for path in ("/", "/?page=1", "/posts/" + slug, "/tags/garden", "/login", "/register",
                 "/recover", "/static/frodo.css"):
        browser.expect(200, "GET", path)
    browser.cookie = "x=y"  # a browser from here on
    reply = browser.ask("POST", "/login", form={"username": ADMIN, "password": PASSWORD})
    assert reply.status == 303, reply
    cookie = reply.headers["Set-Cookie"]
    is_secure = "Secure" in cookie
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie, cookie
    for path in ("/profile", "/admin/users", "/admin/roles", "/admin/posts", "/admin/comments"):
        browser.expect(200, "GET", path)
    reply = browser.ask("POST", f"/posts/{slug}/comments", form={"content": "by a form"})
    assert reply.status == 303 and "by a form" in browser.ask("GET", "/posts/" + slug).body, reply
    browser.browses = {"Sec-Fetch-Site": "cross-site"}
    browser.expect(403, "POST", f"/posts/{slug}/comments", form={"content": "forged"})
    browser.browses = {"Sec-Fetch-Site": "same-origin"}
    assert browser.ask("POST", "/logout", form={}).status == 303
    reply = browser.ask("GET", "/profile")
    assert reply.status in (303, 401), reply
    return is_secure


def tell_operations(site):
    """What is watched."""
    anyone = Visitor(site)
    assert anyone.expect(200, "GET", "/healthz") == {"status": "ok"}
    assert anyone.expect(200, "GET", "/readyz") == {"status": "ok"}
    reply = anyone.ask("GET", "/metrics")
    assert reply.status == 200 and "# TYPE bide_" in reply.body, reply
    name = "an-id-of-the-proxy"
    assert anyone.ask("GET", "/healthz", **{"X-Request-Id": name}).headers["X-Request-Id"] == name


def tell(site, mails):
    """The whole story; gives whether cookies are for TLS only."""
    admin = Visitor(site)
    admin.login(ADMIN)
    sam = tell_registering(site, mails)
    tell_logins(sam)
    tell_recovery(site, sam, mails)
    tell_administration(sam, admin)
    slug = tell_blog(site, sam, admin)
    tell_operations(site)
    return tell_pages(site, slug)


def prepare(folder, **settings):
    """A site with demo posts and an administrator."""
    for arguments, given in ((("init",), ""),
                             (("adduser", "--admin", ADMIN, ADMIN + "@shire.example"), PASSWORD)):
        status, _, said = run(folder, *arguments, given=given, **settings)
        assert status == 0, said


def check_the_story_on_the_embedded_default(folder):
    prepare(folder)
    with Site(folder, "--workers", "2") as site:
        anyone = Visitor(site)
        assert not tell(site, lambda: anyone.expect(200, "GET", "/dev/outbox.json")[::-1])


def check_the_story_on_servers(folder):
    with servers(Postgres, scratch_servers.Redis, scratch_servers.Smtp) as (postgres, redis, smtp):
        for number, codes in enumerate(("sql", "redis")):
            place = f"{folder}/{codes}"
            os.mkdir(place)
            settings = production(DATABASE_URL=postgres.url, REDIS_URL=f"{redis.url}/{number}",
                                  SMTP_URL=smtp.url, CODES=codes)
            (smtp.folder / "mails").unlink(missing_ok=True)
            postgres.sql("drop schema public cascade; create schema public")
            prepare(place, **settings)
            with Site(place, "--workers", "2", **settings) as site:
                assert tell(site, smtp.mails), "the cookie is not for TLS only"
            mails = smtp.mails()
            assert len(mails) == 2 and all(not mail["defects"] for mail in mails), mails
            assert mails[0]["from"] == "Frodo <frodo@localhost.example>", mails[0]


def check_more_connections_than_the_server_has(folder):
    """Refused in production, before anybody is served; in development a warning."""
    with servers(lambda: Postgres(max_connections=20, superuser_reserved_connections=3)) as found:
        wants = ("run", "--port", "0", "--workers", "2")
        settings = production(DATABASE_URL=found[0].url)
        begin = time.monotonic()
        status, _, said = run(folder, *wants, **settings)
        assert time.monotonic() - begin < 10, "what was opened already has held the end"
        assert status == 1 and "may open 48 connections" in said and "pool_size" in said, said
        assert "has room for 17: its max_connections is 20" in said, said
        with Site(folder, *wants[3:], DATABASE_URL=found[0].url) as site:
            assert "may open 48 connections" in site.logged()
        settings = production(DATABASE_URL=found[0].url + "&pool_size=6&max_overflow=2")
        with Site(folder, *wants[3:], **settings):
            pass


# ---- one code, many registrations ----------------------------------------------------------------
def race(site, mails, name, count):
    """Registers with one code `count` times at once, by other names; gives the statuses."""
    address = name + "@shire.example"
    Visitor(site).expect(202, "POST", "/api/auth/email-codes",
                         {"email": address, "purpose": "register"})
    form = {"email": address, "password": PASSWORD, "password_confirm": PASSWORD,
            "code": code_in(mails, address)}
    runners = [Visitor(site) for _ in range(count)]
    line = threading.Barrier(count)

    def run_one(number):
        runners[number].expect(200, "GET", "/healthz")  # it is connected
        line.wait()
        return runners[number].ask("POST", "/api/auth/register",
                                   {**form, "username": f"{name}_{number}"}).status

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return sorted(pool.map(run_one, range(count)))


def check_one_code_makes_one_account(folder):
    with servers(Postgres, scratch_servers.Redis, scratch_servers.Smtp) as (postgres, redis, smtp):
        for number, (database, codes) in enumerate(((postgres.url, "sql"), (postgres.url, "redis"),
                                                    ("sqlite://frodo.db", "sql"))):
            settings = production(DATABASE_URL=database, SMTP_URL=smtp.url, CODES=codes,
                                  REDIS_URL=f"{redis.url}/{number}")
            (smtp.folder / "mails").unlink(missing_ok=True)
            with Site(folder, "--workers", "2", **settings) as site:
                for count in (2, 2, 2, 6):
                    name = f"user{number}{count}{secrets.token_hex(2)}"
                    statuses = race(site, smtp.mails, name, count)
                    assert statuses == [201] + [400] * (count - 1), (database, codes, statuses)


# ---- load ----------------------------------------------------------------------------------------
def first_post(visitor):
    """The id of one of the demo posts."""
    return visitor.expect(200, "GET", "/api/posts?size=1")["items"][0]["id"]


class Load:
    """Visitors that read, write and log in until the end of the block or until nobody listens, each
    in a thread: those that keep their connection, and those with a new one for each request. What
    they were answered."""

    PATHS = ("/", "/api/posts?page=2", "/api/search?q=async", "/api/tags", "/api/users/me")

    def __init__(self, site, token, post):
        self.site, self.token, self.place = site, token, f"/api/posts/{post}/comments"
        self.over = self.refused = False
        self.statuses = []  # (status, Retry-After) of all
        self.comments = {}  # text: (status, Retry-After)
        self.lost = []
        self.threads = [threading.Thread(target=self.visit, args=(step, keeps))
                        for step in (self.read, self.write, self.login) for keeps in (True, False)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        for thread in self.threads:
            thread.join(2 * PATIENCE_S)

    def visit(self, step, keeps):
        """One of the visitors."""
        visitor, number = Visitor(self.site, self.token), 0
        while not self.over:
            number += 1
            try:
                reply = step(visitor, number)
            except ConnectionRefusedError:
                self.refused = True
                return
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(f"{step.__name__}, connection kept: {keeps}: {error!r}")
                visitor.close()
                continue
            self.statuses.append((reply.status, reply.headers["Retry-After"]))
            if not keeps:
                visitor.close()
            time.sleep(0.02 if reply.status >= 500 else 0.002)  # this machine has other work too
        visitor.close()

    def read(self, visitor, number):
        """Pages and lists."""
        return visitor.ask("GET", self.PATHS[number % len(self.PATHS)])

    def write(self, visitor, _):
        """A comment with a text of its own."""
        text = secrets.token_hex(12)
        reply = visitor.ask("POST", self.place, {"content": text})
        self.comments[text] = (reply.status, reply.headers["Retry-After"])
        return reply

    def login(self, visitor, _):
        """Some time on the lane for hashes."""
        return visitor.ask("POST", "/api/auth/login", form={"username": ADMIN,
                                                            "password": PASSWORD})

    def check(self, comments, only):
        """No answer is missing or another than `only`. What was done stands among the comments
        once, and nothing that failed. What is known of neither may be there."""
        assert not self.lost, (len(self.lost), self.lost[:5])
        assert set(self.statuses) <= only, collections.Counter(self.statuses)
        assert min(self.statuses.count(good) for good in GOOD) > 0
        for text, (status, retry_after) in self.comments.items():
            if status == 201 or retry_after:
                assert comments.count(text) == (status == 201), (text, status, retry_after)
        return collections.Counter(self.statuses)


GOOD = {(200, None), (201, None)}
AWAY = {(503, "1"), (503, None)}


def comments_of(site, post):
    """The texts of all comments."""
    visitor, texts, page = Visitor(site), [], 1
    while True:
        part = visitor.expect(200, "GET", f"/api/posts/{post}/comments?size=100&page={page}")
        texts += [row["content"] for row in part["items"]]
        if not part["items"]:
            return texts
        page += 1


def stop_under_load(folder, settings, times):
    """Stops it again and again while it is busy: every request that was sent is answered well, also
    those of visitors that come until nobody listens any more."""
    prepare(folder, **settings)
    loads = []
    for _ in range(times):
        with Site(folder, "--workers", "2", "--lame-duck", "0.8", **settings) as site:
            admin = Visitor(site)
            token, post = admin.login(ADMIN)["access_token"], first_post(admin)
            admin.close()
            with Load(site, token, post) as load:
                time.sleep(0.4)
                took_s = site.stop()
            assert took_s < 5 and load.refused, took_s
            loads.append(load)
    with Site(folder, **settings) as site:
        comments = comments_of(site, post)
        for load in loads:
            load.check(comments, GOOD)


def check_stops_under_load_lose_nothing(folder):
    stop_under_load(folder, {"COMMENTS_PER_MINUTE": "1000000"}, 4)


def check_stops_under_load_on_servers_lose_nothing(folder):
    with servers(Postgres, scratch_servers.Redis) as (postgres, redis):
        stop_under_load(folder, production(DATABASE_URL=postgres.url, REDIS_URL=redis.url), 3)


# ---- databases that restart ----------------------------------------------------------------------
def watch(site, seconds):
    """What balancers and supervisors are told meanwhile: pairs of /readyz and /healthz."""
    visitor, seen, until = Visitor(site), set(), time.monotonic() + seconds
    while time.monotonic() < until:
        seen.add((visitor.ask("GET", "/readyz").status, visitor.ask("GET", "/healthz").status))
        time.sleep(0.01)
    visitor.close()
    return seen


def disturb(site, post, token, disturbance):
    """Does so under load; gives what was answered, and what /readyz and /healthz have said."""
    with Load(site, token, post) as load, concurrent.futures.ThreadPoolExecutor(1) as pool:
        time.sleep(0.3)
        seen = pool.submit(watch, site, 1.5)
        disturbance()
        seen = seen.result()
    return load.check(comments_of(site, post), GOOD | AWAY), seen


def check_restarts_of_postgresql(folder):
    with servers(Postgres, scratch_servers.Redis) as (postgres, redis):
        settings = production(DATABASE_URL=postgres.url, REDIS_URL=redis.url)
        prepare(folder, **settings)
        with Site(folder, "--workers", "2", **settings) as site:
            admin = Visitor(site)
            token, post = admin.login(ADMIN)["access_token"], first_post(admin)
            for disturbance in (lambda: postgres.restart(signal.SIGINT),
                                lambda: postgres.restart(signal.SIGQUIT), postgres.kill_a_backend):
                statuses, seen = disturb(site, post, token, disturbance)
                assert statuses[503, "1"] > 0 and (503, 200) in seen, (statuses, seen)
                assert {health for _, health in seen} == {200}, seen
                assert admin.ask("GET", "/readyz").status == 200
                with Load(site, token, post) as load:
                    time.sleep(0.2)
                load.check(comments_of(site, post), GOOD)
                assert not load.refused


def check_restarts_of_redis(folder):
    """The cache may be away: then everything is read anew. Codes that are there may not."""
    with servers(Postgres, scratch_servers.Redis, scratch_servers.Smtp) as (postgres, redis, smtp):
        settings = production(DATABASE_URL=postgres.url, REDIS_URL=redis.url, SMTP_URL=smtp.url,
                              CODES="redis")
        prepare(folder, **settings)

        def restart():
            redis.stop(signal.SIGKILL)
            wanted = {"email": "rosie@shire.example", "purpose": "register"}
            reply = Visitor(site).ask("POST", "/api/auth/email-codes", wanted)
            # The try has been counted: this was not nothing.
            assert reply.status == 503 and not reply.headers["Retry-After"], reply
            redis.begin()

        with Site(folder, "--workers", "2", **settings) as site:
            admin = Visitor(site)
            token, post = admin.login(ADMIN)["access_token"], first_post(admin)
            statuses, seen = disturb(site, post, token, restart)
            assert set(statuses) == GOOD and seen == {(200, 200)}, (statuses, seen)
            registered(site, smtp.mails, "rosie")


if __name__ == "__main__":
    sys.exit(run_checks(globals()))
