"""Decide which differences are significant: Holm's correction."""

import numpy as np


def holm(p: np.ndarray) -> np.ndarray:
    """Correct a family of p values by Holm's step-down method.

    Parameters
    ----------
    p
        p values, (K,); NaN values are not members of the family and stay NaN.

    Returns
    -------
    ndarray of shape (K,)
        Corrected p values, at most 1.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, float)
    corrected = np.full(p.shape, np.nan)
    order = np.argsort(p, kind="stable")[: int(np.isfinite(p).sum())]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(factors * p[order]))
    return corrected


def significant(low: float, high: float, p_holm: float, alpha: float) -> bool:
    """Return whether the corrected p is at most alpha and the interval excludes zero."""
    return bool(p_holm <= alpha and (low > 0 or high < 0))


def p_text(p: float) -> str:
    """Return `p = 0.012`, or `p < 0.001` below the last printed digit."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
