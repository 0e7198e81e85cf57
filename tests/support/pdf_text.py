"""The text of the pages of a PDF that Chromium wrote, without spaces, in the order of printing.

Only what Chromium writes is read: plain objects, compressed streams, fonts with a ToUnicode table.
"""

import re
import zlib
from pathlib import Path

OBJECT = re.compile(rb"(?s)\b(\d+) 0 obj\b(.*?)\bendobj")
SHOWN = re.compile(
    rb"/(F\d+) [\d.]+ Tf|(\[[^\]]*\]|<[0-9A-Fa-f]+>|\((?:\\.|[^\\)])*\)) *T[jJ]", re.S
)
HEX = re.compile(rb"<([0-9A-Fa-f]+)>")
RANGE = re.compile(rb"<(\w+)> <(\w+)> <(\w+)>")
CHARACTER = re.compile(rb"<(\w+)> <(\w+)>\s*\n")


def pages(path: Path) -> list[str]:
    """Text of each page, without spaces."""
    raw = path.read_bytes()
    objects = {int(m[1]): m[2] for m in OBJECT.finditer(raw)}
    found = [body for body in objects.values() if re.search(rb"/Type\s*/Page\b(?!s)", body)]
    tables: dict[int, dict[int, str]] = {}
    return ["".join(_text(body, objects, tables).split()) for body in found]


def _text(page: bytes, objects: dict[int, bytes], tables: dict[int, dict[int, str]]) -> str:
    fonts = {name: int(number) for name, number in re.findall(rb"/(F\d+) (\d+) 0 R", page)}
    table: dict[int, str] = {}
    text = []
    contents = _stream(objects[int(re.search(rb"/Contents (\d+) 0 R", page)[1])])
    for font, shown in SHOWN.findall(contents):
        if font:
            number = fonts[font]
            if number not in tables:
                at = re.search(rb"/ToUnicode (\d+) 0 R", objects[number])
                tables[number] = _unicode(_stream(objects[int(at[1])])) if at else {}
            table = tables[number]
        for codes in HEX.findall(shown):
            each = (codes[i : i + 4] for i in range(0, len(codes), 4))
            text += [table.get(int(code, 16), "?") for code in each]
    return "".join(text)


def _stream(body: bytes) -> bytes:
    data = body.partition(b"stream")[2].lstrip(b"\r\n").rpartition(b"endstream")[0]
    return zlib.decompress(data) if b"FlateDecode" in body else data


def _unicode(table: bytes) -> dict[int, str]:
    """Code of a glyph -> its characters."""
    found = {}
    for block in re.findall(rb"(?s)beginbfchar(.*?)endbfchar", table):
        found |= {int(code, 16): _characters(to) for code, to in CHARACTER.findall(block)}
    for block in re.findall(rb"(?s)beginbfrange(.*?)endbfrange", table):
        for first, last, to in RANGE.findall(block):
            start = int(first, 16)
            for code in range(start, int(last, 16) + 1):
                found[code] = chr(int(to, 16) + code - start)
    return found


def _characters(code: bytes) -> str:
    return bytes.fromhex(code.decode()).decode("utf-16-be")
