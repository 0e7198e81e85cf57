"""Faults of a RECOLA folder: one edit each, and the check that must report it."""

from collections.abc import Callable
from pathlib import Path

from support.miniatures import Fault, _film
from support.miniatures._edits import copied, cut, gone, line, rows

GOLD, RATERS = "ratings_gold_standard", "ratings_individual"


def each_row(path: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    """Return an edit that changes every row below the header."""
    return rows(path, lambda lines: [change(row) for row in lines])


def stretched(row: str) -> str:
    """Return the row with its time increased by a thousandth."""
    time, *values = row.split(";")
    return ";".join([f"{float(time) * 1.001:.5f}", *values])


def constant(path: str) -> Callable[[Path], None]:
    """Return an edit that makes the first rater constant."""
    return each_row(path, lambda row: ";".join([row.split(";")[0], "0.10", *row.split(";")[2:]]))


def faults() -> dict[str, Fault]:
    """Return all faults."""
    gold, raters = f"{GOLD}/valence/train_1.arff", f"{RATERS}/arousal/dev_1.csv"
    return {
        "a film missing": Fault(
            gone("recordings_video/train_1.mp4"), "pictures", "train_1", also=("files",)
        ),
        "a film empty": Fault(
            cut("recordings_video/train_1.mp4", 0), "pictures readable", "train_1.mp4",
            also=("empty files",),
        ),
        "a film cut off": Fault(
            cut("recordings_video/dev_1.mp4", 0.5), "pictures readable", "dev_1.mp4"
        ),
        "a film without sound": Fault(
            lambda root: [_film.without_sound(root / "recordings_video/dev_1.mp4"),
                          gone("recordings_audio/dev_1.wav")(root)],
            "sound of the films", "dev_1", "WARN", also=("sound files",),
        ),
        "a wav missing": Fault(
            gone("recordings_audio/dev_2.wav"), "sound files", "dev_2", "WARN"
        ),
        "wavs exchanged": Fault(
            copied("recordings_audio/train_2.wav", "recordings_audio/train_1.wav"),
            "wav against pictures", "train_1", "WARN",
        ),
        "a recording lost": Fault(
            lambda root: [gone(p)(root) for p in (
                "recordings_video/test_2.mp4", "recordings_audio/test_2.wav")],
            "recordings", "6", "WARN",
        ),
        "a name of another kind": Fault(
            copied("recordings_audio/dev_2.wav", "recordings_audio/speaker9.wav"),
            "recording names", "speaker9", "WARN",
        ),
        "gold missing": Fault(gone(gold), "valence gold", "train_1", "WARN"),
        "gold and raters missing": Fault(
            lambda root: [gone(gold)(root), gone(f"{RATERS}/valence/train_1.csv")(root)],
            "valence files", "train_1", also=("valence gold", "gold of train"),
        ),
        "ratings of a test recording": Fault(
            copied(gold, f"{GOLD}/valence/test_1.arff"), "no test ratings", "test_1",
            also=("names in files",),
        ),
        "gold of another recording": Fault(
            copied(f"{GOLD}/valence/dev_1.arff", f"{GOLD}/valence/dev_2.arff"),
            "names in files", "dev_2/valence names dev_1", also=("gold from raters",),
        ),
        "a word in the gold": Fault(
            line(gold, 20, "train_1,0.44,high"), "rating lines", "train_1.arff:20: not numbers"
        ),
        "a field too many": Fault(
            line(gold, 20, "train_1,0.44,0.1,0.2"), "rating lines", "train_1.arff:20: expected 2"
        ),
        "no data mark": Fault(
            line(gold, 8, "@dat"), "rating lines", "no line '@data'",
        ),
        "a gold value missing": Fault(
            line(gold, 20, "train_1,0.44,?"), "gold complete", "train_1", also=("gold from raters",)
        ),
        "a gold row missing": Fault(
            line(gold, 20, None), "rows", "train_1/valence: 500", also=("time grid",)
        ),
        "times of another grid": Fault(each_row(raters, stretched), "time grid", "dev_1"),
        "gold of other raters": Fault(
            copied(f"{RATERS}/arousal/train_1.csv", raters), "gold from raters",
            "dev_1/arousal", "WARN",
        ),
        "a rating beyond the range": Fault(
            line(raters, 30, "1.12;0.1;0.1;0.1;1.7;0.1;0.1"), "rater range", "dev_1",
            also=("gold from raters",),
        ),
        "a rater too few": Fault(
            lambda root: (root / raters).write_text("\n".join(
                row.rpartition(";")[0] for row in (root / raters).read_text().splitlines()) + "\n"),
            "six raters", "dev_1", "WARN", also=("gold from raters",),
        ),
        "a header of no raters": Fault(
            line(raters, 1, "0.00;0.1;0.1"), "rating lines", "dev_1.csv:1: expected 'time;rater"
        ),
        "a second rater who never moves": Fault(
            constant(f"{RATERS}/arousal/dev_2.csv"), "constant raters", "FM1, FF3", "WARN",
            also=("gold from raters",),
        ),
        "a rater left out who is not there": Fault(
            lambda root: None, "left out", "FX9", options=(("raters", ("FX9",)),)
        ),
    }  # fmt: skip
