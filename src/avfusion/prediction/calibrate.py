"""Intervals of predictions, calibrated on people whose ratings were not trained on.

Source   Normalised conformal prediction: Papadopoulos, Gammerman and Vovk, ICANN 2008.
Departs  Rows of one person are not independent, so each person has a total weight of 1.

    s(t) = sqrt(variance over members(t) + floor^2)
    low, high = mean over members -/+ factor * s(t), cut at the ends of the scale

floor^2 is what the squared error of the validation people exceeds the variance by. factor is the
quantile of |error| / s over the validation people. Epochs, grid points and perhaps the fusion were
chosen on the same people, so their errors are a little smaller than those of new people. The number
to trust is the coverage on the test people, which the bundle states.
"""

from dataclasses import dataclass

import numpy as np

from avfusion.prediction.document import Interval

LEVEL = 0.95


@dataclass(frozen=True)
class Rated:
    """Predictions and gold of one target at the rated rows of some people.

    Attributes
    ----------
    members
        Predictions of M members at N rows, (M, N), in the unit of the corpus.
    gold
        Gold (N,) without NaN.
    person
        Number of the person of each row, int (N,).
    """

    members: np.ndarray
    gold: np.ndarray
    person: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """Weights (N,) under which each person counts the same; they add up to 1."""
        _, number, counts = np.unique(self.person, return_inverse=True, return_counts=True)
        return 1 / (counts[number] * len(counts))


def spread(members: np.ndarray) -> np.ndarray:
    """Return the variance over members (M, ...) -> (...); 0 for a single member."""
    return np.var(members, axis=0, ddof=1) if len(members) > 1 else np.zeros(members.shape[1:])


def calibrate(rated: Rated, level: float = LEVEL) -> Interval:
    """Return the interval of one target from rated rows of the validation people."""
    error = np.abs(rated.members.mean(0) - rated.gold)
    weights, variance = rated.weights, spread(rated.members)
    rest = float(weights @ (error**2 - variance))
    least = 1e-3 * float(np.sqrt(weights @ error**2)) + 1e-9  # members that agree in their error
    floor = max(float(np.sqrt(max(rest, 0.0))), least)
    size = error / np.sqrt(variance + floor**2)
    order = np.argsort(size)
    reached = np.cumsum(weights[order])
    at = min(int(np.searchsorted(reached, level)), len(size) - 1)
    return Interval(factor=float(size[order][at]), floor=floor)


def ends(
    members: np.ndarray, interval: Interval, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval (N,), (N,) of members' predictions (M, N) on a scale.

    A prediction beyond the scale is the end of its interval.
    """
    middle = members.mean(0)
    half = interval.factor * np.sqrt(spread(members) + interval.floor**2)
    least, most = np.maximum(middle - half, low), np.minimum(middle + half, high)
    return np.minimum(least, middle), np.maximum(most, middle)


def coverage(rated: Rated, interval: Interval, low: float, high: float) -> float:
    """Return how often gold lies within the interval, each person counting the same."""
    least, most = ends(rated.members, interval, low, high)
    share = float(rated.weights @ ((rated.gold >= least) & (rated.gold <= most)))
    return min(share, 1.0)  # the weights add up to 1 except for rounding
