"""AVEC's post-processing of predictions, fitted on the training partition only.

Source   Valstar et al., AVEC 2016 (arXiv:1605.01600), after Trigeorgis et al., ICASSP 2016. For the
         predictions p and the gold g of the training partition, in this order; each step is kept
         only if it raises the training CCC:

             median filter of 0.4 … 20 s;  p + (mean g - mean p);
             m + (p - m) std g / std p, m = mean p;  p(t - s), s of 0.04 … 10 s.

Departs  The papers tune on the development set that they report. Here no number is fitted on a
         recording that is scored, which reduces the effect of the chain. Scaling keeps the mean,
         so that it does not undo centring. There are 13 filter widths instead of 50.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import median_filter

from avfusion.metrics.sums import point, video_sums
from avfusion.protocols.protocol import Protocol, aligned
from avfusion.protocols.rated import Columns, Pair
from avfusion.rating import Rating

MEDIANS_S = (0.4, 0.6, 0.8, 1.2, 1.6, 2.4, 3.2, 4.8, 6.4, 9.6, 12.8, 16.0, 20.0)
SHIFTS_S = tuple(round(0.04 * k, 2) for k in range(1, 251))
BETTER = 1e-6
"""Smallest gain in CCC that keeps a step; less is rounding."""


@dataclass(frozen=True)
class Chain:
    """Post-processing of one target's predictions; the default changes nothing.

    `bias` and `middle` are in the corpus' unit.
    """

    median_s: float = 0.0
    bias: float = 0.0
    scale: float = 1.0
    middle: float = 0.0  # fixed point of the scaling
    shift_s: float = 0.0

    def __call__(self, p: np.ndarray, step_s: float) -> np.ndarray:
        """Apply the chain to predictions (N,) spaced by `step_s`."""
        p = filtered(p, self.median_s, step_s) + self.bias
        p = self.middle + (p - self.middle) * self.scale
        return later(p, self.shift_s, step_s)


def of_run(
    protocol: Protocol,
    traces: Mapping[str, Columns],
    gold: Mapping[str, Columns],
    partition: Mapping[str, str],
    delay_s: dict[str, float],
    rating: Rating,
) -> dict[str, Chain]:
    """Fit the chains of a run on its training videos.

    Parameters
    ----------
    protocol
        The scoring rule.
    traces, gold
        Video -> `time_s` and the targets, sorted by time.
    partition
        Video -> its partition.
    delay_s
        Annotation delay of each target in seconds.
    rating
        Targets and their scale.

    Returns
    -------
    dict of str to Chain
        Target -> its chain; empty if the protocol has no `postprocess`.
    """
    if protocol.postprocess is None:
        return {}
    both = [v for v in partition if partition[v] == "train" and v in traces and v in gold]
    return fit(protocol, {v: (traces[v], gold[v]) for v in both}, partition, delay_s, rating)


def fit(
    protocol: Protocol,
    train: Mapping[str, tuple[Columns, Columns]],
    partition: Mapping[str, str],
    delay_s: dict[str, float],
    rating: Rating,
) -> dict[str, Chain]:
    """Fit a chain per target on training videos.

    Parameters are as in `of_run`; `train` maps each video to its trace and gold.

    Raises
    ------
    ValueError
        If a video is not in the training partition.
    """
    others = sorted(video for video in train if partition[video] != "train")
    if others:
        raise ValueError(
            f"Post-processing is fitted on the training partition only; {others[0]} is in "
            f"{partition[others[0]]}."
        )
    pairs = [aligned(protocol, *pair, delay_s, rating) for pair in train.values()]
    steps = [step(gold) for _, gold in train.values()]
    return {d: fit_one([p[d] for p in pairs], steps, protocol.pooling) for d in rating.names}


def fit_one(pairs: list[Pair], steps_s: list[float], pooling: str) -> Chain:
    """Fit the chain of one target.

    Parameters
    ----------
    pairs
        Predictions and gold of every training video, (N,) each; NaN = unrated.
    steps_s
        Spacing of each video's ratings in seconds.
    pooling
        Pooling of the protocol.
    """
    if not any(np.isfinite(g).any() for _, g in pairs):
        return Chain()
    golds = [g for _, g in pairs]
    rated = [np.isfinite(g) for g in golds]
    every_g = np.concatenate([g[r] for g, r in zip(golds, rated, strict=True)])

    def predicted(chain: Chain) -> list[np.ndarray]:
        return [chain(p, s) for (p, _), s in zip(pairs, steps_s, strict=True)]

    def ccc(chain: Chain) -> float:
        sums = [video_sums(p, g) for p, g in zip(predicted(chain), golds, strict=True)]
        return float(np.nan_to_num(point(np.stack(sums)[None, None], pooling)[0, 0], nan=-1.0))

    def moments(chain: Chain) -> tuple[float, float]:
        kept = np.concatenate([p[r] for p, r in zip(predicted(chain), rated, strict=True)])
        return float(kept.mean()), float(kept.std())

    chain = Chain()
    chain = _best([chain, *(Chain(median_s=s) for s in MEDIANS_S)], ccc)
    mean, _ = moments(chain)
    chain = _best([chain, Chain(chain.median_s, float(every_g.mean()) - mean)], ccc)
    mean, spread = moments(chain)
    if spread > 0:
        scaled = Chain(chain.median_s, chain.bias, float(every_g.std()) / spread, mean)
        chain = _best([chain, scaled], ccc)
    return _best([chain, *(replace(chain, shift_s=s) for s in SHIFTS_S)], ccc)


def _best(chains: list[Chain], ccc: Callable[[Chain], float]) -> Chain:
    """Return the first of the best chains, or chains[0] unless another is better."""
    scores = [ccc(chain) for chain in chains]
    top = int(np.argmax(scores))
    return chains[top] if scores[top] > scores[0] + BETTER else chains[0]


def step(gold: Columns) -> float:
    """Return the median interval between ratings in seconds."""
    gaps = np.diff(np.asarray(gold["time_s"], float))
    return float(np.median(gaps)) if len(gaps) else 1.0


def filtered(p: np.ndarray, width_s: float, step_s: float) -> np.ndarray:
    """Apply a median filter of `width_s` to (N,); edges are padded with the nearest value.

    >>> filtered(np.array([0, 0, 9, 0, 0.0]), 0.4, 0.2).tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    width = round(width_s / step_s) | 1
    return median_filter(p, size=width, mode="nearest") if width > 1 and len(p) else p


def later(p: np.ndarray, shift_s: float, step_s: float) -> np.ndarray:
    """Delay a series (N,) by `shift_s`; the start is padded with the first value.

    >>> later(np.array([1.0, 2, 3]), 0.2, 0.1).tolist()
    [1.0, 1.0, 1.0]
    """
    late = min(round(shift_s / step_s), len(p))
    return np.concatenate([np.full(late, p[0]), p[: len(p) - late]]) if late else p
