"""Tests of each kind of claim: a quantity, its interval, and p for the side on which it lies.

Shapes: V videos, S seeds, K targets. Sums are (S, K, V, 6), one array per fusion, with the same
seeds.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from avfusion.evaluation import significance
from avfusion.evaluation.paired import Effect, Resampling, difference, margin_p, trend

Sums = dict[str, np.ndarray]


@dataclass(frozen=True)
class Finding:
    """The quantity of a claim, or what is missing for it.

    `sure_for` and `sure_against` tell whether the intervals support or contradict the claim.
    """

    quantity: str = ""
    effect: float = np.nan
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan
    sure_for: bool = False
    sure_against: bool = False
    detail: str = ""
    missing: str = ""
    seeds: int = 0


def better(names: list[str], sums: Sums, resampling: Resampling) -> Finding:
    """Test names[0] minus each other fusion; the quantity is the smallest difference.

    The claim requires that all differences are positive, so p is their largest p
    (intersection-union test). If a difference is negative, the claim fails with any of them, so p
    is the smallest p of the negative ones times the number of differences.
    """
    gaps = {other: difference(sums[names[0]], sums[other], resampling) for other in names[1:]}
    smallest = min(gaps, key=lambda other: gaps[other].value)
    effect = gaps[smallest]
    p = max(gap.p for gap in gaps.values())
    if effect.value <= 0:
        p = min(1.0, len(gaps) * min(gap.p for gap in gaps.values() if gap.value <= 0))
    listed = "; ".join(f"{names[0]} − {other}: {_text(gap)}" for other, gap in gaps.items())
    return Finding(
        quantity=f"{names[0]} − {smallest}",
        effect=effect.value,
        low=effect.low,
        high=effect.high,
        p=p,
        sure_for=all(gap.low > 0 for gap in gaps.values()),
        sure_against=any(gap.high < 0 for gap in gaps.values()),
        detail=listed if len(gaps) > 1 else "",
        seeds=len(sums[names[0]]),
    )


def equivalent(names: list[str], sums: Sums, resampling: Resampling, margin: float) -> Finding:
    """Test names[0] minus names[1] against ±margin: equal within it, different beyond it."""
    effect = difference(sums[names[0]], sums[names[1]], resampling)
    p = margin_p(effect.samples, effect.value, resampling.units(sums[names[0]]), margin)
    return Finding(
        quantity=f"{names[0]} − {names[1]}, within ±{margin:g}",
        effect=effect.value,
        low=effect.low,
        high=effect.high,
        p=p,
        sure_for=abs(effect.value) < margin,
        sure_against=effect.low > margin or effect.high < -margin,
        detail=f"two one-sided tests; difference from 0: {significance.p_text(effect.p)}",
        seeds=len(sums[names[0]]),
    )


def rising(names: list[str], sums: Sums, resampling: Resampling) -> Finding:
    """Test the slope of the score along `names`, and each step with Holm's correction over steps.

    The claim is not supported if a step falls significantly, whatever the slope.
    """
    effect = trend([sums[name] for name in names], resampling)
    steps = [difference(sums[b], sums[a], resampling) for a, b in itertools.pairwise(names)]
    p = significance.holm(np.array([step.p for step in steps]))
    sure = [
        significance.significant(s.low, s.high, q, resampling.alpha)
        for s, q in zip(steps, p, strict=True)
    ]
    gains = [clear and step.value > 0 for clear, step in zip(sure, steps, strict=True)]
    falls = [clear and step.value < 0 for clear, step in zip(sure, steps, strict=True)]
    helps = gains.index(False) if False in gains else len(gains)
    listed = [
        f"{a} to {b}: {_text(step)}, {significance.p_text(q)}"
        for a, b, step, q in zip(names, names[1:], steps, p, strict=False)
    ]
    stop = f"each step adds up to {names[helps]}" if helps else "no first step that surely adds"
    return Finding(
        quantity=f"slope per step, {names[0]} to {names[-1]}",
        effect=effect.value,
        low=effect.low,
        high=effect.high,
        p=effect.p,
        sure_for=effect.low > 0 and not any(falls),
        sure_against=effect.high < 0,
        detail=f"{stop}; {'; '.join(listed)}",
        seeds=len(sums[names[0]]),
    )


def robust(names: list[str], corpus: str, corruption: str, areas: pd.DataFrame) -> Finding:
    """Read the loss of names[1] minus that of names[0] under corruption from the areas.

    The claim also requires that the mean over the levels, the area, is not lower for names[0]. A
    fusion that hardly reads the corrupted modality loses little, and may score lower throughout.
    """
    absent = Finding(missing=f"no area of {names[0]} and {names[1]} under {corruption}")
    if not len(areas):
        return absent
    rows = areas[
        (areas["corpus"] == corpus)
        & (areas["corruption"] == corruption)
        & (areas["target"] == "mean")
    ]
    for pair, sign in ((names, 1), (names[::-1], -1)):
        matches = rows[(rows["fusion"] == pair[0]) & (rows["other"] == pair[1])]
        if len(matches):
            row = matches.iloc[0]
            low, high = sorted((sign * row["low"], sign * row["high"]))
            area = sign * row["area"]
            ends = sorted((sign * row["area_low"], sign * row["area_high"]))
            level = "" if area >= 0 else "; it is lower, so the claim cannot be supported"
            return Finding(
                quantity=f"loss of {names[1]} − loss of {names[0]}",
                effect=float(sign * row["difference"]),
                low=float(low),
                high=float(high),
                p=float(row["p"]),
                sure_for=bool(low > 0 and area >= 0),
                sure_against=high < 0,
                detail=f"mean over the levels, {names[0]} − {names[1]}: "
                f"{_interval(area, *ends)}{level}",
            )
    return absent


def _text(effect: Effect) -> str:
    """Return `0.040 [0.010, 0.070]`, with true minus signs."""
    return _interval(effect.value, effect.low, effect.high)


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:.3f} [{low:.3f}, {high:.3f}]".replace("-", "−")
