"""An SMTP server for tests, by aiosmtpd, on one port of loopback.

    smtp_server.py FOLDER PORT [starttls] [smtps] [auth] [mute] [busy] [chatty]

FOLDER has cert.pem and key.pem; each mail that is taken becomes a line of JSON in FOLDER/mails, as
Python's email package reads it, and each connection a line in FOLDER/connections. FOLDER/ready
appears when it listens. mute: never says a word. busy: greets with 421. chatty: replies have many
lines.

What it does to a mail is said by the addresses. The sender: m450, m550, mgone (the connection ends
at MAIL). A recipient: r450, r550, rgone, rmute (no reply), d450, d550 (after the mail), dgone (the
connection ends instead of the reply), dmute (no reply), dslow (three seconds later).
"""
import asyncio
import email
import email.policy
import json
import pathlib
import ssl
import sys

try:
    from aiosmtpd.smtp import SMTP, AuthResult
except ImportError:
    sys.exit(77)

FOLDER = pathlib.Path(sys.argv[1])
PORT = int(sys.argv[2])
WORDS = sys.argv[3:]
REPLIES = {"450": "450 4.2.1 come back later", "550": "550 5.1.1 nobody of that name"}


def note(name, line):
    """Appends a line to a file of the folder."""
    with open(FOLDER / name, "a", encoding="utf-8") as file:
        file.write(line + "\n")



def lines(part):
    """The text of a part."""
    return part.get_content().replace("\r\n", "\n")


def keep(envelope):
    """Writes what was delivered."""
    raw = envelope.content
    message = email.message_from_bytes(raw, policy=email.policy.default)
    plain = message.get_body(preferencelist=("plain",))
    html = message.get_body(preferencelist=("html",))
    head = raw.split(b"\r\n\r\n")[0]
    note("mails", json.dumps({
        "sender": envelope.mail_from, "recipients": envelope.rcpt_tos,
        "from": str(message["from"]), "to": str(message["to"]), "cc": str(message["cc"]),
        "bcc": str(message["bcc"]), "reply_to": str(message["reply-to"]),
        "subject": str(message["subject"]), "id": str(message["message-id"]),
        "date_ok": message["date"].datetime is not None,
        "text": lines(plain) if plain else None,
        "html": lines(html) if html else None,
        "type": message.get_content_type(),
        "defects": [str(defect) for part in message.walk() for defect in part.defects],
        "longest": max(len(line) for line in raw.split(b"\r\n")),
        "longest_head": max(len(line) for line in head.split(b"\r\n")),
        "lone": raw.replace(b"\r\n", b"").count(b"\n") + raw.replace(b"\r\n", b"").count(b"\r"),
        "ascii": all(byte < 128 for byte in raw),
    }, ensure_ascii=False))


class Handler:
    """Does what the addresses say."""

    @staticmethod
    async def obey(server, address, prefix):
        """The reply that an address asks for, or None."""
        local = address.split("@")[0]
        if not local.startswith(prefix):
            return None
        what = local[len(prefix):]
        if what == "gone":
            server.transport.close()
            await asyncio.sleep(60)
        if what == "mute":
            await asyncio.sleep(60)
        if what == "slow":
            await asyncio.sleep(3)
        return REPLIES.get(what)

    async def handle_MAIL(self, server, session, envelope, address, options):
        """MAIL FROM."""
        reply = await self.obey(server, address, "m")
        if reply:
            return reply
        envelope.mail_from = address
        return "250-fine\r\n250-really\r\n250 ok" if "chatty" in WORDS else "250 ok"

    async def handle_RCPT(self, server, session, envelope, address, options):
        """RCPT TO."""
        reply = await self.obey(server, address, "r")
        if reply:
            return reply
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        """The end of the mail."""
        for address in envelope.rcpt_tos:
            reply = await self.obey(server, address, "d")
            if reply:
                return reply
        keep(envelope)
        return "250 taken"


def check_login(server, session, envelope, mechanism, data):
    """The one user that there is."""
    good = data.login == b"frodo" and data.password == b"p@ss:w/rd"
    return AuthResult(success=good, handled=good)


class Server(SMTP):
    """Counts its connections."""

    def connection_made(self, transport):
        note("connections", "x")
        super().connection_made(transport)

    async def push(self, status):
        if "busy" in WORDS and status.startswith("220"):
            status = "421 4.3.2 too many of you"
        await super().push(status)


class Mute(asyncio.Protocol):
    """Listens, and that is all."""

    def connection_made(self, transport):
        note("connections", "x")


async def main():
    """Listens until it is ended."""
    context = None
    if "starttls" in WORDS or "smtps" in WORDS:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(FOLDER / "cert.pem", FOLDER / "key.pem")

    def make():
        if "mute" in WORDS:
            return Mute()
        options = {"hostname": "mail.test", "data_size_limit": None}
        if "starttls" in WORDS:
            options.update(tls_context=context, require_starttls=True)
        if "auth" in WORDS:
            options.update(authenticator=check_login, auth_required=True,
                           auth_require_tls="starttls" in WORDS)
        return Server(Handler(), **options)

    server = await asyncio.get_running_loop().create_server(
        make, "127.0.0.1", PORT, ssl=context if "smtps" in WORDS else None)
    (FOLDER / "ready").touch()
    async with server:
        await server.serve_forever()

asyncio.run(main())
