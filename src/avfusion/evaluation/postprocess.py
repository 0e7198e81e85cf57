"""AVEC's chain behind a predictor: median, centring, scaling, shift; fitted on train alone.

Source   Valstar et al., AVEC 2016 (arXiv:1605.01600), after Trigeorgis et al., ICASSP 2016. For the
         predictions p and the gold g of the train partition, in this order, each step kept only if
         the CCC of train gets better by it:

             median filter of 0.4 … 20 s;  p + (mean g - mean p);
             m + (p - m) std g / std p, m = mean p;  p(t - s), s of 0.04 … 10 s.

Departs  The papers tune on their development set, which is what they then report. Here no number
         comes from a recording that is scored, which costs the chain some of its effect. Scaling
         keeps the mean, so that it does not undo centring; widths are 13, not 50.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import median_filter

from avfusion.evaluation.protocol import Pair, Protocol, aligned
from avfusion.metrics.sums import point, video_sums
from avfusion.rating import Rating

MEDIANS_S = (0.4, 0.6, 0.8, 1.2, 1.6, 2.4, 3.2, 4.8, 6.4, 9.6, 12.8, 16.0, 20.0)


SHIFTS_S = tuple(round(0.04 * k, 2) for k in range(1, 251))


BETTER = 1e-6
"""A step is kept only if CCC gains more than this: rounding is no improvement."""


@dataclass(frozen=True)
class Chain:
    """What is done to one target's predictions, in the corpus' unit; the default is nothing."""

    median_s: float = 0.0
    bias: float = 0.0
    scale: float = 1.0
    middle: float = 0.0  # what scaling leaves where it is
    shift_s: float = 0.0

    def __call__(self, p: np.ndarray, step_s: float) -> np.ndarray:
        """Predictions (N,) on a time line of `step_s`, as they are scored."""
        p = filtered(p, self.median_s, step_s) + self.bias
        p = self.middle + (p - self.middle) * self.scale
        return later(p, self.shift_s, step_s)


def of_run(
    protocol: Protocol,
    traces: Mapping[str, pd.DataFrame],
    gold: Mapping[str, pd.DataFrame],
    partition: Mapping[str, str],
    delay_s: dict[str, float],
    rating: Rating,
) -> dict[str, Chain]:
    """What the traces of a run's train videos give; nothing if the protocol asks for none."""
    if protocol.postprocess is None:
        return {}
    both = [v for v in partition if partition[v] == "train" and v in traces and v in gold]
    return fit(protocol, {v: (traces[v], gold[v]) for v in both}, partition, delay_s, rating)


def fit(
    protocol: Protocol,
    train: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
    partition: Mapping[str, str],
    delay_s: dict[str, float],
    rating: Rating,
) -> dict[str, Chain]:
    """A chain a target, from trace and gold of train videos; refuses any other video."""
    strange = sorted(video for video in train if partition[video] != "train")
    if strange:
        raise ValueError(f"Post-processing is fitted on train alone; {strange[0]} is not of it.")
    pairs = [aligned(protocol, *pair, delay_s, rating) for pair in train.values()]
    steps = [step(gold) for _, gold in train.values()]
    return {d: fit_one([p[d] for p in pairs], steps, protocol.pooling) for d in rating.names}


def fit_one(pairs: list[Pair], steps_s: list[float], pooling: str) -> Chain:
    """One target's chain, from predictions and gold (NaN = unrated) of every train video."""
    if not any(np.isfinite(g).any() for _, g in pairs):
        return Chain()
    golds = [g for _, g in pairs]
    rated = [np.isfinite(g) for g in golds]
    every_g = np.concatenate([g[r] for g, r in zip(golds, rated, strict=True)])

    def told(chain: Chain) -> list[np.ndarray]:
        return [chain(p, s) for (p, _), s in zip(pairs, steps_s, strict=True)]

    def ccc(chain: Chain) -> float:
        sums = [video_sums(p, g) for p, g in zip(told(chain), golds, strict=True)]
        return float(np.nan_to_num(point(np.stack(sums)[None, None], pooling)[0, 0], nan=-1.0))

    def moments(chain: Chain) -> tuple[float, float]:
        kept = np.concatenate([p[r] for p, r in zip(told(chain), rated, strict=True)])
        return float(kept.mean()), float(kept.std())

    chain = Chain()
    chain = _best([chain, *(Chain(median_s=s) for s in MEDIANS_S)], ccc)
    mean, _ = moments(chain)
    chain = _best([chain, Chain(chain.median_s, float(every_g.mean()) - mean)], ccc)
    mean, spread = moments(chain)
    if spread > 0:
        scaled = Chain(chain.median_s, chain.bias, float(every_g.std()) / spread, mean)
        chain = _best([chain, scaled], ccc)
    own = chain.median_s, chain.bias, chain.scale, chain.middle
    return _best([chain, *(Chain(*own, s) for s in SHIFTS_S)], ccc)


def _best(chains: list[Chain], ccc: Callable[[Chain], float]) -> Chain:
    """The first of the best; the one that is there already unless another is better."""
    scores = [ccc(chain) for chain in chains]
    top = int(np.argmax(scores))
    return chains[top] if scores[top] > scores[0] + BETTER else chains[0]


def step(gold: pd.DataFrame) -> float:
    """Seconds between ratings: their median interval."""
    gaps = np.diff(gold["time_s"].to_numpy(float))
    return float(np.median(gaps)) if len(gaps) else 1.0


def filtered(p: np.ndarray, width_s: float, step_s: float) -> np.ndarray:
    """Median over `width_s` around each instant of (N,); edges are held.

    >>> filtered(np.array([0, 0, 9, 0, 0.0]), 0.4, 0.2).tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    width = round(width_s / step_s) | 1
    return median_filter(p, size=width, mode="nearest") if width > 1 and len(p) else p


def later(p: np.ndarray, shift_s: float, step_s: float) -> np.ndarray:
    """The series (N,) later by `shift_s`; its first value is held before it.

    >>> later(np.array([1.0, 2, 3]), 0.2, 0.1).tolist()
    [1.0, 1.0, 1.0]
    """
    late = min(round(shift_s / step_s), len(p))
    return np.concatenate([np.full(late, p[0]), p[: len(p) - late]]) if late else p
