"""Check how much of each video is rated, and in which unit its times seem to be."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from avfusion.corpora.check import Check, check
from avfusion.corpora.own.rules import unit_of
from avfusion.corpora.wording import stated

if TYPE_CHECKING:
    from avfusion.corpora.own.release import OwnRelease
    from avfusion.media.timing import Timing

GAP = 1.5  # as in `avfusion.features.windows`, which needs torch
OVER_S = 1.0  # ratings may begin this much before their video, and end this much after it
INSIDE = 0.1
"""Least share of a file's times inside its video; with less, the times have another origin."""
STRAY = 0.1
"""Least share of the last time that the median time has in a file of one unit."""
LEAST = 0.5
"""Least share of a video that is rated without a warning."""


def coverage(corpus: "OwnRelease", readable: "dict[str, Timing]") -> Iterator[Check]:
    """Yield whether ratings fit the videos in unit and length, and cover most of them.

    Parameters
    ----------
    corpus
        The corpus.
    readable
        Name -> timing of the videos that can be read.
    """
    if not corpus.targets:
        return
    rated = corpus.rated.dropna(subset=list(corpus.targets), how="all")
    times = _rated_times_s(corpus, rated)
    times = {video: times_s for video, times_s in times.items() if video in readable}
    last = {video: float(times_s.max()) for video, times_s in times.items()}
    units = _units(corpus, readable, times)
    yield _unit_check(corpus.rules.unit, units, readable, last)
    fine = {video: times_s for video, times_s in times.items() if video not in units}
    yield _within_check(corpus, readable, fine)
    yield _share_check(corpus, readable, rated[rated["video"].isin(list(fine))])


