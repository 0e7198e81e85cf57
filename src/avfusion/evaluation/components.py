"""Variance of a score, and of a difference of two scores, over people and trainings.

An estimate is a mean over U units (people, or videos) and E x S trainings (encoder fits x fusion
seeds). In the random-effects model of units x trainings, its variance is

    V = V_units + V_trainings - V_overlap

`V_units` is the variance that a bootstrap over units shows, times U / (U - 1). `V_trainings` is
the variance of the mean of the trainings' scores on all units. Both contain the interaction of
units and trainings, so their sum counts it twice; `V_overlap` is that interaction. A bootstrap that
draws units and trainings at once counts it three times (Owen, Annals of Applied Statistics 2007,
"The pigeonhole bootstrap"; Owen and Eckles, Annals of Applied Statistics 2012).

`V_trainings` comes from mean squares of the E x S table (Cornfield and Tukey, Annals of
Mathematical Statistics 1956), each divided by E S:

    V_trainings = fits + seeds - both

Two fusions share the encoder fits, so `fits` is that of their differences. Their seeds are
independent, so `seeds` and `both` are sums over the two fusions. The expectation is right if seeds
mean the same in all fits, and if they do not.

Shapes: E encoder fits, S fusion seeds, K targets, V videos, U units; sums are (E, S, K, V, 6).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from avfusion.evaluation.inference import units

Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Computes scores (R, M, N) of R runs in N draws from sums (R, K, V, ...) and weights (N, V)."""


@dataclass(frozen=True)
class Parts:
    """Scores of the trainings of a fusion, and the contribution of each unit to them.

    Parameters
    ----------
    score
        Score of each training, target and their mean, (E, S, K + 1).
    unit
        Contributions of the units, (E, S, K + 1, U); their mean over units is `score`.
    """

    score: np.ndarray
    unit: np.ndarray


@dataclass(frozen=True)
class Variance:
    """Variance of a score or difference; each array has the shape (K + 1,).

    Parameters
    ----------
    people
        Variance over units, trainings being fixed.
    trainings
        Variance that trainings add, without the overlap; at least 0.
    freedom
        Degrees of freedom of the sum (Satterthwaite, Biometrics Bulletin 1946); at least 1.
    units
        Number of units behind each target.
    """

    people: np.ndarray
    trainings: np.ndarray
    freedom: np.ndarray
    units: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """Variance over other people and other trainings, (K + 1,)."""
        return self.people + self.trainings


def parts(sums: np.ndarray, measure: Measure, unit: np.ndarray | None = None) -> Parts:
    """Split the scores of trainings into contributions of units.

    Parameters
    ----------
    sums
        Sums of the trainings of a fusion, (E, S, K, V, 6), or (E, S, K, V, 3) of classes.
    measure
        Computes the scores from the sums.
    unit
        Number of the unit of each video, (V,); None if each video is a unit.

    Returns
    -------
    Parts
        Jackknife pseudo-values (Tukey 1958), shifted so that their mean is the score.
    """
    fits, seeds, _, videos = sums.shape[:4]
    count = units(videos, unit)
    numbers = np.arange(videos) if unit is None else unit
    weight = np.ones((count + 1, videos))
    weight[numbers + 1, np.arange(videos)] = 0  # row u + 1 leaves out unit u
    scores = measure(sums.reshape(-1, *sums.shape[2:]), weight)
    scores = scores.reshape(fits, seeds, -1, count + 1)
    full, without = scores[..., 0], scores[..., 1:]
    change = (count - 1) * (without.mean(axis=-1, keepdims=True) - without)
    return Parts(full, full[..., None] + change)


