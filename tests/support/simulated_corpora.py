"""Simulated corpora of several fusions with known scores over people and trainings.

Frames are Gaussian, so the score of a training on the population of people has a closed form.
A prediction is gain x gold + an offset of the person, an offset of the person and training, an
offset of the video and training, and noise. Trainings differ in their gain. Of the variance of the
score over trainings, a quarter comes from the encoder fit and is shared by all fusions, a quarter
from the fit within the fusion, and half from the fusion seed.
"""

from dataclasses import dataclass

import numpy as np

FITS, SEEDS, FRAMES = 3, 3, 20
GOLD = (0.15, 0.10, 0.22)
"""Deviations of gold over people, videos of a person, and frames of a video."""

ERROR = (0.10, 0.08, 0.08, 0.15)
"""Deviations of the offsets of person, person x training, video x training, and of the noise."""


@dataclass(frozen=True)
class Plan:
    """Size of a corpus and how much trainings differ.

    Parameters
    ----------
    videos, each
        Number of videos and videos per person.
    deviation
        Standard deviation of the score over trainings.
    gains
        Mean gains of the F fusions.
    crossed
        Whether half of the seed's share is the same for all fits.
    """

    videos: int
    each: int
    deviation: float
    gains: tuple[float, ...] = (0.6, 0.6, 0.5)
    crossed: bool = False

    @property
    def unit(self) -> np.ndarray:
        """Number of the person of each video, (V,)."""
        return np.arange(self.videos) // self.each

    def spread(self, gain: float) -> float:
        """Return the deviation of gains that gives the deviation of scores, to first order."""
        slope = (score(np.array(gain + 1e-4)) - score(np.array(gain - 1e-4))) / 2e-4
        return self.deviation / float(slope)

    def truth(self) -> np.ndarray:
        """Return the expected score of each fusion over people and trainings, (F,)."""
        node, weight = np.polynomial.hermite_e.hermegauss(21)
        weight = weight / weight.sum()
        return np.array([weight @ score(g + self.spread(g) * node) for g in self.gains])


def score(gain: np.ndarray) -> np.ndarray:
    """Return the CCC of trainings with these gains on the population of people."""
    gold, error = sum(x * x for x in GOLD), sum(x * x for x in ERROR)
    return 2 * gain * gold / (gain * gain * gold + error + gold)


def simulate(plan: Plan, rng: np.random.Generator, targets: int = 1) -> np.ndarray:
    """Draw the sums of the fusions of one corpus, (F, E, S, K, V, 6)."""
    runs = (len(plan.gains), FITS, SEEDS, targets)
    unit, people = plan.unit, int(plan.unit.max()) + 1
    shape = (targets, plan.videos, FRAMES)
    gold = (
        rng.normal(0, GOLD[0], (targets, people))[:, unit, None]
        + rng.normal(0, GOLD[1], shape[:2])[..., None]
        + rng.normal(0, GOLD[2], shape)
    )
    seed = rng.normal(0, np.sqrt(0.5), runs[:3])
    if plan.crossed:
        seed = seed * np.sqrt(0.5) + rng.normal(0, 0.5, (runs[0], 1, SEEDS))
    share = (
        rng.normal(0, 0.5, (1, FITS, 1)) + rng.normal(0, 0.5, (runs[0], FITS, 1)) + seed
    )  # (F, E, S), variance 1
    spread = np.array([plan.spread(g) for g in plan.gains])[:, None, None]
    gain = np.array(plan.gains)[:, None, None] + spread * share
    offset = (
        rng.normal(0, ERROR[0], (runs[0], 1, 1, targets, people))[..., unit]
        + rng.normal(0, ERROR[1], (*runs, people))[..., unit]
        + rng.normal(0, ERROR[2], (*runs, plan.videos))
    )
    noise = rng.normal(0, ERROR[3], (*runs, *shape[1:]))
    p = gain[..., None, None, None] * gold + offset[..., None] + noise
    n = np.full(p.shape[:-1], float(FRAMES))
    g, gg = (np.broadcast_to(x.sum(-1), n.shape) for x in (gold, gold * gold))
    return np.stack([n, p.sum(-1), g, (p * p).sum(-1), gg, (p * gold).sum(-1)], axis=-1)
