"""Sums per video from which any pooled score follows, for scoring and the bootstrap."""

import numpy as np

MEAN = "mean"
"""The name of the last score, the mean over targets; rankings and claims are in it."""


SUMS = ("n", "p", "g", "pp", "gg", "pg")


CLASS_SUMS = ("n", "hit", "told")
"""Of a class and video: is it of the class, was that told, was the class told of it (0 or 1)."""


def class_sums(label: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """What the scores of classes are functions of: (K, V, 3) from numbers of classes (V,).

    1 where the video is of the class, where it is and was told so, and where it was told so.
    """
    truth = label == np.arange(classes)[:, None]  # (K, V)
    told = predicted == np.arange(classes)[:, None]
    return np.stack([truth, truth & told, told], axis=-1).astype(float)


def video_sums(prediction: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """The six sums (6,) of one video's pairs (N,) that pooled CCC is a function of.

    A pair with NaN on the gold side is unrated and left out.
    """
    rated = ~np.isnan(gold)
    p, g = prediction[rated], gold[rated]
    return np.array([len(p), p.sum(), g.sum(), p @ p, g @ g, p @ g], dtype=float)


def absolute_error(prediction: np.ndarray, gold: np.ndarray) -> float:
    """The sum of one video's absolute errors over its rated pairs (N,)."""
    return float(np.nansum(np.abs(prediction - gold)))


def errors(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute and root mean square error over all frames behind sums (K, V, 7).

    (K + 1,) each, the last being the mean over targets. Unit: the gold's.
    """
    n, _, _, pp, gg, pg, error = sums.sum(axis=1).T  # (K,)
    with np.errstate(invalid="ignore", divide="ignore"):
        both = error / n, np.sqrt(np.maximum(pp + gg - 2 * pg, 0) / n)
    mae, rmse = (np.append(one, one.mean()) for one in both)
    return mae, rmse


def pooled_ccc(sums: np.ndarray) -> np.ndarray:
    """Concordance over all frames behind `sums` (..., 6), population moments (Lin 1989); (...,).

    NaN where there are no frames, or where both sides are the same constant.

    >>> round(float(pooled_ccc(video_sums(np.array([0, 1, 1.]), np.array([0, 1, 2.])))), 6)
    0.666667
    """
    n, p, g, pp, gg, pg = np.moveaxis(np.asarray(sums, float), -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = pp - p * p / n + gg - g * g / n + (p - g) ** 2 / n
        rounding = 1e-14 * (pp + gg)
        return np.where(spread > rounding, 2 * (pg - p * g / n) / spread, np.nan)


def class_scores(sums: np.ndarray) -> np.ndarray:
    """WA, UA and macro F1, (3, ...), of sums (..., K, 3) over videos: `CLASS_SUMS` of each class.

    WA (weighted accuracy): the share of videos told right. UA (unweighted): the mean recall of the
    classes that occur. F1: the mean over classes that occur or were told. These are the usual
    names; SelfCrossAttn (arXiv:2202.09263) uses WA and UA the other way round.

    >>> class_scores(np.array([[8.0, 8, 10], [2, 0, 0]])).round(3).tolist()
    [0.8, 0.5, 0.444]
    """
    n, hit, told = np.moveaxis(np.asarray(sums, float), -1, 0)  # (..., K)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, f1 = hit / n, 2 * hit / (n + told)
        wa = hit.sum(-1) / n.sum(-1)
    return np.stack([wa, _mean_there(recall), _mean_there(f1)])


def _mean_there(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean over what is not NaN; NaN where nothing is."""
    there = ~np.isnan(x)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(there, x, 0).sum(axis) / there.sum(axis)


def weighted_score(sums: np.ndarray, weight: np.ndarray, pooling: str) -> np.ndarray:
    """CCC (..., N) of the corpora in which video v of `sums` (..., V, 6) occurs weight[:, v] times.

    weight: (N, V). `pooled` adds the sums first; `per_video_mean` averages the videos' own CCCs
    and leaves out videos without one. `recall` takes `CLASS_SUMS` (..., V, 3) instead.
    """
    if pooling == "recall":
        n, hit, _ = np.moveaxis(weight @ sums, -1, 0)  # (..., N)
        with np.errstate(invalid="ignore", divide="ignore"):
            return hit / n
    if pooling == "pooled":
        return pooled_ccc(weight @ sums)
    own = pooled_ccc(sums)[..., None]  # (..., V, 1)
    has = np.isfinite(own)
    with np.errstate(invalid="ignore"):
        return ((weight @ np.where(has, own, 0.0)) / (weight @ has.astype(float)))[..., 0]


def target_scores(sums: np.ndarray, weight: np.ndarray, pooling: str) -> np.ndarray:
    """CCC of each target and their mean (S, K + 1, N) of sums (S, K, V, 6), weight (N, V)."""
    both = weighted_score(sums, weight, pooling)  # (S, K, N)
    mean = _mean_there(both, 1) if pooling == "recall" else both.mean(axis=1)
    return np.concatenate([both, mean[:, None]], axis=1)


def point(sums: np.ndarray, pooling: str) -> np.ndarray:
    """CCC of each target and their mean (S, K + 1) of each seed on the videos as they are."""
    return target_scores(sums, np.ones((1, sums.shape[-2])), pooling)[..., 0]
