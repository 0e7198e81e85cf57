"""Checks of the gold standard of every corpus: its range, its times, and whose it is."""

from collections.abc import Iterator

import pandas as pd

from avfusion.corpora.base import Corpus
from avfusion.corpora.check import Check, check
from avfusion.corpora.wording import listed
from avfusion.schemas import PARTITIONS

NARROW = 0.05
"""Least share of the range that gold extends over; less suggests another scale."""


def gold_checks(corpus: Corpus, gold: pd.DataFrame, manifest: pd.DataFrame) -> Iterator[Check]:
    """Yield whether ratings are in range, in order, complete and not constant."""
    low, high = corpus.value_range
    values = gold[list(corpus.targets)]
    extremes = pd.DataFrame({"video": gold["video"], "low": values.min(1), "high": values.max(1)})
    extremes = extremes.groupby("video", sort=False).agg({"low": "min", "high": "max"})
    beyond = extremes[(extremes["low"] < low) | (extremes["high"] > high)]
    outside = [f"{row.Index} ({row.low:g} to {row.high:g})" for row in beyond.itertuples()]
    least, most = extremes["low"].min(), extremes["high"].max()
    narrow = 0 < most - least < NARROW * (high - low)
    spread = f"all gold is {least:g} to {most:g}" if narrow else f"{len(gold)} instants"
    yield check(
        "gold range",
        not outside and not narrow,
        f"gold within [{low:g}, {high:g}] or NaN, over {NARROW:.0%} of it or more",
        f"outside: {listed(outside)}" if outside else spread,
        "Code an unrated instant as NaN, or correct the range (option `value_range` of your own "
        "recordings).",
        verdict="FAIL" if outside else "WARN",
    )
    steps = gold.groupby("video", sort=False)["time_s"].diff()
    late = gold[~(steps > 0) & gold["video"].duplicated()].drop_duplicates("video")
    wrong = [f"{row.video} at {row.time_s:g} s" for row in late.itertuples()]
    yield check(
        "gold times",
        not wrong,
        "times that strictly increase in each video",
        f"not so: {listed(wrong)}" if wrong else f"{gold['video'].nunique()} videos",
        "Sort the file and remove repeated times. If several people rated, write their mean.",
    )
    rated = set(gold["video"][values.notna().any(axis=1)])
    yield from _rated(corpus, rated, manifest)
    strays = sorted(rated - set(manifest["video"]))
    yield check(
        "gold of unlisted",
        not strays,
        "gold for listed videos only",
        listed(strays) or "none",
        "It is ignored.",
        verdict="WARN",
    )
    yield _varies(corpus, gold, manifest)


def _rated(corpus: Corpus, rated: set[str], manifest: pd.DataFrame) -> Iterator[Check]:
    """Yield whether the videos of each partition are rated."""
    for partition, verdict in zip(PARTITIONS, ("FAIL", "FAIL", "WARN"), strict=True):
        if partition in corpus.unrated:
            continue
        videos = manifest["video"][manifest["partition"] == partition]
        missing = videos[~videos.isin(rated)]
        hint = "They are predicted but not scored."
        if verdict == "FAIL" and corpus.partly_rated and len(missing) < len(videos):
            verdict, hint = "WARN", "They are predicted, but not trained on or scored."
        yield check(
            f"gold of {partition}",
            missing.empty,
            f"a rating for every {partition} video",
            f"none for: {listed(missing)}" if len(missing) else f"{len(videos)} videos",
            hint if verdict == "WARN" else corpus.obtain,
            verdict=verdict,
        )


def _varies(corpus: Corpus, gold: pd.DataFrame, manifest: pd.DataFrame) -> Check:
    """Check that no target is constant over a partition, where CCC is undefined."""
    partition = gold["video"].map(manifest.set_index("video")["partition"].to_dict())
    spread = gold[list(corpus.targets)].groupby(partition).agg(["min", "max"])
    flat = [
        f"{target} is always {spread.loc[part, (target, 'min')]:g} in {part}"
        for part in spread.index
        for target in corpus.targets
        if spread.loc[part, (target, "min")] == spread.loc[part, (target, "max")]
    ]
    return check(
        "gold varies",
        not flat,
        "at least two values of each target in each partition",
        listed(flat) or f"{len(corpus.targets)} targets",
        "CCC is undefined for a constant, so tables show no score. Rate videos that differ, or "
        "remove the target from `targets`.",
        verdict="WARN",
    )
