"""Sums per video from which pooled scores are computed, for scoring and the bootstrap.

Axes: S seeds, K targets or classes, V videos, N resamplings.
"""

import numpy as np

MEAN = "mean"
"""The name of the last score, the mean over targets; rankings and claims use it."""


SUMS = ("n", "p", "g", "pp", "gg", "pg")
"""Sums of one video: count, prediction, gold, their squares and their product."""


CLASS_SUMS = ("n", "hit", "told")
"""Columns of a class and video: is it of the class, correctly predicted, predicted (0 or 1)."""


def class_sums(label: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count labels, correct predictions and predictions per class and video.

    Parameters
    ----------
    label
        Index of each video's class, (V,).
    predicted
        Index of each video's predicted class, (V,).
    classes
        K, the number of classes.

    Returns
    -------
    ndarray
        `CLASS_SUMS`, 0 or 1, float64 (K, V, 3).
    """
    truth = label == np.arange(classes)[:, None]  # (K, V)
    chosen = predicted == np.arange(classes)[:, None]
    return np.stack([truth, truth & chosen, chosen], axis=-1).astype(float)


def video_sums(prediction: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Compute the six sums of one video that determine pooled CCC.

    Parameters
    ----------
    prediction
        Predictions, (N,).
    gold
        Gold, (N,); pairs with NaN are unrated and left out.

    Returns
    -------
    ndarray
        `SUMS`, float64 (6,).
    """
    rated = ~np.isnan(gold)
    p, g = prediction[rated], gold[rated]
    return np.array([len(p), p.sum(), g.sum(), p @ p, g @ g, p @ g], dtype=float)


def absolute_error(prediction: np.ndarray, gold: np.ndarray) -> float:
    """Return the sum of one video's absolute errors over its rated pairs (N,)."""
    gaps = np.abs(prediction - gold)
    total = gaps.sum()
    return float(np.nansum(gaps) if np.isnan(total) else total)


def errors(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean absolute and root mean square error over all frames.

    Parameters
    ----------
    sums
        `SUMS` and the sum of absolute errors, (K, V, 7).

    Returns
    -------
    mae, rmse : ndarray
        (K + 1,) each, in the unit of the gold; the last is the mean over targets.
    """
    n, _, _, pp, gg, pg, error = sums.sum(axis=1).T  # (K,)
    with np.errstate(invalid="ignore", divide="ignore"):
        both = error / n, np.sqrt(np.maximum(pp + gg - 2 * pg, 0) / n)
    mae, rmse = (np.append(one, one.mean()) for one in both)
    return mae, rmse


def pooled_ccc(sums: np.ndarray) -> np.ndarray:
    """Compute CCC over all frames from their sums, with population moments (Lin 1989).

    Parameters
    ----------
    sums
        `SUMS`, (..., 6).

    Returns
    -------
    ndarray
        CCC, (...,). It is NaN without frames, and where both sides are the same constant.

    Examples
    --------
    >>> round(float(pooled_ccc(video_sums(np.array([0, 1, 1.]), np.array([0, 1, 2.])))), 6)
    0.666667
    """
    n, p, g, pp, gg, pg = np.moveaxis(np.asarray(sums, float), -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = pp - p * p / n + gg - g * g / n + (p - g) ** 2 / n
        rounding = 1e-14 * (pp + gg)
        return np.where(spread > rounding, 2 * (pg - p * g / n) / spread, np.nan)


def constant_gold(sums: np.ndarray, pooling: str = "pooled") -> np.ndarray:
    """Return for which targets gold is constant wherever CCC is computed, a mask (K,).

    CCC is undefined there. `pooled_ccc` is 0 for a prediction that varies.

    Parameters
    ----------
    sums
        `SUMS` of each target and video, (K, V, 6) or more columns.
    pooling
        "pooled": one value in all videos. "per_video_mean": one value in each video.

    Examples
    --------
    >>> gold = np.full(3, 0.1), np.array([0.1, 0.2, 0.1])
    >>> constant_gold(np.stack([[video_sums(np.arange(3.0), one)] for one in gold])).tolist()
    [True, False]
    """
    sums = sums if pooling == "per_video_mean" else sums.sum(axis=-2, keepdims=True)
    n, g, gg = np.moveaxis(sums[..., [0, 2, 4]], -1, 0)  # (K, V)
    with np.errstate(invalid="ignore", divide="ignore"):
        flat = gg - g * g / n <= 1e-12 * gg
    return (n > 0).any(axis=-1) & (flat | (n == 0)).all(axis=-1)


def class_scores(sums: np.ndarray) -> np.ndarray:
    """Compute weighted accuracy, unweighted accuracy and macro F1.

    WA (weighted accuracy) is the share of correctly predicted videos. UA (unweighted) is the mean
    recall of the classes that occur. F1 is the mean over the classes that occur or were predicted.
    These are the usual names; SelfCrossAttn (arXiv:2202.09263) exchanges WA and UA.

    Parameters
    ----------
    sums
        `CLASS_SUMS` of each class, summed over videos, (..., K, 3).

    Returns
    -------
    ndarray
        WA, UA and F1, (3, ...).

    Examples
    --------
    >>> class_scores(np.array([[8.0, 8, 10], [2, 0, 0]])).round(3).tolist()
    [0.8, 0.5, 0.444]
    """
    n, hit, chosen = np.moveaxis(np.asarray(sums, float), -1, 0)  # (..., K)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, f1 = hit / n, 2 * hit / (n + chosen)
        wa = hit.sum(-1) / n.sum(-1)
    return np.stack([wa, _nan_mean(recall), _nan_mean(f1)])


def _nan_mean(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Average the values that are not NaN; NaN without any."""
    present = ~np.isnan(x)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(present, x, 0).sum(axis) / present.sum(axis)


def weighted_score(sums: np.ndarray, weight: np.ndarray, pooling: str) -> np.ndarray:
    """Compute the scores of resampled corpora, in which each video occurs `weight` times.

    Parameters
    ----------
    sums
        `SUMS` of each video, (..., V, 6); for "recall" `CLASS_SUMS`, (..., V, 3).
    weight
        How often each video occurs in each resampling, (N, V).
    pooling
        "pooled" adds the sums over videos first. "per_video_mean" averages the CCC of the videos
        and leaves out videos without one. "recall" computes the recall of a class.

    Returns
    -------
    ndarray
        CCC or recall, (..., N).
    """
    if pooling == "recall":
        n, hit, _ = np.moveaxis(weight @ sums, -1, 0)  # (..., N)
        with np.errstate(invalid="ignore", divide="ignore"):
            return hit / n
    if pooling == "pooled":
        rows = np.moveaxis(np.asarray(sums, float), -1, 0)  # (6, ..., V)
        drawn = rows.reshape(-1, rows.shape[-1]) @ weight.T  # one product; draws are contiguous
        return pooled_ccc(np.moveaxis(drawn.reshape(*rows.shape[:-1], -1), 0, -1))
    per_video = pooled_ccc(sums)[..., None]  # (..., V, 1)
    finite = np.isfinite(per_video)
    with np.errstate(invalid="ignore"):
        total = weight @ np.where(finite, per_video, 0.0)
        return (total / (weight @ finite.astype(float)))[..., 0]


def target_scores(sums: np.ndarray, weight: np.ndarray, pooling: str) -> np.ndarray:
    """Compute the scores of each target, and their mean, of resampled corpora.

    Parameters
    ----------
    sums
        Sums of each seed, target and video, (S, K, V, 6), or (S, K, V, 3) for "recall".
    weight
        How often each video occurs in each resampling, (N, V).
    pooling
        See `weighted_score`.

    Returns
    -------
    ndarray
        (S, K + 1, N); the last target is the mean.
    """
    scores = weighted_score(sums, weight, pooling)  # (S, K, N)
    mean = _nan_mean(scores, 1) if pooling == "recall" else scores.mean(axis=1)
    return np.concatenate([scores, mean[:, None]], axis=1)


def point(sums: np.ndarray, pooling: str) -> np.ndarray:
    """Compute the scores of each target, and their mean, without resampling.

    Parameters
    ----------
    sums
        As in `target_scores`.
    pooling
        See `weighted_score`.

    Returns
    -------
    ndarray
        (S, K + 1); the last target is the mean.
    """
    return target_scores(sums, np.ones((1, sums.shape[-2])), pooling)[..., 0]
