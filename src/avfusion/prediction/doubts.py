"""When not to trust a prediction: spans of the clip, and remarks about all of it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from avfusion.media.store import MediaRecord
from avfusion.media.voice import VOICED
from avfusion.prediction.bundle import Bundle
from avfusion.prediction.prediction import UNLIKE, Doubt

LEAST_S = 0.5
"""A shorter span is no doubt."""

SPEAKS = 0.5
"""Share of speaking (`media.speaking`) from which a person speaks."""

FAR = "Most of the clip is unlike the training clips."

GENERATED = (
    "The model was trained on generated clips of drawn people. It knows nothing about real people: "
    "use it to try the program, not to judge a clip."
)


WORDS = "The model also reads words. Without --transcript they are missing."

OF_MODEL = (GENERATED, WORDS)
"""Remarks that are the same for every clip of a model."""


def remarks(record: MediaRecord, bundle: Bundle, meta: dict[str, Any]) -> list[str]:
    """Return what concerns the complete clip, in sentences."""
    stated = [GENERATED] if bundle.document.corpus.generated else []
    reads = {name for name, encoders in bundle.document.features.items() if encoders}
    if "video" in reads and record.frames.empty:
        stated.append("No pictures: predicted from sound only; intervals assume both.")
    if "audio" in reads and not meta.get("audio"):
        stated.append("No sound: predicted from pictures only; intervals assume both.")
    if "text" in reads:
        stated.append(WORDS)
    return stated + [_sentence(warning) for warning in meta.get("warnings", [])]


def far(table: pd.DataFrame) -> list[str]:
    """Return a remark if most rows are unlike the training clips.

    >>> far(pd.DataFrame({"unlike_training": [0.5, 1.5, 2.0, np.nan]})) == [FAR]
    True
    """
    distance = table[UNLIKE].dropna()
    share = float((distance > 1).mean()) if len(distance) else 0.0
    return [FAR] if share > 0.5 else []


def _sentence(text: str) -> str:
    """Return a warning of the media record as a sentence.

    >>> _sentence("no speech in the sound")
    'No speech in the sound.'
    """
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def find(
    table: pd.DataFrame, record: MediaRecord, bundle: Bundle, begin_s: float, everyone: bool
) -> list[Doubt]:
    """Return the spans to doubt, in order of time.

    Parameters
    ----------
    table
        Rows of every person, with times from the start of the record.
    record
        The record.
    bundle
        The model.
    begin_s
        Start of the record in the clip; it is added to the spans.
    everyone
        Whether the rows are those of several people; else of one, whose track may change.
    """
    hop_s = bundle.document.windows.hop_s
    doubts: list[Doubt] = []
    parts = table.groupby("track_id", dropna=False, sort=True) if everyone else [(pd.NA, table)]
    for track, rows in parts:
        number = None if pd.isna(track) else int(track)
        ends_s = rows["time_s"].to_numpy()
        for reason, here in _reasons(rows, record, bundle, number):
            for first_s, last_s in spans(ends_s, here, hop_s):
                doubts.append(Doubt(begin_s + first_s, begin_s + last_s, reason, number))
    return sorted(doubts, key=lambda doubt: (doubt.start_s, doubt.end_s, doubt.reason))


def _reasons(
    rows: pd.DataFrame, record: MediaRecord, bundle: Bundle, track: int | None
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each reason and the rows (R,) that it holds for."""
    reads = {name for name, encoders in bundle.document.features.items() if encoders}
    unseen = ~rows["face"].to_numpy(bool)
    voiced = rows["voiced"].to_numpy(float)
    unheard = np.nan_to_num(voiced) < VOICED
    if {"audio", "video"} <= reads:
        yield "no face and no speech", unseen & unheard
        yield "no face: from the voice only", unseen & ~unheard
        yield "no speech: from the face only", ~unseen & unheard
    elif "video" in reads:
        yield "no face", unseen
    elif "audio" in reads:
        yield "no speech", unheard
    if "audio" in reads and not record.frames.empty and record.meta.get("people"):
        mine, others = _speaking(record, rows["time_s"].to_numpy(), bundle, track)
        yield "the voice is another person's", (mine < SPEAKS) & (others >= SPEAKS) & ~unheard
    unlike = rows[UNLIKE].to_numpy(float)
    yield "unlike the training clips", np.nan_to_num(unlike) > 1
    targets = list(bundle.document.targets)
    yield "nothing to predict from", rows[targets].isna().any(axis=1).to_numpy()


def _speaking(
    record: MediaRecord, ends_s: np.ndarray, bundle: Bundle, track: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return how much a person speaks, and the one of the others who speaks most, (R,) each.

    The second is 0 where there is no other person, the first where nothing is known.
    """
    people = record.people
    followed = people["followed"] if track is None else people["person"] == track
    clip_s = bundle.document.windows.clip_s
    results = []
    for part in (people[followed], people[~followed]):
        most = part.groupby("time_s")["speaking"].max().dropna()
        times_s = most.index.to_numpy(float)
        last = np.searchsorted(times_s, ends_s, side="right") - 1
        value = np.zeros(len(ends_s))
        known = last >= 0
        known[known] = times_s[last[known]] > ends_s[known] - clip_s
        value[known] = most.to_numpy(float)[last[known]]
        results.append(value)
    return results[0], results[1]


def spans(ends_s: np.ndarray, here: np.ndarray, hop_s: float) -> Iterator[tuple[float, float]]:
    """Yield start and end of each run of true rows that is long enough.

    A run ends where rows are missing, such as those of another person.

    >>> list(spans(np.arange(1, 7) / 2, np.array([0, 1, 1, 1, 0, 1], bool), 0.5))
    [(0.5, 2.0), (2.5, 3.0)]
    >>> list(spans(np.array([1.0, 2.0, 50.0]), np.ones(3, bool), 1.0))
    [(0.0, 2.0), (49.0, 50.0)]
    """
    rows = np.flatnonzero(here)
    apart = (np.diff(rows) > 1) | (np.diff(ends_s[rows]) > 1.5 * hop_s)
    for run in np.split(rows, np.flatnonzero(apart) + 1):
        if not len(run):
            continue
        start_s, end_s = float(ends_s[run[0]] - hop_s), float(ends_s[run[-1]])
        if end_s - start_s >= LEAST_S - 1e-9:
            yield start_s, end_s
