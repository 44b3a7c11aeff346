"""What the suite measures: every case, who runs it, and the bars that bide must reach.

README.md says what each case counts. A case to come is a row here, a path in bide_http.c and in the
rivals, and a word in run.py only if it is measured in a way of its own.
"""
from dataclasses import dataclass, replace

from common import Bar


@dataclass(frozen=True)
class Request:
    """What the load sends, and what every server must answer."""

    path: str
    reply: str  # the body, to the byte
    status: int = 200
    body: str = ""  # JSON, sent with POST

    def __str__(self):
        lines = [f"{'POST' if self.body else 'GET'} {self.path} HTTP/1.1", "Host: 127.0.0.1",
                 "User-Agent: bench", "Accept: */*"]
        if self.body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", self.body])


@dataclass(frozen=True)
class Case:
    name: str
    systems: tuple  # bide first, then those it is compared with
    bars: tuple
    request: Request
    unit: str = "requests/s"
    connections: int = 64
    depth: int = 1  # requests that are sent together
    number: str = ""  # what of the load's numbers is the case's value: NAME, NAME_cpu ...
    also: tuple = ("_cpu",)  # numbers that are shown below it
    loops: int = 0  # of bide, each with a core and a load of its own; 0: one, apart from the load
    kind: str = "load"  # "idle": weighs idle connections; "calls": counts system calls
    io: str = "epoll"  # what bide does its I/O with
    refused: tuple = ()  # bodies that every server must answer with 422

    def seen_by(self, system):
        """The case as this system runs it."""
        return replace(self, **BIDE_AGAIN.get(system, {}))


TEXT = "Hello, World!"
PERSON = '{"id":7,"name":"Frodo Baggins","email":"frodo@shire.example","active":true}'
ACCOUNT = '{"name":"Frodo Baggins","age":50,"email":"frodo@shire.example","login":"frodo_9"}'
# Each wrong in one field.
REFUSED = (ACCOUNT.replace("Frodo Baggins", ""), ACCOUNT.replace("50", "151"),
           ACCOUNT.replace("@", "."), ACCOUNT.replace("frodo_9", "Frodo"))
NOTE = '{"text":"0123456789abcdef0123456789abcdef0123456789abcdef01234"}'

PLAINTEXT = Request("/plaintext", TEXT)
MISSING = Request("/people/42", '{"detail":"nobody has the number 42"}', status=404)

# Systems that are bide in another way.
BIDE_AGAIN = {"plaintext": {"request": PLAINTEXT}, "one loop": {"loops": 1}}

WRITERS = ("fastapi", "go", "node")  # those that run code of ours
EVERYONE = ("bide", "bare", "nginx", "h2o", "kore", *WRITERS)
NO_PIPELINES = "kore"  # it drops what is sent behind a request

CASES = (
    Case("plaintext", EVERYONE, (Bar("bare", ">=", 0.92),), PLAINTEXT),
    Case("json", ("bide", "bare", *WRITERS), (Bar("bare", ">=", 0.87),), Request("/json", PERSON)),
    Case("pipelined", tuple(system for system in EVERYONE if system != NO_PIPELINES),
         (Bar("bare", ">=", 0.65),), PLAINTEXT, depth=16),
    Case("plaintext_uring", ("bide", "bare uring"), (Bar("bare uring", ">=", 0.92),), PLAINTEXT,
         io="uring"),
    Case("json_uring", ("bide", "bare uring"), (Bar("bare uring", ">=", 0.87),),
         Request("/json", PERSON), io="uring"),
    Case("pipelined_uring", ("bide", "bare uring"), (Bar("bare uring", ">=", 0.65),), PLAINTEXT,
         depth=16, io="uring"),
    Case("post_model", ("bide", *WRITERS), (Bar("fastapi", ">=", 20), Bar("go", ">=", 2.2)),
         Request("/accounts", ACCOUNT, body=ACCOUNT), refused=REFUSED),
    Case("sync_handler", ("bide", "fastapi"), (Bar("fastapi", ">=", 5),), Request("/sync", PERSON),
         also=("_p99", "_cpu")),
    Case("http_fail_404", ("bide", "plaintext", "fastapi"), (Bar("plaintext", "<=", 2.2),), MISSING,
         "us/request", number="_cpu", also=()),
    Case("p99_256", EVERYONE, (Bar("bare", "<=", 1.5),), PLAINTEXT, "us", connections=256,
         number="_p99"),
    Case("workers", ("bide", "one loop"), (Bar("one loop", "<=", 1.2),), PLAINTEXT, "us/request",
         number="_cpu", also=("",), loops=2),
    Case("workers_calls", ("bide",), (Bar("", "<=", 0),), PLAINTEXT, "calls/request", also=(),
         loops=2, kind="calls"),
    Case("idle_10k", EVERYONE, (Bar("", "<=", 1024),), Request("/notes", TEXT, body=NOTE), "bytes",
         connections=10000, also=(), kind="idle"),
)
