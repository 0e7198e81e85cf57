"""Gold standard of several raters, as scored in RECOLA and the AVEC 2016 and 2018 challenges.

Source   Valstar et al., AVEC 2016 (arXiv:1605.01600) and Ringeval et al., AVEC 2018 (ACM MM
         workshop), per recording and dimension:

    w_r  = mean over s != r of CCC(rater r, rater s)
    m    = sum_r w_r mean(rater r) / sum_r w_r
    gold = mean over r of (rater r - mean(rater r) + m)

Departs  where the recipe is undefined. The CCC of a constant rater is undefined: the rater gets
         weight 0 and is left out of the last mean, which it would only flatten. A rater with
         negative agreement gets weight 0 in m. Both are flagged. Instants that a rater did not
         rate (NaN) count for the other raters, but not for the agreement.
"""

from dataclasses import dataclass

import numpy as np

from avfusion.errors import CorpusError

_ROUNDING = 1e-12  # agreements up to this come from rounding


@dataclass(frozen=True)
class GoldStandard:
    """Gold standard of one dimension of one recording.

    Parameters
    ----------
    gold
        Values (N,), NaN where no rater rated.
    weights
        Non-negative weight of each rater (R,).
    constant
        Columns of raters whose ratings never change.
    contrary
        Columns of raters with negative mean agreement.
    """

    gold: np.ndarray
    weights: np.ndarray
    constant: tuple[int, ...]
    contrary: tuple[int, ...]


def gold_standard(ratings: np.ndarray) -> GoldStandard:
    """Compute the gold standard of one dimension of one recording.

    Parameters
    ----------
    ratings
        Ratings (N, R), one column per rater, NaN where unrated; R >= 2.

    Returns
    -------
    GoldStandard
        Gold standard, weights and flagged raters.

    Raises
    ------
    CorpusError
        If there are fewer than 2 raters, or fewer than 2 instants rated by all of them.

    Examples
    --------
    >>> gold_standard(np.array([[0.0, 0.2], [1.0, 1.2]])).gold.round(6).tolist()
    [0.1, 1.1]
    """
    ratings = np.asarray(ratings, float)
    if ratings.ndim != 2 or ratings.shape[1] < 2:
        raise CorpusError(
            f"Ratings of shape {ratings.shape}; expected instants x 2 or more raters."
        )
    complete = ratings[~np.isnan(ratings).any(axis=1)]  # instants that every rater rated
    if len(complete) < 2:
        raise CorpusError(
            f"Only {len(complete)} of {len(ratings)} instants have a rating from every rater; 2 "
            "are needed to weight the raters. Leave out the raters who did not rate this recording."
        )
    moving = np.ptp(complete, axis=0) > 0
    agreement = _mean_agreement(complete, moving)  # (R,)
    # Agreements of both signs can cancel; what rounding leaves of them is no agreement.
    weights = np.where(moving & (agreement > _ROUNDING), agreement, 0.0)
    means = np.nanmean(ratings, axis=0)
    level = means @ weights / weights.sum() if weights.sum() > 0 else means.mean()
    kept = moving if moving.any() else np.ones_like(moving)
    centred = (ratings - means + level)[:, kept]
    rated = ~np.isnan(centred)
    total = np.where(rated, centred, 0.0).sum(axis=1)
    gold = np.divide(total, rated.sum(axis=1), out=np.full(len(total), np.nan), where=rated.any(1))
    return GoldStandard(
        gold,
        weights,
        constant=tuple(np.flatnonzero(~moving).tolist()),
        contrary=tuple(np.flatnonzero(moving & (agreement < 0)).tolist()),
    )


def _mean_agreement(ratings: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """Return the mean CCC (R,) of each moving rater with the other moving raters.

    Moments are those of the population. ratings: (N, R) without NaN; moving: bool (R,).
    """
    mean = ratings.mean(axis=0)
    centred = ratings - mean
    covariance = centred.T @ centred / len(ratings)  # (R, R)
    variance = np.diag(covariance)
    gap = (mean[:, None] - mean) ** 2
    spread = variance[:, None] + variance + gap
    pairs = np.divide(2 * covariance, spread, out=np.zeros_like(spread), where=spread > 0)
    np.fill_diagonal(pairs, 0.0)
    others = moving[:, None] & moving & ~np.eye(len(mean), dtype=bool)
    return (pairs * others).sum(axis=1) / np.maximum(others.sum(axis=1), 1)
