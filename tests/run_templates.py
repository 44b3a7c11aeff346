#!/usr/bin/env python3
"""Puts hostile texts into every place of a template and reads the pages back: see
templates/README.md.

Called by tools/run_tests with BIDE_BUILD (the library) and CC; ends with the closing line.
"""
import html.parser
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BIDE_BUILD", ROOT / "build" / "debug")).resolve()
COMPILER = os.environ.get("CC", "cc").split()
CORPORA = pathlib.Path(os.environ.get("BIDE_CORPORA", ROOT.parent / "shared/corpora"))
TIMEOUT_S = 120
RANDOM_TEXTS = 2000
SCHEMES = {"http", "https", "mailto", "tel", "about"}

TEXTS = [
    "x", "", "'", '"', "<", ">", "&", "&amp;", "&lt;script&gt;", "</p><script>alert(1)</script>",
    "</title><script>x</script>", "</textarea><img src=x onerror=alert(1)>", "--><b>", "<!--",
    '" onmouseover="alert(1)', "' onmouseover='alert(1)", "x onclick=alert(1)", "`", "=",
    "\n", "\t",
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)",
    "java\tscript:alert(1)", "\x01javascript:alert(1)", "javascript&colon;alert(1)",
    "&#106;avascript:alert(1)", "javascript%3aalert(1)", "data:text/html,<script>x</script>",
    "vbscript:x", "blob:x", "file:///etc/passwd", "//evil.example/x", "/\\evil.example", "\\\\evil",
    "https://a.example/b?c=d&e=f#g", "mailto:a@b.example", "tel:+49123", "../..//x", "?a=b&c=d",
    "a b/c?d#e%41%zz", "{{text}}", "{{{text}}}", "한국어 中文 é", "\u2028\u2029\u00a0\ufeff",
    "<svg/onload=alert(1)>", "]]>", "<![CDATA[", "</script>", ":alert(1)", "script:", "%00",
]


def run(command, **options):
    """Runs a command; its output, or an exception with what it said."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=TIMEOUT_S, check=False,
                          **options)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def build(folder):
    """The program that renders."""
    text = (BUILD / "meson-private" / "bide.pc").read_text(encoding="utf-8")
    private = re.search(r"^Libs.private: (.*)$", text, re.MULTILINE)[1].split()
    program = str(pathlib.Path(folder) / "places")
    run([*COMPILER, "-std=gnu11", "-D_GNU_SOURCE", "-fexceptions", "-Wall", "-Wextra", "-Werror",
         "-Iinclude", "tests/templates/places.c", "-o", program, str(BUILD / "src/libbide.a"),
         *private, "-pthread"])
    return program


def all_texts():
    """What is rendered, as bytes."""
    texts = [text.encode() for text in TEXTS]
    naughty = CORPORA / "strings/blns.txt"
    if naughty.exists():
        lines = naughty.read_bytes().split(b"\n")
        texts += [line for line in lines if line and not line.startswith(b"#")]
    else:
        print("templates: no corpora: the strings of this file only")
    source = random.Random(5)
    pieces = [text.encode() for text in TEXTS] + [b"\xff", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80"]
    for _ in range(RANDOM_TEXTS):
        texts.append(b"".join(source.choice(pieces) for _ in range(source.randint(1, 5))))
    return [text.replace(b"\0", b"") for text in texts]


class Page(html.parser.HTMLParser):
    """A page, taken apart."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.shape = []             # tags with the names of their attributes
        self.values = []            # (tag, id, name, value) of the attributes
        self.texts = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.shape.append((tag, tuple(name for name, _ in attrs)))
        found = dict(attrs)
        self.values += [(tag, found.get("id"), name, value) for name, value in attrs]
        self.texts.append("")

    def handle_endtag(self, tag):
        self.shape.append(("/" + tag,))
        self.texts.append("")

    def handle_comment(self, data):
        self.shape.append(("comment", data))

    def handle_decl(self, decl):
        self.shape.append(("declaration", decl))

    def unknown_decl(self, data):
        self.shape.append(("unknown", data))

    def handle_pi(self, data):
        self.shape.append(("instruction", data))

    def handle_data(self, data):
        if self.texts:
            self.texts[-1] += data


def scheme_of(url):
    """The scheme that a browser would see (WHATWG URL section 4.4), or None."""
    url = re.sub(r"[\t\n\r]", "", url.strip("".join(map(chr, range(0x21)))))
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", url)
    return found[1].lower() if found else None


def problems_of(page, plain, value):
    """What is wrong with a page whose value was this text."""
    if page.shape != plain.shape:
        extra = [item for item in page.shape if item not in plain.shape]
        return [f"another shape: {extra[:3]}"]
    found = []
    expected = [text.replace("\1", value) for text in plain.texts]
    if page.texts != expected:
        wrong = next(pair for pair in zip(page.texts, expected) if pair[0] != pair[1])
        found.append(f"text {wrong[0]!r} for {wrong[1]!r}")
    for (tag, ident, name, text), (_, _, _, before) in zip(page.values, plain.values):
        is_url = name in ("href", "src", "srcset", "action", "formaction")
        if is_url and scheme_of(text) not in SCHEMES | {None}:
            found.append(f"{tag} {name}: {text!r}")
        if not is_url and text != (before or "").replace("\1", value) and before is not None:
            found.append(f"{tag} {name}: {text!r} for {value!r}")
        if ident == "query" and name == "href" and \
                urllib.parse.unquote(text) != f"/search?q={value}&page=1":
            found.append(f"query {text!r}")
        if ident == "root" and name == "href" and text.replace("\\", "/").startswith("//"):
            found.append(f"another host: {text!r}")
        if ident == "path" and "?" in text + "#" * ("#" in text):
            found.append(f"path {text!r}")
    return found


def main():
    """Renders all texts and looks at the pages."""
    with tempfile.TemporaryDirectory(prefix="bide-templates-") as folder:
        program = build(folder)
        texts = all_texts()
        given = b"".join(text + b"\0" for text in [*texts, b"\1"])
        out = run([program, "tests/templates"], input=given)
    pages = out.split(b"\0")[:-1]
    plain = Page(pages.pop().decode())
    failed = 0
    if len(pages) != len(texts):
        print(f"templates: {len(pages)} pages for {len(texts)} texts")
        failed += 1
    for text, page in zip(texts, pages):
        # One U+FFFD per byte that is no UTF-8: errors="replace" makes one of several.
        value = text.decode(errors="surrogateescape")
        value = re.sub("[\udc80-\udcff]", "\ufffd", value)
        found = problems_of(Page(page.decode()), plain, value)
        if found:
            failed += 1
            print(f"templates: {text!r}: {'; '.join(found)}")
    print(f"{len(texts) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
