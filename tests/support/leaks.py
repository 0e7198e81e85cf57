"""What of people could have got into files that are handed around, found by its content.

Files are opened as far as they go: columns of Parquet, members of archives, rows of SQLite, and
what a page holds as base64. In all of it are looked for

    a picture with a face in it, or any film or sound, by what decodes, not by its name;
    bytes of the corpus' own media, of the records made of them, and of features;
    words of transcripts; folders of this machine.
"""

import base64
import io
import re
import sqlite3
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from avfusion.media.faces import Finder

PICTURE = re.compile(rb"\xff\xd8\xff[\xdb\xe0\xe1\xee]|\x89PNG\r\n\x1a\n|RIFF.{4}WEBP", re.DOTALL)
FILM = re.compile(
    rb"RIFF.{4}(?:WAVE|AVI )|\x00\x00\x00.ftyp|fLaC\x00|OggS\x00|\x1a\x45\xdf\xa3", re.DOTALL
)
BASE64 = re.compile(rb"[A-Za-z0-9+/]{200,}={0,2}")
PROBE = 48  # bytes of a recording that are looked for
PLACES = ("artifact_location", "artifact_uri", "source", "storage_location")
"""Columns in which MLflow's own store on this machine keeps where its files are."""


@dataclass(frozen=True)
class Private:
    """What must not be found: bytes of recordings by where they are from, words, folders."""

    recordings: dict[bytes, str]
    words: tuple[str, ...]
    folders: tuple[str, ...]

    def held_by(self, raw: bytes) -> Iterator[str]:
        """The recordings of which `raw` holds a stretch, wherever in it."""
        heads = np.array([int.from_bytes(p[:8], "little") for p in self.recordings], np.uint64)
        for start in range(8):
            count = (len(raw) - start) // 8
            if count > 0:
                words = np.frombuffer(raw, "<u8", count, start)
                for at in np.flatnonzero(np.isin(words, heads)) * 8 + start:
                    probe = raw[at : at + PROBE]
                    if probe in self.recordings:
                        yield self.recordings[probe]


def private(tree: Path, results: Path, words: tuple[str, ...], folders: list[Path]) -> Private:
    """Probes of every film, sound and picture below `tree`, and of media and features."""
    recordings: dict[bytes, str] = {}
    files = [*tree.rglob("*"), *(results / "media").rglob("*"), *(results / "features").rglob("*")]
    kinds = {".mp4", ".avi", ".wav", ".jpg", ".zip", ".npy"}
    for path in files:
        if path.suffix in kinds and path.is_file() and not path.name.endswith(".times.npy"):
            for probe in _probes(_content(path)):
                recordings[probe] = path.name
    return Private(recordings, words, tuple(f"{folder}/" for folder in folders))


def _content(path: Path) -> bytes:
    """The bytes of a file; of an array without its head, which equals that of other arrays."""
    raw = path.read_bytes()
    return raw[10 + int.from_bytes(raw[8:10], "little") :] if path.suffix == ".npy" else raw


def _probes(raw: bytes) -> Iterator[bytes]:
    """A few stretches that are like nothing else."""
    for share in (0.3, 0.5, 0.7, 0.9):
        at = int(share * len(raw)) // 2 * 2
        probe = raw[at : at + PROBE]
        if len(set(probe)) > PROBE // 3:
            yield probe


def leaks(path: Path, known: Private, folders: bool = True) -> list[str]:
    """What is found in one file; `folders`: whether it may name none of this machine."""
    found = []
    for part, raw in _opened(path.name, path.read_bytes()):
        found += [f"{part}: {what}" for what in _in_bytes(raw, known)]
        low = raw.lower()
        found += [f"{part}: the word {w!r}" for w in known.words if w.lower().encode() in low]
        if folders:
            found += [f"{part}: {f}" for f in known.folders if f.encode() in raw]
    return found


def _in_bytes(raw: bytes, known: Private) -> Iterator[str]:
    if FILM.search(raw):
        yield "a film or a sound"
    for match in PICTURE.finditer(raw):
        image = cv2.imdecode(np.frombuffer(raw[match.start() :], np.uint8), cv2.IMREAD_COLOR)
        if image is not None and (match[0][:1] == b"\xff" or shows_a_face(image)):
            yield "a photograph" if match[0][:1] == b"\xff" else "a picture with a face"
    yield from sorted({f"bytes of {name}" for name in known.held_by(raw)})


def shows_a_face(image: np.ndarray) -> bool:
    """Whether the media stage's own detector sees one, in BGR uint8 (H, W, 3)."""
    margin = cv2.copyMakeBorder(image, *[max(image.shape) // 3] * 4, cv2.BORDER_REPLICATE)
    return any(_finder().find(one[..., ::-1])[0] for one in (image, margin))


@cache
def _finder() -> Finder:
    return Finder(0.6)


def _opened(name: str, raw: bytes) -> Iterator[tuple[str, bytes]]:
    """The file, what is packed in it, and what stands in its text as base64."""
    yield name, raw
    for match in BASE64.finditer(raw):
        text = match[0][: len(match[0]) // 4 * 4]
        yield f"{name} (base64)", base64.b64decode(text)
    if raw[:4] == b"PAR1":
        table = pd.read_parquet(io.BytesIO(raw))
        for column in table.select_dtypes(exclude="number"):
            cells = [c if isinstance(c, bytes) else str(c).encode() for c in table[column].unique()]
            yield f"{name}[{column}]", b"\n".join(cells)
    elif raw[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(raw)) as file:
            for member in file.namelist():
                yield from _opened(f"{name}/{member}", file.read(member))


def of_store(path: Path, known: Private) -> list[str]:
    """As `leaks`, for MLflow's SQLite file, row by row; of its folders only the files' places."""
    found = []
    with sqlite3.connect(path) as base:
        for (table,) in base.execute(
            "SELECT name FROM sqlite_master WHERE type='table'"
        ).fetchall():
            rows = base.execute(f'SELECT * FROM "{table}"')
            columns = [own[0] for own in rows.description]
            for row in rows:
                for column, value in zip(columns, row, strict=True):
                    raw = value if isinstance(value, bytes) else str(value).encode()
                    where = f"{path.name}: {table}.{column}"
                    own = list(_in_bytes(raw, known))
                    own += [w for w in known.words if w.encode() in raw.lower()]
                    if column not in PLACES:
                        own += [f for f in known.folders if f.encode() in raw]
                    found += [f"{where}: {what}" for what in own]
    return found
