"""A miniature of the fatigue corpus: four subjects, six films of 8 s, constant levels."""

from pathlib import Path

import numpy as np

from support.miniatures import Fault, _film
from support.miniatures._edits import copied, cut, gone, line

HZ, SECONDS = 10, 8.0
OPTIONS = {"videos": 6, "subjects": 4, "rating_hz": 2.0}
# video -> (subject, (start_s, end_s, level)s): a gap in coverage, a half level, an unrated segment
SEGMENTS = {
    "s01_v1.mp4": ("s01", ((0, 5, 3), (5, 8, 6))),
    "s01_v2.mp4": ("s01", ((0, 2.5, 4.5), (5, 8, 7))),
    "late/s02_v1.mp4": ("s02", ((0, 8, 10),)),
    "s03_v1.avi": ("s03", ((0, 3.2, 0), (3.2, 8, 2))),
    "s04_v1.mp4": ("s04", ((0, 5, 1), (5, 8, ""))),
    "s04_v2.mp4": ("s04", ((0, 5, 8), (5, 8, 5))),
}
MUTE = "s03_v1.avi"


def level(video: str, time_s: np.ndarray) -> np.ndarray:
    """Return the value of picture and tone; 0 where unrated."""
    shown = np.zeros(len(time_s))
    for start_s, end_s, value in SEGMENTS[video][1]:
        shown[(time_s >= start_s) & (time_s < end_s)] = value or 0
    return shown


def build(root: Path) -> None:
    """Write the clean tree: byte order mark, CRLF and a blank line in the manifest."""
    rows = ["video,subject,start_s,end_s,level"]
    for video, (subject, segments) in SEGMENTS.items():
        _write_film(root / video, video)
        rows += [f"{video},{subject},{a},{b},{value}" for a, b, value in segments]
    text = "\r\n".join([*rows, "", ""])
    (root / "manifest.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())


def _write_film(path: Path, video: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    times_s = np.arange(int(SECONDS * HZ)) / HZ
    shown, face = level(video, times_s), _film.picture(1)
    images = [_film.coded(face.copy(), value / 10) for value in shown]
    tones = np.round(2 * shown).astype(int)  # a tone every half level
    samples = _film.sound(tones, times_s, SECONDS, 0.0)
    times_ms = np.round(1000 * times_s).astype(int).tolist()
    _film.write(path, images, times_ms, None if video == MUTE else (0.0, samples), HZ)


def _mute(root: Path) -> None:
    for video in ("s01_v1.mp4", "s01_v2.mp4", "s04_v1.mp4"):
        _film.without_sound(root / video)


MANIFEST = "manifest.csv"
FAULTS = {
    "no manifest": Fault(gone(MANIFEST), "tree", "manifest.csv: no such file"),
    "a column by another name": Fault(
        line(MANIFEST, 1, "video,subject,start,end_s,level"), "tree", "no column 'start_s'"
    ),
    "a word as a level": Fault(
        line(MANIFEST, 3, "s01_v1.mp4,s01,5,8,tired"), "manifest lines",
        "manifest.csv:3: level is 'tired'",
    ),
    "a cell too few": Fault(
        line(MANIFEST, 3, "s01_v1.mp4,s01,5,8"), "manifest lines",
        "manifest.csv:3: expected 5 cells",
    ),
    "a segment that ends before it begins": Fault(
        line(MANIFEST, 3, "s01_v1.mp4,s01,8,4,6"), "manifest lines", "manifest.csv:3: 8 … 4 s"
    ),
    "times in milliseconds": Fault(
        line(MANIFEST, 3, "s01_v1.mp4,s01,5,800000,6"), "manifest lines",
        "manifest.csv:3: it ends at 800000 s",
    ),
    "a path out of the folder": Fault(
        line(MANIFEST, 3, "../s01_v1.mp4,s01,5,8,6"), "manifest lines", "manifest.csv:3: '../s01",
    ),
    "segments that overlap": Fault(
        line(MANIFEST, 3, "s01_v1.mp4,s01,3.5,8,6"), "segments", "s01_v1.mp4 at 3.5 s"
    ),
    "a level beyond ten": Fault(line(MANIFEST, 3, "s01_v1.mp4,s01,5,8,11"), "gold range", "s01_v1"),
    "a film missing": Fault(gone("s04_v2.mp4"), "files", "s04_v2.mp4"),
    "a film cut off": Fault(
        cut("s01_v2.mp4", 0.5), "pictures readable", "s01_v2.mp4", "WARN"
    ),
    "a film without a row": Fault(
        copied("s04_v2.mp4", "s05_v1.mp4"), "unlisted files", "s05_v1.mp4", "WARN"
    ),
    "one video of two subjects": Fault(
        line(MANIFEST, 3, "s01_v1.mp4,s02,5,8,6"), "subjects of videos", "s01_v1.mp4: s01, s02"
    ),
    "a nameless subject": Fault(
        line(MANIFEST, 3, "s01_v1.mp4,,5,8,6"), "subjects of videos", "s01_v1.mp4"
    ),
    "times in minutes taken for seconds": Fault(
        line(MANIFEST, 3, "s01_v1.mp4,s01,5,480,6"), "segments within videos", "rated to 480",
        "WARN",
    ),
    "most of a video unrated": Fault(
        line(MANIFEST, 2, "s01_v1.mp4,s01,0,5,"), "coverage", "s01_v1", "WARN", 
    ),
    "most videos without sound": Fault(_mute, "sound", "s01_v1.mp4", "WARN"),
    "another count of videos": Fault(
        lambda root: None, "videos", "6", "WARN", options=(("videos", 27),)
    ),
}  # fmt: skip
