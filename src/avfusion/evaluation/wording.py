"""Sentences about comparisons: the verdict, its evidence, and what an undecided one would need."""

from avfusion.evaluation.decisions import Decision, Result
from avfusion.evaluation.significance import p_text

MOST_DIGITS = 6
"""Most digits after the point that are written."""


def sentence(result: Result, how: Decision, unit: str) -> str:
    """Return one sentence about a comparison, or two if it is undecided.

    The interval is not corrected for the number of comparisons, and the sentence states this.
    Significance follows from the corrected p; the interval can only veto it.

    Parameters
    ----------
    result
        The comparison.
    how
        How it was decided.
    unit
        Word for a unit: `video` or `subject`.
    """
    first, second = result.comparison.first, result.comparison.second
    value, low, high = result.value, result.low, result.high
    if result.verdict == "equivalent":
        return (
            f"{first} and {second} are practically equal: {first} − {second} is "
            f"{number(value, sign=True)} ({_interval(low, high, how, sign=True)}), within "
            f"±{how.margin:g} (Holm's {p_text(result.p_equivalent)})."
        )
    if result.verdict in ("better", "worse"):
        if value < 0:
            first, second, value, low, high = second, first, -value, -high, -low
        chance = max(result.posterior.better, result.posterior.worse)
        return (
            f"{first} beats {second} by {number(value)} ({_interval(low, high, how)}; Holm's "
            f"{p_text(result.p_holm)}; probability {_share(chance)} of more than {how.margin:g})."
        )
    size, ends = number(value, sign=True), _interval(low, high, how, sign=True)
    if result.verdict == "smaller than published":
        return (
            f"{first} − {second} is smaller than the published "
            f"{number(result.comparison.published or 0, sign=True)}: {size} ({ends}; Holm's "
            f"{p_text(result.p_smaller)})."
        )
    return (
        f"No significant difference between {first} and {second}: {first} − {second} is {size} "
        f"({ends}; Holm's {p_text(result.p_holm)}). {chances(result, how)} "
        f"{needed(result, how, unit)}"
    )


def chances(result: Result, how: Decision) -> str:
    """Return the posterior probabilities in words."""
    first, posterior = result.comparison.first, result.posterior
    return (
        f"Probability that {first} is better by more than {how.margin:g}: "
        f"{_share(posterior.better)}, within ±{how.margin:g}: {_share(posterior.equal)}, worse: "
        f"{_share(posterior.worse)}."
    )


def needed(result: Result, how: Decision, unit: str) -> str:
    """Return how many units the declared difference would need."""
    wanted = abs(result.comparison.published or how.declared)
    if result.units_needed is None:
        return (
            f"No number of {unit}s would show a difference of {wanted:g} with so few trainings: "
            f"add `seeds` or `encoder_seeds`."
        )
    return (
        f"A difference of {wanted:g} would need {result.units_needed:,} {unit}s "
        f"(power {how.power:g})."
    )


def number(value: float, digits: int = 3, sign: bool = False) -> str:
    """Return a finite number with a true minus sign.

    A number that is not zero gets up to six digits until it does not read as zero.

    >>> number(-0.51249), number(0.5, sign=True), number(-0.0002), number(0.0)
    ('−0.512', '+0.500', '−0.0002', '0.000')
    """
    while digits < MOST_DIGITS and value and not float(f"{value:.{digits}f}"):
        digits += 1
    text = f"{value:.{digits}f}"
    if not float(text):
        return text.removeprefix("-")
    return ("+" if sign and value > 0 else "") + text.replace("-", "−")


def _interval(low: float, high: float, how: Decision, sign: bool = False) -> str:
    ends = f"[{number(low, sign=sign)}, {number(high, sign=sign)}]"
    return f"uncorrected {100 * (1 - how.alpha):g}% interval {ends}"


def _share(value: float) -> str:
    """Return a probability; what rounds to 0 or 1 is written as a bound.

    >>> _share(0.123), _share(0.999), _share(0.001)
    ('0.12', '> 0.99', '< 0.01')
    """
    if value > 0.99:
        return "> 0.99"
    return "< 0.01" if value < 0.01 else f"{value:.2f}"
