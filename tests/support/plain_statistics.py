"""The exchange test by its plain formula: every pair and target draws its own exchanges."""

import numpy as np
from scipy.special import stdtr

from avfusion.evaluation.crossed import Estimate, Sample

TAIL, CHUNK = 20, 10_000


def swap_p(
    first: Sample, second: Sample, estimate: Estimate, k: int, draws: int, seed: int
) -> float:
    """Return the two-sided p of target k; see `avfusion.evaluation.exchanged`."""
    unit = (first.parts.unit[..., k, :] - second.parts.unit[..., k, :]).mean(axis=(0, 1))
    spread, value = estimate.variance, abs(estimate.value[k])
    people, trainings, freedom = spread.people[k], spread.trainings[k], spread.freedom[k]
    total = people + trainings
    if not np.isfinite(total) or not np.isfinite(unit).all():
        return np.nan
    if total == 0:
        return float(value == 0)
    rng, null = np.random.default_rng(seed), []
    size = np.sort(np.abs(unit))[::-1] / max(np.linalg.norm(unit), 1e-300)
    for start in range(0, draws, CHUNK):
        count = min(CHUNK, draws - start)
        signs = 2.0 * rng.integers(0, 2, size=(count, len(size)), dtype=np.int8) - 1
        shift = np.sqrt(people) * (signs @ size) + np.sqrt(trainings) * rng.normal(size=count)
        null.append(np.abs(shift * np.sqrt(freedom / rng.chisquare(freedom, count))))
    every, t = np.concatenate(null) / np.sqrt(total), value / np.sqrt(total)
    student, larger = 2 * stdtr(freedom, -t), int((every >= t).sum())
    if larger >= TAIL or draws <= TAIL:
        return max(student, (1 + larger) / (1 + draws))
    tail = stdtr(freedom, -t) / stdtr(freedom, -np.sort(every)[-TAIL])
    return max(student, (1 + TAIL) / (1 + draws) * tail)
