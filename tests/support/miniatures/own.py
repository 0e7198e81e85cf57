"""Your own recordings in small: every form of ratings, in a manifest with one row per video.

Valence is the value of the picture 3 frames earlier, arousal that of the tone 5 frames earlier.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from support.miniatures import Fault, _film, _own_faults
from support.miniatures._edits import gone, line

HZ, SECONDS = 10, 4.0
FRAMES = int(SECONDS * HZ)
LATE = {"valence": 3, "arousal": 5}  # frames
OPTIONS = {
    "targets": ["valence", "arousal"],
    "rating_hz": 10.0,
    "delay_s": {target: late / HZ for target, late in LATE.items()},
}
# video -> (subject, partition, ratings, ratings_valence, ratings_arousal)
ROWS = {
    "clips/anna 1.mp4": ("anna", "train", "ratings/anna_1.csv", "", ""),
    "clips/ben.mp4": ("ben", "train", "ratings/ben.parquet", "", ""),
    "clips/cleo.avi": ("cleo", "dev", "ratings/cleo.eaf", "", ""),
    "clips/dan.mp4": ("dan", "test", "", "ratings/dan_v.arff", "ratings/dan_a.arff"),
    "clips/eve.mp4": ("eve", "test", "ratings/eve.tsv", "", ""),
}
TIERS = {
    "valence": ((0, 1500, "0.5"), (1500, 4000, "-0.25")),
    "arousal": ((500, 800, "0.16"), (800, 3300, "0.08"), (3300, 3500, "0.24")),
}
SPANS = "clips/cleo.avi"  # its ratings hold over spans
MANIFEST = "manifest.csv"


def rated(video: str) -> pd.DataFrame:
    """Return the ratings of a video per instant, as in its file."""
    time_s, seen, heard = np.arange(FRAMES) / HZ, *stimulus(video)
    late = [np.arange(FRAMES) - LATE[target] for target in ("valence", "arousal")]
    valence, arousal = seen[late[0]], _film.tone_value(heard[late[1]])  # the first ones wrap around
    return pd.DataFrame({"time_s": time_s, "valence": valence, "arousal": arousal})


def stimulus(video: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the valence and the number of the tone (arousal) of every frame, (FRAMES,) each."""
    rng = np.random.default_rng([11, *video.encode()])
    seen = np.round(np.clip(rng.normal(0, 0.3, FRAMES), -1, 1), 3)
    heard = np.cumsum(rng.integers(1, _film.TONES - 1, FRAMES)) % _film.TONES
    if video == SPANS:
        middle_s = (np.arange(FRAMES) + 0.5) / HZ
        seen = _held("valence", middle_s + LATE["valence"] / HZ)
        heard = np.round((_held("arousal", middle_s + LATE["arousal"] / HZ) + 0.96) / 0.08)
    return seen, heard.astype(int)


def _held(target: str, time_s: np.ndarray) -> np.ndarray:
    """Return the value of a tier at each instant; 0 where it has none."""
    value = np.zeros(len(time_s))
    for start_ms, end_ms, text in TIERS[target]:
        value[(time_s >= start_ms / 1000) & (time_s < end_ms / 1000)] = float(text)
    return value


def build(root: Path) -> None:
    """Write the clean folder; one table has `;` and an unrated instant, one is tab-separated."""
    (root / "clips").mkdir(parents=True)
    (root / "ratings").mkdir()
    rows = ["video,subject,partition,ratings,ratings_valence,ratings_arousal"]
    for video, cells in ROWS.items():
        _write_film(root / video, video)
        rows.append(",".join([video, *cells]))
    (root / MANIFEST).write_text("\n".join(rows) + "\n")
    table = rated("clips/anna 1.mp4").astype(object)
    table.loc[3, "valence"] = ""
    (root / "ratings/anna_1.csv").write_text(table.to_csv(index=False, sep=";"))
    rated("clips/ben.mp4").to_parquet(root / "ratings/ben.parquet")
    (root / "ratings/cleo.eaf").write_text(eaf(TIERS))
    rated("clips/eve.mp4").to_csv(root / "ratings/eve.tsv", index=False, sep="\t")
    for short, target in (("v", "valence"), ("a", "arousal")):
        table = rated("clips/dan.mp4")
        rows = zip(table["time_s"], table[target], strict=True)
        lines = [f"dan,{t:.2f},{x}" for t, x in rows]
        head = ["@relation GOLDSTANDARD", "@attribute a string", "@DATA"]
        (root / f"ratings/dan_{short}.arff").write_text("\r\n".join([*head, *lines, ""]))


