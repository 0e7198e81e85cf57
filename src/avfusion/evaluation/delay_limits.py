"""Which annotation delays the recordings of a corpus can tell, by their rated length."""

import json

import numpy as np

from avfusion.errors import AvfError
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.rating import Rating

TIMES = 3.0
"""Rated recordings are at least this many times as long as the longest delay that is searched.

A delay d is scored on what is left when d is cut off. On short recordings, few seconds are left and
chance decides between delays.
"""
MOST_S, LEAST_S = 10.0, 2.0
"""The longest delay that is searched by default; shorter searches would miss usual delays (2 to
4 s)."""
STATE = "Add recordings, or state a published delay in `delay_s`; raters usually need 2 to 4 s."
"""What to do if the recordings cannot tell."""


def read_rating(corpus: str, layout: Layout) -> Rating:
    """Return the rating scale of a verified corpus."""
    path = layout.card(corpus)
    if not path.is_file():
        raise AvfError(f"File not found: {path}. Run: avf verify {corpus}")
    return Rating.of(json.loads(path.read_text()))


def rated_s(corpus: str, layout: Layout) -> float:
    """Return the median rated length of the training recordings in seconds; 0 without any."""
    names = list(read_rating(corpus, layout).names)
    manifest = read_table(layout.manifest(corpus), columns=["video", "partition"])
    videos = manifest["video"][manifest["partition"] == "train"].tolist()
    gold = read_table(layout.gold(corpus), filters=[("video", "in", videos)])
    times = gold.dropna(subset=names, how="all").groupby("video")["time_s"]
    return float((times.max() - times.min()).median()) if len(times) else 0.0


def longest_s(corpus: str, layout: Layout) -> float:
    """Return the longest delay that the training recordings can tell, at most `MOST_S`."""
    return max(LEAST_S, min(MOST_S, rated_s(corpus, layout) / TIMES))


def refuse_short(corpus: str, median_s: float, delay_s: float) -> None:
    """Refuse a search over delays that recordings are too short to tell.

    Parameters
    ----------
    corpus
        Name of the corpus.
    median_s
        Median rated length of the training recordings.
    delay_s
        The longest delay of the search.

    Raises
    ------
    AvfError
        If the recordings are shorter than `TIMES` times the delay.
    """
    if median_s >= TIMES * delay_s - 1e-6:
        return
    most_s = median_s / TIMES
    remedy = f"Run: avf delay {corpus} --longest {np.floor(most_s * 10) / 10:g}"
    if most_s < LEAST_S:
        remedy = (
            f"Searching up to {LEAST_S:g} s needs recordings of {TIMES * LEAST_S:g} s or more. "
            f"{STATE}"
        )
    raise AvfError(
        f"{corpus}: the training recordings are rated over {median_s:.1f} s (median), too short to "
        f"tell delays up to {delay_s:g} s apart: {TIMES:g} times that is needed. {remedy}"
    )