def variance(first: Parts, second: Parts | None, people: np.ndarray, count: np.ndarray) -> Variance:
    """Estimate the variance of a score, or of the difference of two fusions.

    The degrees of freedom are those of `people` where trainings add nothing. Otherwise each mean
    square enters with its own: E - 1, S - 1 and (E - 1)(S - 1), the last two per fusion.

    Parameters
    ----------
    first, second
        Parts of the fusions; without a second, the variance is that of the score of the first.
    people
        Variance over units of the score or difference, (K + 1,).
    count
        Number of units behind each target, (K + 1,).

    Returns
    -------
    Variance
        NaN where fewer than two units have the target.
    """
    fusions = [first] if second is None else [first, second]
    shift = [f.unit - f.unit.mean(axis=-1, keepdims=True) for f in fusions]
    squares = mean_squares([f.score for f in fusions])  # (3, K + 1)
    overlap = mean_squares(shift).sum(axis=-1)  # (3, K + 1)
    size = first.unit.shape[-1]
    sign = np.array([1.0, 1.0, -1.0])
    with np.errstate(invalid="ignore", divide="ignore"):
        overlap = overlap / (size * (size - 1))
        trainings = np.maximum(sign @ (squares - overlap), 0)
        people = np.where(count > 1, people, np.nan)
        spread = people**2 / (count - 1)
        spread = spread + np.where(trainings > 0, (squares**2 / _freedom(fusions)).sum(axis=0), 0)
        freedom = np.maximum((people + trainings) ** 2 / spread, 1)
    freedom = np.where(spread == 0, np.maximum(count - 1, 1), freedom)
    return Variance(people, trainings, freedom, count)


def variances(
    fusions: Sequence[tuple[Parts, Parts | None]],
    people: Sequence[np.ndarray],
    count: Sequence[np.ndarray],
) -> Iterator[Variance]:
    """Yield the `variance` of many scores or differences; those of one shape are joined.

    Parameters
    ----------
    fusions
        Parts of the first fusion, and of the second or None, of each score or difference.
    people, count
        As in `variance`, (K + 1,) each.
    """
    for _, same in groupby(range(len(fusions)), key=lambda i: _shape(*fusions[i])):
        group = list(same)
        first = _joined([fusions[i][0] for i in group])
        others = [other for i in group if (other := fusions[i][1]) is not None]
        of_all = variance(
            first,
            _joined(others) if others else None,
            np.concatenate([people[i] for i in group]),
            np.concatenate([count[i] for i in group]),
        )
        cuts = np.cumsum([len(people[i]) for i in group])[:-1]
        columns = (of_all.people, of_all.trainings, of_all.freedom, of_all.units)
        for one in zip(*(np.split(column, cuts) for column in columns), strict=True):
            yield Variance(*one)


def _shape(first: Parts, second: Parts | None) -> tuple[tuple[int, ...], bool]:
    """Return what must be equal for parts to be joined."""
    return first.unit.shape[:2] + first.unit.shape[3:], second is None


def _joined(parts: Sequence[Parts]) -> Parts:
    """Join fusions along the axis of targets."""
    return Parts(*(np.concatenate([getattr(p, name) for p in parts], axis=2)
                   for name in ("score", "unit")))  # fmt: skip


def mean_squares(tables: list[np.ndarray]) -> np.ndarray:
    """Return the mean squares of fits, seeds and both, divided by E S.

    Parameters
    ----------
    tables
        Values of one or two fusions, (E, S, ...) each. The mean square of fits is that of the
        difference of two fusions; the others are summed over fusions.

    Returns
    -------
    ndarray of shape (3, ...)
        0 for a source with one level: its variance is unknown.

    Examples
    --------
    >>> mean_squares([np.array([[1.0, 2.0], [3.0, 6.0]])]).tolist()
    [2.25, 1.0, 0.25]
    """
    fits, seeds = tables[0].shape[:2]
    gap = tables[0] if len(tables) == 1 else tables[0] - tables[1]
    squares = np.zeros((3, *gap.shape[2:]))
    if fits > 1:
        squares[0] = gap.mean(axis=1).var(axis=0, ddof=1) / fits
    if seeds > 1:
        squares[1] = sum(x.mean(axis=0).var(axis=0, ddof=1) / seeds for x in tables)
    if fits > 1 and seeds > 1:
        for x in tables:
            rest = x - x.mean(axis=0) - x.mean(axis=1, keepdims=True) + x.mean(axis=(0, 1))
            squares[2] += (rest**2).sum(axis=(0, 1)) / ((fits - 1) * (seeds - 1) * fits * seeds)
    return squares


def _freedom(fusions: list[Parts]) -> np.ndarray:
    """Return the degrees of freedom of the mean squares, (3, 1); 1 for a source with one level."""
    fits, seeds = fusions[0].score.shape[:2]
    count = len(fusions)
    freedom = [fits - 1, count * (seeds - 1), count * (fits - 1) * (seeds - 1)]
    return np.maximum(freedom, 1)[:, None].astype(float)
