"""The crossed bootstrap and the exchange test on plain arrays.

Shapes: E encoder fits, S seeds (trainings), K targets, V videos. Sums of runs are (S, V, 6) for one
target, or (E, S, K, V, 6). Results have K + 1 entries, those of the targets and their mean.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from avfusion.evaluation import crossed, exchanged, inference
from avfusion.evaluation.crossed import Estimate, Sample
from avfusion.metrics.sums import video_sums

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Pooling = Literal["pooled", "per_video_mean"]


def sums(predicted: "Sequence[ArrayLike]", gold: "Sequence[ArrayLike]") -> np.ndarray:
    """Compute the six sums per video that CCC and its bootstrap follow from.

    Parameters
    ----------
    predicted
        Predictions of each of V videos, (N,) each; N may differ between videos.
    gold
        Gold of each video, of the same lengths; NaN frames are unrated and left out.

    Returns
    -------
    ndarray of shape (V, 6)
        Count, sum of predictions, of gold, of their squares and of their product. Stack those of
        several trainings to (S, V, 6).

    Raises
    ------
    ValueError
        If the numbers of videos or frames differ, or a rated frame has no prediction.

    Examples
    --------
    >>> sums([[0.0, 1.0]], [[1.0, float("nan")]]).tolist()
    [[1.0, 0.0, 1.0, 0.0, 1.0, 0.0]]
    """
    if len(predicted) != len(gold):
        raise ValueError(f"predictions of {len(predicted)} videos, gold of {len(gold)}.")
    rows = []
    for i, pair in enumerate(zip(predicted, gold, strict=True)):
        p, g = (np.asarray(x, float) for x in pair)
        if p.shape != g.shape or p.ndim != 1:
            raise ValueError(f"video {i}: predictions {p.shape}, gold {g.shape}. Give (N,) each.")
        if missing := int((np.isnan(p) & ~np.isnan(g)).sum()):
            raise ValueError(
                f"video {i}: {missing} of {len(p)} frames are rated and have no prediction (NaN). "
                f"Predict them, or set their gold to NaN."
            )
        rows.append(video_sums(p, g))
    return np.stack(rows) if rows else np.empty((0, 6))


def bootstrap(
    first: np.ndarray,
    second: np.ndarray | None = None,
    *,
    subjects: Sequence[Any] | None = None,
    pooling: Pooling = "pooled",
    alpha: float = 0.05,
    draws: int = 10_000,
    seed: int = 0,
) -> Estimate:
    """Estimate a CCC, or the difference of two, with an interval over people and trainings.

    Parameters
    ----------
    first, second
        Sums of the runs of two models on the same videos. Without `second`, the score of `first`
        is estimated. Both have the same numbers of fits and seeds.
    subjects
        Person of each video, V of them. If one is in several videos, people are drawn instead of
        videos.
    pooling
        `pooled` computes CCC over all frames, `per_video_mean` averages that of each video.
    alpha
        Share outside the interval, both tails together.
    draws, seed
        Number of draws, and the seed of their generator.

    Returns
    -------
    Estimate
        `value`, `low`, `high`, (K + 1,), the draws and the variance components. With one target,
        use the last entry. Ends are NaN with fewer than two videos or people.

    Raises
    ------
    ValueError
        If the shapes do not fit each other.

    See Also
    --------
    avfusion.evaluation.crossed : The method and its source.
    """
    given = [first] if second is None else [first, second]
    one, *other = _samples(given, subjects, pooling, draws, seed)
    if not other:
        return crossed.score(one, alpha, seed)
    return crossed.difference(one, other[0], alpha, seed)


def exchange_test(
    first: np.ndarray,
    second: np.ndarray,
    *,
    subjects: Sequence[Any] | None = None,
    pooling: Pooling = "pooled",
    draws: int = 10_000,
    seed: int = 0,
) -> np.ndarray:
    """Test whether two models differ in CCC, over people and trainings.

    Parameters
    ----------
    first, second, subjects, pooling, draws, seed
        As in `bootstrap`.

    Returns
    -------
    ndarray of shape (K + 1,)
        Two-sided p of each target and of their mean; NaN with fewer than two videos or people.
        Correct those of several comparisons with `holm`.

    Raises
    ------
    ValueError
        If the shapes do not fit each other.

    See Also
    --------
    avfusion.evaluation.exchanged : The method and its size on simulated corpora.
    """
    one, other = _samples([first, second], subjects, pooling, draws, seed)
    estimate = crossed.difference(one, other, 0.05, seed)  # p does not depend on the interval
    return exchanged.swap_test(one, other, estimate, draws, seed)


def _samples(
    given: Sequence[np.ndarray],
    subjects: Sequence[Any] | None,
    pooling: Pooling,
    draws: int,
    seed: int,
) -> list[Sample]:
    """Return the samples of some models, all on the same draws."""
    arrays = [_five(np.asarray(x, float)) for x in given]
    shapes = [x.shape for x in arrays]
    if len(set(shapes)) > 1:
        raise ValueError(f"sums have the shapes {shapes[0]} and {shapes[1]}; they must be equal.")
    videos = shapes[0][3]
    unit = _unit(subjects, videos)
    weight = inference.draw(videos, draws, seed, unit)
    return [crossed.sample(x, weight, pooling, unit) for x in arrays]


def _five(x: np.ndarray) -> np.ndarray:
    """Return sums (S, V, 6) as (1, S, 1, V, 6)."""
    if x.ndim not in (3, 5) or x.shape[-1] != 6 or not x.size:
        raise ValueError(f"sums have the shape {x.shape}. Give (S, V, 6), or (E, S, K, V, 6).")
    return x[None, :, None] if x.ndim == 3 else x


def _unit(subjects: Sequence[Any] | None, videos: int) -> np.ndarray | None:
    """Return the number of the person of each video; None if each has one video."""
    if subjects is None:
        return None
    if len(subjects) != videos:
        raise ValueError(f"{len(subjects)} subjects for {videos} videos; name one for each.")
    names, number = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    return None if len(names) == videos else number.reshape(-1)