def _rated_times_s(corpus: "OwnRelease", rated: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return name -> times (N,) of each rated video; of its lines if ratings are held."""
    if corpus.rules.held and corpus.database is None:
        lines = {
            video: [part.time_s for part in parts if len(part.time_s)]
            for video, parts in corpus.ratings.items()
        }
        return {video: np.concatenate(each) for video, each in lines.items() if each}
    return {str(video): rows["time_s"].to_numpy() for video, rows in rated.groupby("video")}


def _units(
    corpus: "OwnRelease", readable: "dict[str, Timing]", times: dict[str, np.ndarray]
) -> dict[str, str]:
    """Return video -> the unit that its times seem to be in, where it is not the stated one.

    A single line far from the others is no unit.
    """
    unit = corpus.rules.unit
    if unit == "seconds" or corpus.database is not None:
        return {}
    units = {}
    for video, times_s in times.items():
        clock, last = readable[video], float(times_s.max())
        if unit:
            units[video] = f"not {unit}" if last < STRAY * clock.end_s else ""
        elif np.median(times_s) >= STRAY * last or len(times_s) == 1:
            units[video] = unit_of(last, clock.end_s, len(clock.times_s))
    return {video: unit for video, unit in units.items() if unit}


def _unit_check(
    unit: str, units: dict[str, str], readable: "dict[str, Timing]", last: dict[str, float]
) -> Check:
    """Fail if most rating files, or one beyond its video, seem to be in another unit; else warn.

    Times in frames or milliseconds go far beyond the video, so they cannot be seconds. Those in
    minutes or hours lie inside, as ratings of only its beginning do.
    """
    odd = [
        f"{video}: the last time is {last[video]:g}{' s' if unit else ''}; the video has "
        f"{readable[video].end_s:.1f} s: {guess}?"
        for video, guess in units.items()
    ]
    most = 2 * len(units) > len(last)
    beyond = [video for video in units if not unit and last[video] > readable[video].end_s]
    if unit:
        remedy = f"`ratings: {{unit: {unit}}}` holds for every file"
        remedy += ". Correct the option." if most else "; convert the files that are in another."
    else:
        likely = max(units.values(), key=[*units.values()].count, default="minutes")
        remedy = f"Give time_s in seconds, or set the option `ratings: {{unit: {likely}}}`"
        remedy += ". If it is in seconds, set `ratings: {unit: seconds}`."
        if not most:
            remedy = (
                "Give time_s in seconds in these files. If it is, set `ratings: {unit: seconds}`."
            )
    return check(
        "unit of times", not odd, f"times in {unit or 'seconds'}", stated(odd, len(last)), remedy,
        verdict="FAIL" if most or beyond else "WARN",
    )  # fmt: skip


def _within_check(
    corpus: "OwnRelease", readable: "dict[str, Timing]", times: dict[str, np.ndarray]
) -> Check:
    """Fail if most videos have hardly a rating inside; warn if some ratings are outside."""
    late_s = OVER_S + max(corpus.delay_s.values(), default=0.0)
    odd, lost = [], 0
    for video, times_s in times.items():
        end_s = readable[video].end_s
        outside = (times_s < -OVER_S) | (times_s > end_s + late_s)
        lost += bool(outside.mean() > 1 - INSIDE)
        if outside.any():
            odd.append(
                f"{video}: {outside.sum()} of {len(outside)} rated times; they are from "
                f"{times_s.min():.10g} to {times_s.max():.10g} s, and the video has {end_s:.1f} s"
            )
    return check(
        "ratings within videos", not odd, f"no rating {OVER_S:g} s before or after its video",
        stated(odd, len(times)),
        "They are not used. If `time_s` is the time of a day or of a session, subtract the start "
        "of the video. If it is in another unit, set the option `ratings: {unit: …}`.",
        verdict="FAIL" if 2 * lost > len(times) else "WARN",
    )  # fmt: skip


def _share_check(corpus: "OwnRelease", readable: "dict[str, Timing]", rated: pd.DataFrame) -> Check:
    shares, poor = [], []
    for video, rows in rated.groupby("video"):
        length_s = readable[str(video)].end_s
        if not length_s > 0:
            continue
        inside = rows[rows["time_s"].between(0, length_s)]
        # The target that is rated least counts.
        each = [inside.loc[inside[name].notna(), "time_s"].to_numpy() for name in corpus.targets]
        covered = [(covered_s(times_s) / length_s, i) for i, times_s in enumerate(each)]
        share, least = min(covered)
        shares.append(min(share, 1.0))
        if share < LEAST:
            poor.append(f"{video}: {_described(each[least], length_s, share)}")
    span = (
        f"{100 * min(shares):.0f} to {100 * max(shares):.0f} % of each rated video"
        if shares
        else "-"
    )
    return check(
        "coverage of ratings", not poor, f"ratings for {100 * LEAST:.0f} % of each video or more",
        stated(poor, 0) if poor else span,
        "Training and scoring use only what is rated. If ratings are logged only when they change, "
        "set the option `ratings: held`; if times are in another unit, `ratings: {unit: …}`.",
        verdict="WARN",
    )  # fmt: skip


def covered_s(times_s: np.ndarray) -> float:
    """Return the seconds between ratings (N,) that are close enough to be interpolated.

    Repeated times count once. The last rating counts for one usual interval.

    >>> covered_s(np.array([0.0, 1.0, 2.0, 2.0, 9.0, 10.0]))
    4.0
    """
    steps = np.diff(np.unique(times_s))
    if not len(steps):
        return 0.0
    usual = float(np.median(steps))
    return float(steps[steps <= GAP * usual].sum()) + usual


def _described(times_s: np.ndarray, length_s: float, share: float) -> str:
    if not len(times_s):
        return "a target is not rated"
    edges = np.concatenate([[0.0], np.sort(times_s), [length_s]])
    return (
        f"{100 * share:.0f} % of {length_s:.1f} s rated, from {times_s.min():g} to "
        f"{times_s.max():g} s, the largest gap is {np.diff(edges).max():.1f} s"
    )