def eaf(tiers: dict[str, tuple[tuple[int, int, str], ...]]) -> str:
    """Return an ELAN document with these tiers, and one of spoken words."""
    slots, parts = [], []
    for name, spans in {**tiers, "words": ((0, 900, "good morning"),)}.items():
        parts.append(f'<TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="{name}">')
        for start_ms, end_ms, text in spans:
            first, last = f"ts{len(slots) + 1}", f"ts{len(slots) + 2}"
            slots += [(first, start_ms), (last, end_ms)]
            parts.append(
                f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{len(slots)}"'
                f' TIME_SLOT_REF1="{first}" TIME_SLOT_REF2="{last}">\n'
                f"<ANNOTATION_VALUE>{text}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
            )
        parts.append("</TIER>")
    order = [f'<TIME_SLOT TIME_SLOT_ID="{name}" TIME_VALUE="{ms}"/>' for name, ms in slots]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<ANNOTATION_DOCUMENT FORMAT="3.0">'
    head += '<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"/>'
    return "\n".join(
        [head, "<TIME_ORDER>", *order, "</TIME_ORDER>", *parts, "</ANNOTATION_DOCUMENT>"]
    )


def _write_film(path: Path, video: str) -> None:
    times_s, face = np.arange(FRAMES) / HZ, _film.picture(1)
    seen, heard = stimulus(video)
    images = [_film.coded(face.copy(), value) for value in seen]
    samples = _film.sound(heard, times_s, SECONDS, 0.0)
    times_ms = np.round(1000 * times_s).astype(int).tolist()
    _film.write(path, images, times_ms, (0.0, samples), HZ)


def _edit_eaf(old: str, new: str):
    def plant(root: Path) -> None:
        path = root / "ratings/cleo.eaf"
        path.write_text(path.read_text().replace(old, new))

    return plant


BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "0.5">]><ANNOTATION_DOCUMENT>&a;'
SAYS = "clips/ben.mp4,ben,train,ratings/ben.parquet,,"
FAULTS = {
    "no manifest": Fault(gone(MANIFEST), "tree", "manifest.csv: no such file"),
    "no subject column": Fault(
        line(MANIFEST, 1, "video,who,partition,ratings,ratings_valence,ratings_arousal"),
        "tree", "manifest.csv:1: no column 'subject'",
    ),
    "a partition of another name": Fault(
        line(MANIFEST, 3, SAYS.replace("train", "training")), "manifest lines",
        "manifest.csv:3: partition is 'training'",
    ),
    "a cell too many": Fault(
        line(MANIFEST, 3, f"{SAYS},"), "manifest lines", "manifest.csv:3: expected 6 cells",
        also=("unlisted files",),
    ),
    "a nameless subject": Fault(
        line(MANIFEST, 3, SAYS.replace("ben,train", ",train")), "manifest lines",
        "manifest.csv:3: no subject",
    ),
    "a person in two partitions": Fault(
        line(MANIFEST, 5, "clips/dan.mp4,anna,test,,ratings/dan_v.arff,ratings/dan_a.arff"),
        "subject overlap", "anna", also=("voice overlap",),
    ),
    "a ratings file missing": Fault(
        gone("ratings/anna_1.csv"), "rating lines", "ratings/anna_1.csv:1: no such file",
        also=("gold of train",),
    ),
    "a word in the ratings": Fault(
        line("ratings/anna_1.csv", 6, "0.4;high;0.1"), "rating lines",
        "ratings/anna_1.csv:6: valence is 'high'",
    ),
    "a ratings column missing": Fault(
        line("ratings/anna_1.csv", 1, "time_s;valance;arousal"), "rating lines",
        "If 'valance' is meant, rename it to 'valence'", also=("gold of train",),
    ),
    "a rating beyond the range": Fault(
        line("ratings/anna_1.csv", 6, "0.4;1.4;0.1"), "gold range", "clips__anna 1"
    ),
    "an instant twice": Fault(
        line("ratings/anna_1.csv", 6, "0.3;0.1;0.1"), "gold times", "clips__anna 1"
    ),
    "times in milliseconds": Fault(
        line("ratings/anna_1.csv", 41, "3900;0.1;0.1"), "ratings within videos", "from 0 to 3900 s",
        "WARN",
    ),
    "an entity in the ELAN document": Fault(
        lambda root: (root / "ratings/cleo.eaf").write_text(BOMB), "rating lines",
        "it declares a document type", also=("gold of validation",),
    ),
    "a tier of another name": Fault(
        _edit_eaf('TIER_ID="valence"', 'TIER_ID="Valence"'), "rating lines", "no tier 'valence'",
        also=("gold of validation",),
    ),
    "a word in an ELAN tier": Fault(
        _edit_eaf(">0.24<", ">calm<"), "rating lines", "tier arousal: 'calm' is no number"
    ),
    "an ELAN tier that takes its times from another": Fault(
        _edit_eaf("<ANNOTATION><ALIGNABLE", '<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="r"'
                  ' ANNOTATION_REF="a2"></REF_ANNOTATION></ANNOTATION>\n<ANNOTATION><ALIGNABLE'),
        "rating lines", "tier valence: an annotation without times of its own",
    ),
    "an ELAN annotation without time": Fault(
        _edit_eaf(' TIME_VALUE="3500"', ""), "rating lines", "without a place in time"
    ),
    "a film missing": Fault(gone("clips/ben.mp4"), "files", "clips/ben.mp4"),
    **_own_faults.FAULTS,
}  # fmt: skip
