"""Decide which differences are significant: Holm's correction, verdicts and their sentences."""

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


def verdict(
    names: tuple[str, str],
    difference: float,
    ends: tuple[float, float],
    p_holm: float,
    alpha: float,
) -> str:
    """Return a sentence about the difference of names[0] minus names[1].

    The interval is not corrected for the number of pairs, and the sentence states this:
    simultaneous intervals of many pairs would need quantiles beyond which only a few draws lie.
    Significance follows from the corrected p; the interval can only veto it.

    Parameters
    ----------
    names
        The two fusions.
    difference
        Mean score of the first minus that of the second.
    ends
        Ends of its interval at level 1 - alpha.
    p_holm
        Its corrected p.
    alpha
        Level of significance.

    Returns
    -------
    str
        One sentence with the difference, its interval and p.

    >>> verdict(("jca", "concat"), 0.04, (0.01, 0.07), 0.012, 0.05)
    "jca beats concat by 0.040 (uncorrected 95% interval [0.010, 0.070]; Holm's p = 0.012)."
    >>> verdict(("ca", "jca"), 0.01, (-0.02, 0.04), 0.6, 0.05)[:50]
    'No significant difference between ca and jca (diff'
    """
    first, second = names
    low, high = ends
    if not np.isfinite(difference):
        return f"{first} and {second} cannot be compared: no seed of both was scored."
    if not significant(low, high, p_holm, alpha):
        details = f"difference {_number(difference)}; {_evidence(low, high, p_holm, alpha)}"
        return f"No significant difference between {first} and {second} ({details})."
    if difference < 0:
        first, second, difference, low, high = second, first, -difference, -high, -low
    details = _evidence(low, high, p_holm, alpha)
    return f"{first} beats {second} by {_number(difference)} ({details})."


def p_text(p: float) -> str:
    """Return `p = 0.012`, or `p < 0.001` below the last printed digit."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _evidence(low: float, high: float, p_holm: float, alpha: float) -> str:
    ends = f"[{_number(low)}, {_number(high)}]"
    return f"uncorrected {100 * (1 - alpha):g}% interval {ends}; Holm's {p_text(p_holm)}"


def _number(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")
