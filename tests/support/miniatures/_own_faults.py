"""Faults of recordings and ratings as people make them, for the miniature of own recordings."""

import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from support.miniatures import Fault, _film
from support.miniatures._edits import line

MANIFEST = "manifest.csv"
BEN = "clips/ben.mp4,ben,train,ratings/ben.parquet,,"
LONG = f"{'d' * 110}/{'f' * 142}"


def _moved(to: str, spelt: str | None = None) -> Callable[[Path], None]:
    """Move Ben's film, and name it in the manifest as `spelt`."""

    def plant(root: Path) -> None:
        (root / to).parent.mkdir(parents=True, exist_ok=True)
        (root / "clips/ben.mp4").rename(root / to)
        line(MANIFEST, 3, BEN.replace("clips/ben.mp4", spelt or to))(root)

    return plant


def _two_forms(root: Path) -> None:
    """Name Ben's film with a composed letter, and add another file with a decomposed one."""
    _moved("clips/j\u00fcrgen.mp4")(root)
    other = unicodedata.normalize("NFD", "clips/j\u00fcrgen.mp4")
    (root / other).write_bytes((root / "clips/dan.mp4").read_bytes())


def _rated(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    """Change Ben's ratings."""

    def plant(root: Path) -> None:
        path = root / "ratings/ben.parquet"
        change(pd.read_parquet(path)).to_parquet(path)

    return plant


def _all_in_minutes(root: Path) -> None:
    """Write the times of four of the five rating files in minutes."""
    for name in ("ratings/anna_1.csv", "ratings/eve.tsv"):
        mark = ";" if name.endswith("csv") else "\t"
        table = pd.read_csv(root / name, sep=mark)
        table.assign(time_s=table["time_s"] / 60).to_csv(root / name, sep=mark, index=False)
    _rated(lambda table: table.assign(time_s=table["time_s"] / 60))(root)


def _silent(root: Path) -> None:
    """Write Ben's film with a sound track of zeros."""
    images = [_film.picture(1)] * 40
    samples = np.zeros(4 * _film.AUDIO_HZ, np.float32)
    _film.write(root / "clips/ben.mp4", images, list(range(0, 4000, 100)), (0.0, samples), 10)


def _constant(root: Path) -> None:
    path = root / "ratings/cleo.eaf"
    path.write_text(path.read_text().replace(">-0.25<", ">0.5<"))


def _alike(root: Path) -> None:
    """Add the column `id`, with two names that differ only in case."""
    head, *rows = (root / MANIFEST).read_text().rstrip("\n").split("\n")
    ids = ["one", "two", "three", "Two", "five"]
    lines = [f"{head},id", *(f"{row},{name}" for row, name in zip(rows, ids, strict=True))]
    (root / MANIFEST).write_text("\n".join(lines) + "\n")


def _named_video(path: str, raw: bytes) -> Callable[[Path], None]:
    def plant(root: Path) -> None:
        (root / path).write_bytes(raw)
        line(MANIFEST, 3, BEN.replace("clips/ben.mp4", path))(root)

    return plant


_ALSO = ("unlisted files",)
FAULTS = {
    "a name of more than 230 bytes": Fault(
        _moved(f"{LONG}.mp4"), "manifest lines", "has 254 bytes in UTF-8; at most 230"
    ),
    "a name of more than 230 bytes in few characters": Fault(
        _moved("clips/" + "\u00fc" * 120 + ".mp4"), "manifest lines", "in the column `id`",
    ),
    "two files of one name in two Unicode forms": Fault(
        _two_forms, "manifest lines", "differ only in their Unicode form",
        also=("unlisted files",),
    ),
    "names that differ only in case": Fault(
        _alike, "names that differ only in case or form", "'Two' and 'two'", "WARN"
    ),
    "one person in two spellings": Fault(
        line(MANIFEST, 5, "clips/dan.mp4, Anna,test,,ratings/dan_v.arff,ratings/dan_a.arff"),
        "subject spellings", "'Anna' (test) and 'anna' (train)", "WARN",
    ),
    "times in minutes": Fault(
        _rated(lambda table: table.assign(time_s=table["time_s"] / 60)), "unit of times",
        "clips__ben: the last time is 0.065; the video has 4.0 s: minutes?", "WARN",
    ),
    "most times in minutes": Fault(_all_in_minutes, "unit of times", "minutes?"),
    "times in milliseconds, all of a file": Fault(
        _rated(lambda table: table.assign(time_s=table["time_s"] * 1000)), "unit of times",
        "milliseconds?",
    ),
    "numbers of frames instead of times": Fault(
        _rated(lambda table: table.assign(time_s=np.arange(len(table)) * 1.0)), "unit of times",
        "the last time is 39; the video has 4.0 s: frames?",
    ),
    "times of a session that began earlier": Fault(
        _rated(lambda table: table.assign(time_s=table["time_s"] + 600)), "ratings within videos",
        "clips__ben: 40 of 40 rated times; they are from 600 to 603.9 s", "WARN",
        also=("coverage of ratings",),
    ),
    "ratings of a small part": Fault(
        _rated(lambda table: table.iloc[:5]), "coverage of ratings",
        "clips__ben: 12 % of 4.0 s rated, from 0 to 0.4 s, the largest gap is 3.6 s", "WARN",
    ),
    "a timecode": Fault(
        line("ratings/anna_1.csv", 6, "00:00:00.4;0.1;0.1"), "rating lines",
        "time_s is '00:00:00.4', a timecode; set the option `ratings: {unit: timecode}`",
    ),
    "a target that is constant": Fault(
        _constant, "gold varies", "valence is always 0.5 in validation", "WARN"
    ),
    "a table as a video": Fault(
        _named_video("clips/b.csv", b"time,x\n" + b"0.04,1\n" * 200), "video files",
        "clips/b.csv: not a media file but a table with 2 columns", also=_ALSO,
    ),
    "an array as a video": Fault(
        _named_video("clips/b.npy", b"\x93NUMPY" + bytes(200)), "video files",
        "clips/b.npy: not a media file but a NumPy array", also=_ALSO,
    ),
    "a digital silence as sound": Fault(_silent, "media", "the sound is digital silence", "WARN"),
    "a name that is not UTF-8": Fault(
        lambda root: open(bytes(root) + b"/clips/b\xe9n.txt", "wb").close(), "readable files",
        "its name is not UTF-8", "WARN",
    ),
}  # fmt: skip
