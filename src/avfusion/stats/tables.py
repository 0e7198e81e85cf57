"""Scores and comparisons of fusions from a table of predicted frames."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any, Literal, TypedDict, Unpack, get_args

import pandas as pd
from pydantic import ValidationError

from avfusion.config.messages import sentences
from avfusion.config.sections import StatisticsSettings
from avfusion.errors import AvfError, ConfigError
from avfusion.evaluation import difference, estimates
from avfusion.evaluation.difference import Difference
from avfusion.evaluation.families import Comparison, Family
from avfusion.evaluation.samples import Samples
from avfusion.metrics.sums import MEAN
from avfusion.registry import near
from avfusion.stats.arrays import Pooling
from avfusion.stats.frames import read_frames

PLACE = ("corpus", "protocol", "leaks", "partition")
"""Columns of a study's tables that a table of frames has no values for."""


class Options(TypedDict, total=False):
    """Options of the functions on tables; a study has the same under `statistics`.

    Attributes
    ----------
    pooling
        `pooled` (default) computes CCC over all frames, `per_video_mean` averages that of videos.
    unit
        What is independent: `auto` (default; people if one is in several videos), `video` or
        `subject`.
    alpha
        Level of significance, and share outside the intervals; 0.05.
    draws, seed
        Draws of the bootstrap, 10,000, and the seed of the random generators, 0.
    margin
        Largest difference that counts as practically equal; 0.02.
    declared, power
        Difference and power for which the needed people or videos are computed; 0.03 and 0.8.
    """

    pooling: Pooling
    unit: Literal["auto", "video", "subject"]
    alpha: float
    draws: int
    seed: int
    margin: float
    declared: float
    power: float


def scores(table: pd.DataFrame, **options: Unpack[Options]) -> pd.DataFrame:
    """Estimate the CCC of each fusion, with its interval over people and trainings.

    Parameters
    ----------
    table
        A row per frame; see `avfusion.stats`.
    options
        See `Options`.

    Returns
    -------
    DataFrame
        A row per fusion and target, best mean first: `fusion, target, mean, sd, low, high, seeds,
        videos, units, unit, frames`. `mean` and `sd` are over trainings. A table without the
        column `target` has only the rows `mean`.

    Raises
    ------
    AvfError
        If the table is incomplete.
    ConfigError
        If an option is unknown or out of range.
    """
    samples = _samples(table, options)
    rows = estimates.of_fusions(samples, list(samples.scored.sums))
    return _shown(rows.drop(columns=[*PLACE, "missing", "note"]), samples)


def compare(
    table: pd.DataFrame, a: str, b: str, *, target: str = MEAN, **options: Unpack[Options]
) -> Difference:
    """Compare two fusions.

    Parameters
    ----------
    table
        A row per frame; see `avfusion.stats`.
    a, b
        Names of the fusions.
    target
        A target of the table, or `mean`.
    options
        See `Options`.

    Returns
    -------
    Difference
        a minus b: difference, interval, p and decision. p is of this comparison only; for several,
        use `comparisons`, which corrects them together.

    Raises
    ------
    AvfError
        If the table is incomplete, or has no such fusion or target.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> gold = np.repeat(rng.normal(size=20), 50) + rng.normal(size=1000)
    >>> frames = {"video": np.repeat(np.arange(20), 50), "gold": gold}
    >>> table = pd.concat(
    ...     pd.DataFrame(frames).assign(fusion=name, predicted=gold + rng.normal(size=1000) * size)
    ...     for name, size in {"late": 1.0, "early": 0.5}.items()
    ... )
    >>> one = compare(table, "early", "late", draws=1000)
    >>> one.decision, round(one.difference, 2)
    ('better', 0.17)
    """
    samples = _samples(table, options)
    scored = samples.scored
    if target not in scored.targets:
        raise _unknown("target", target, scored.targets)
    rows = _compared(samples, [(a, b)], exploratory=False)
    how = estimates.decision(scored, samples.statistics)
    one = difference.between([rows], (a, b), target, how, scored.unit_word)
    assert one is not None
    return one


def comparisons(
    table: pd.DataFrame,
    pairs: Sequence[tuple[str, str]] | None = None,
    **options: Unpack[Options],
) -> pd.DataFrame:
    """Compare several pairs of fusions, with Holm's correction over them.

    Parameters
    ----------
    table
        A row per frame; see `avfusion.stats`.
    pairs
        The comparisons that were declared, before the predictions were scored. By default all pairs
        of fusions, which are exploratory.
    options
        See `Options`.

    Returns
    -------
    DataFrame
        A row per pair and target: `family, exploratory, target, fusion, other, difference, low,
        high, p, p_holm, …, decision, significant, verdict`. See `Difference`; `verdict` is its
        sentence, and `fusion` minus `other` its difference.

    Raises
    ------
    AvfError
        If the table is incomplete, or has no such fusion.
    """
    samples = _samples(table, options)
    every = list(combinations(samples.scored.sums, 2)) if pairs is None else pairs
    rows = _compared(samples, every, exploratory=pairs is None)
    return _shown(rows.drop(columns=[*PLACE]), samples)


def _samples(table: pd.DataFrame, options: Options) -> Samples:
    """Read the table under the options."""
    given: dict[str, Any] = dict(options)
    for name in given:
        if name not in Options.__annotations__:
            listed = ", ".join(Options.__annotations__)
            hint = near(name, Options.__annotations__)
            raise ConfigError(f"There is no option {name!r}.{hint} Options: {listed}.")
    pooling = given.pop("pooling", "pooled")
    if pooling not in get_args(Pooling):
        raise ConfigError(f"pooling is {pooling!r}; set one of {', '.join(get_args(Pooling))}.")
    if "margin" in given:
        given["margins"] = {pooling: given.pop("margin")}
    try:
        statistics = StatisticsSettings(**given)
    except ValidationError as error:
        raise ConfigError(" ".join(sentences(StatisticsSettings, error))) from None
    return Samples(read_frames(table, pooling, statistics), statistics)


def _compared(
    samples: Samples, pairs: Sequence[tuple[str, str]], exploratory: bool
) -> pd.DataFrame:
    """Decide the comparisons of one family."""
    known = list(samples.scored.sums)
    for name in (name for pair in pairs for name in pair):
        if name not in known:
            raise _unknown("fusion", name, known)
    family = tuple(Comparison(*pair) for pair in pairs)
    return estimates.decided(
        samples, Family("pairs" if exploratory else "declared", family, exploratory)
    )


def _shown(rows: pd.DataFrame, samples: Samples) -> pd.DataFrame:
    """Leave out the rows of a single target, which are those of the mean."""
    one = len(samples.scored.names) == 1
    return (rows[rows["target"] == MEAN] if one else rows).reset_index(drop=True)


def _unknown(kind: str, name: str, known: Sequence[str]) -> AvfError:
    hint = near(name, known)
    return AvfError(f"The table has no {kind} {name!r}.{hint} It has: {', '.join(known)}.")
