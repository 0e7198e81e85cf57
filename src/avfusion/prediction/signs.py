"""What a record shows at each step next to the predictions: person, face and voice."""

import numpy as np
import pandas as pd

from avfusion.media.store import MediaRecord
from avfusion.prediction.document import Document
from avfusion.prediction.prediction import SIGNS, UNLIKE
from avfusion.schemas import SLACK_S

_VOICE_S = 0.032
_TRACK = "Track of the followed person's face; the number changes where the tracker starts again."


def table(
    record: MediaRecord, ends_s: np.ndarray, document: Document, track: int | None
) -> pd.DataFrame:
    """Return `time_s, track_id, face, face_score, voiced` of each step.

    Parameters
    ----------
    record
        The record in which the person is followed.
    ends_s
        Ends of the steps in seconds (R,).
    document
        Of the bundle.
    track
        The person, if it is one for the complete record.
    """
    clip_s, hop_s = document.windows.clip_s, document.windows.hop_s
    score = _mean_within(*_faces(record), ends_s, clip_s)
    return pd.DataFrame(
        {
            "time_s": ends_s,
            "track_id": _tracks(record, ends_s, clip_s, track),
            "face": ~np.isnan(score),
            "face_score": score,
            "voiced": _voiced(record, ends_s, hop_s),
        }
    )


def order(document: Document, predicted: pd.DataFrame) -> list[str]:
    """Return the columns of a prediction in order."""
    targets = [f"{t}{part}" for t in document.targets for part in ("", "_low", "_high")]
    gates = [name for name in predicted.columns if name not in targets and name != UNLIKE]
    return ["time_s", "track_id", *targets, *SIGNS, *gates, UNLIKE]


def columns(
    document: Document, names: list[str], every_s: float | None = None, everyone: bool = False
) -> dict[str, str]:
    """Return column -> its meaning and unit; rows may be means over `every_s`."""
    low, high = document.range
    share = f"{100 * document.calibration.level:g} %"
    first = document.media.time_zero == "picture"
    zero = "the first picture" if first else "the start of the file"
    known = {
        "time_s": f"End of the step in seconds; 0 is {zero}.",
        "track_id": "Number of the person." if everyone else _TRACK,
        "face": "Whether a face of the person is in the clip that ends here.",
        "face_score": "Mean score of the face detector, 0 to 1.",
        "voiced": "Probability of speech, 0 to 1.",
        UNLIKE: "Distance of the features from those of training; 1 is far.",
    }
    for target in document.targets:
        known[target] = f"Predicted {target}, from {low:g} to {high:g}: mean over the members."
        mean = f"Mean over {every_s:g} s of the " if every_s else ""
        for end, word in (("low", "lower"), ("high", "upper")):
            text = f"{mean}{word} end of the {share} interval of {target}"
            known[f"{target}_{end}"] = f"{text[0].upper()}{text[1:]}."
    gate = "Weight of a gate of the fusion, 0 to 1: mean over the members."
    return {name: known.get(name, gate) for name in names}


def _faces(record: MediaRecord) -> tuple[np.ndarray, np.ndarray]:
    """Return times and scores of the frames with a face, (n,) each."""
    frames = record.frames
    seen = frames["score"].notna().to_numpy()
    return frames["time_s"].to_numpy()[seen], frames["score"].to_numpy(float)[seen]


def _mean_within(
    times_s: np.ndarray, values: np.ndarray, ends_s: np.ndarray, length_s: float
) -> np.ndarray:
    """Return the mean of values (n,) in each (end - length_s, end], (R,); NaN where none is."""
    first, last = (
        np.searchsorted(times_s, edge + SLACK_S, side="right")
        for edge in (ends_s - length_s, ends_s)
    )
    total = np.concatenate([[0.0], np.cumsum(values)])
    count = last - first
    sums = total[last] - total[first]
    return np.divide(sums, count, out=np.full(len(ends_s), np.nan), where=count > 0)


def _tracks(record: MediaRecord, ends_s: np.ndarray, clip_s: float, track: int | None) -> pd.Series:
    """Return the followed person of each step; the last one where there is no face."""
    if track is not None or record.frames.empty or "people" not in record.meta:
        return pd.Series(track, index=range(len(ends_s)), dtype="Int64")
    mine = record.people[record.people["followed"]].sort_values("time_s")
    last = np.searchsorted(mine["time_s"].to_numpy(), ends_s + SLACK_S, side="right") - 1
    if mine.empty:
        return pd.Series(pd.NA, index=range(len(ends_s)), dtype="Int64")
    return pd.Series(mine["person"].to_numpy()[last.clip(0)], dtype="Int64")


def _voiced(record: MediaRecord, ends_s: np.ndarray, hop_s: float) -> np.ndarray:
    """Return the mean probability of speech in the last hop of each step (R,)."""
    points = np.arange(_VOICE_S / 2, hop_s, _VOICE_S)
    values = record.voiced(ends_s[:, None] - points)
    known = ~np.isnan(values)
    count = known.sum(1)
    sums = np.where(known, values, 0).sum(1)
    return np.divide(sums, count, out=np.full(len(ends_s), np.nan), where=count > 0)
