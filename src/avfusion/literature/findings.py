"""Tests of each kind of claim: a quantity, its interval, and p for the side on which it lies.

Intervals and p are over people and trainings, as in all tables (`avfusion.evaluation.crossed`).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from avfusion.evaluation import crossed, exchanged, readings, significance
from avfusion.evaluation.crossed import Estimate, Sample
from avfusion.evaluation.samples import Grid, Samples, contrast


@dataclass(frozen=True)
class Finding:
    """The quantity of a claim, or what is missing for it.

    `sure_for` and `sure_against` tell whether the intervals support or contradict the claim.
    `published` is the published gain and `p_smaller` the p of a gain as large; NaN without one.
    """

    quantity: str = ""
    effect: float = np.nan
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan
    published: float = np.nan
    p_smaller: float = np.nan
    sure_for: bool = False
    sure_against: bool = False
    detail: str = ""
    missing: str = ""
    seeds: int = 0


@dataclass(frozen=True)
class Effect:
    """A quantity with its interval over people and trainings, and its two-sided p."""

    estimate: Estimate
    p: float

    @property
    def value(self) -> float:
        """The quantity, in the mean over targets."""
        return float(self.estimate.value[-1])

    @property
    def low(self) -> float:
        """Lower end of its interval."""
        return float(self.estimate.low[-1])

    @property
    def high(self) -> float:
        """Upper end of its interval."""
        return float(self.estimate.high[-1])


class Tests:
    """Tests of fusions on the trainings that they have in common.

    Parameters
    ----------
    samples
        Samples of the scored runs.
    grid
        Common trainings.
    family
        Number of claims that are corrected together; it sets the number of exchanges.
    """

    __test__ = False

    def __init__(self, samples: Samples, grid: Grid, family: int) -> None:
        self.samples, self.grid = samples, grid
        self.alpha, self.seed = samples.statistics.alpha, samples.statistics.seed
        self.draws = exchanged.draws_for(max(family, 1), self.alpha)

    @property
    def seeds(self) -> int:
        """Number of trainings."""
        return sum(map(len, self.grid))

    def difference(self, first: str, second: str) -> Effect:
        """Return the mean score of one fusion minus that of another."""
        one, other = (self.samples.of(name, self.grid) for name in (first, second))
        return self._effect(crossed.difference(one, other, self.alpha, self.seed), one, other)

    def slope(self, names: Sequence[str]) -> Effect:
        """Return the least-squares slope of the mean score over the places 1 … of fusions."""
        places = np.arange(len(names), dtype=float)
        lever = (places - places.mean()) / ((places - places.mean()) ** 2).sum()
        sample = contrast([self.samples.of(name, self.grid) for name in names], lever)
        estimate = crossed.score(sample, self.alpha, self.seed)
        return self._effect(estimate, sample, contrast([sample], [0.0]))

    def _effect(self, estimate: Estimate, first: Sample, second: Sample) -> Effect:
        mean = len(estimate.value) - 1
        (p,) = exchanged.p_values([(first, second, estimate, mean)], self.draws, self.seed)
        return Effect(estimate, p)


def better(names: list[str], tests: Tests, published: float | None = None) -> Finding:
    """Test names[0] minus each other fusion; the quantity is the smallest difference.

    The claim requires that all differences are positive, so p is their largest p
    (intersection-union test). If a difference is negative, the claim fails with any of them, so p
    is the smallest p of the negative ones times the number of differences.
    """
    gaps = {other: tests.difference(names[0], other) for other in names[1:]}
    smallest = min(gaps, key=lambda other: gaps[other].value)
    effect = gaps[smallest]
    p = max(gap.p for gap in gaps.values())
    if effect.value <= 0:
        p = min(1.0, len(gaps) * min(gap.p for gap in gaps.values() if gap.value <= 0))
    listed = "; ".join(f"{names[0]} − {other}: {_text(gap)}" for other, gap in gaps.items())
    gain = np.nan if published is None else published
    return Finding(
        quantity=f"{names[0]} − {smallest}",
        effect=effect.value,
        low=effect.low,
        high=effect.high,
        p=p,
        published=gain,
        p_smaller=readings.p_smaller(effect.estimate, gain),
        sure_for=all(gap.low > 0 for gap in gaps.values()),
        sure_against=any(gap.high < 0 for gap in gaps.values()),
        detail=listed if len(gaps) > 1 else "",
        seeds=tests.seeds,
    )


def equivalent(names: list[str], tests: Tests, margin: float) -> Finding:
    """Test names[0] minus names[1] against ±margin: equal within it, different beyond it."""
    effect = tests.difference(names[0], names[1])
    estimate, value = effect.estimate, effect.value
    if abs(value) < margin:
        p = readings.p_equivalent(estimate, margin)
    else:
        inward = estimate.below(margin) if value > 0 else estimate.above(-margin)
        p = min(1.0, 2 * float(inward[-1]))
    return Finding(
        quantity=f"{names[0]} − {names[1]}, within ±{margin:g}",
        effect=value,
        low=effect.low,
        high=effect.high,
        p=p,
        sure_for=abs(value) < margin,
        sure_against=effect.low > margin or effect.high < -margin,
        detail=f"two one-sided tests; difference from 0: {significance.p_text(effect.p)}",
        seeds=tests.seeds,
    )


def rising(names: list[str], tests: Tests) -> Finding:
    """Test the slope of the score along `names`, and each step with Holm's correction over steps.

    The claim is not supported if a step falls significantly, whatever the slope.
    """
    effect = tests.slope(names)
    steps = [tests.difference(b, a) for a, b in itertools.pairwise(names)]
    p = significance.holm(np.array([step.p for step in steps]))
    sure = [
        significance.significant(s.low, s.high, q, tests.alpha)
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
        seeds=tests.seeds,
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
