"""Errors of verification: equal error rate (EER), minimal detection cost and score normalisation.

A trial has a score and is of one person or of two. It is accepted if its score is above a
threshold. Equal scores are accepted or refused together, so no result depends on their order.
"""

import numpy as np

PRIORS = (0.05, 0.01)
"""Probabilities of a trial of one person for which `min_dcf` is reported."""


PART = 100_000
"""Pairs whose rows are in memory at once."""


def cosines(rows: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the inner products (N,) of pairs of rows (M, E) of length 1, a part at a time.

    first, second: indices of the rows of each pair (N,).
    """
    cuts = range(PART, len(first), PART)
    pairs = zip(np.split(first, cuts), np.split(second, cuts), strict=True)
    return np.concatenate([np.einsum("ij,ij->i", rows[a], rows[b]) for a, b in pairs])


def error_rates(
    scores: np.ndarray, same: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return misses and false alarms at every threshold that changes them.

    Parameters
    ----------
    scores
        Scores of the trials (N,).
    same
        Whether a trial is of one person (N,).
    weights
        How often each trial counts (..., N); by default once.

    Returns
    -------
    misses, alarms
        Share of trials of one person that are refused, and of two that are accepted (..., K+1),
        for K different scores, from the lowest threshold (all accepted) to the highest. NaN if
        there is no trial of that kind.
    """
    if weights is None:
        weights = np.ones(len(scores))
    order = np.argsort(scores, kind="stable")
    return rates_of_order(scores[order], same[order], weights[..., order])


def rates_of_order(
    scores: np.ndarray, same: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return `error_rates` of trials that are in the order of their scores, the lowest first."""
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)[: len(scores)])
    misses, refused = _below(weights * same, last), _below(weights, last)
    refused -= misses  # trials of two people; the sums are exact
    with np.errstate(invalid="ignore", divide="ignore"):
        misses /= misses[..., -1:].copy()
        alarms = 1 - refused / refused[..., -1:]
    return misses, alarms


def _below(weights: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return 0 and the sums of the weights up to each index of `last` (..., K+1)."""
    sums = np.zeros((*weights.shape[:-1], weights.shape[-1] + 1))
    np.cumsum(weights, axis=-1, out=sums[..., 1:])
    return sums if len(last) == weights.shape[-1] else sums[..., np.append(0, last + 1)]


def eer_of(misses: np.ndarray, alarms: np.ndarray) -> np.ndarray:
    """Return the EER (...,) of rates (..., K+1): where the line through them has equal errors."""
    gap = misses - alarms  # from -1 to 1, never falling
    after = np.argmax(gap >= 0, axis=-1)[..., None]
    before = np.maximum(after - 1, 0)
    first, second = (np.take_along_axis(gap, at, -1) for at in (before, after))
    low, high = (np.take_along_axis(misses, at, -1) for at in (before, after))
    with np.errstate(invalid="ignore"):
        crossed = (low - (high - low) * first / (second - first))[..., 0]
    return np.where(np.isnan(gap[..., 0]), np.nan, crossed)


def eer(scores: np.ndarray, same: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Compute the equal error rate, the error at which as many are missed as falsely accepted.

    It lies on the line through the operating points, where there is one per different score.

    Parameters
    ----------
    scores, same, weights
        As in `error_rates`.

    Returns
    -------
    ndarray
        EER in [0, 1], (...,). NaN without trials of one of the kinds.

    Examples
    --------
    >>> scores, same = np.array([0.9, 0.6, 0.5, 0.1]), np.array([True, False, True, False])
    >>> float(eer(scores, same))
    0.5
    """
    return eer_of(*error_rates(scores, same, weights))


def eer_at_closest(scores: np.ndarray, same: np.ndarray) -> float:
    """Return the greater error where both are closest, as in the code of RJCA for verification.

    It needs no line between operating points, and is at least the EER.
    """
    misses, alarms = error_rates(scores, same)
    at = np.argmin(np.abs(misses - alarms))
    return float(max(misses[at], alarms[at]))


def min_dcf_of(misses: np.ndarray, alarms: np.ndarray, prior: float) -> np.ndarray:
    """Return the minimal detection cost (...,) of rates (..., K+1)."""
    cost: np.ndarray = (prior * misses + (1 - prior) * alarms).min(axis=-1)
    return cost / min(prior, 1 - prior)


def min_dcf(
    scores: np.ndarray, same: np.ndarray, prior: float, weights: np.ndarray | None = None
) -> np.ndarray:
    """Compute the minimal normalised detection cost; a miss and a false alarm cost 1 each.

        minDCF = min_t (p miss(t) + (1 - p) alarm(t)) / min(p, 1 - p)

    Parameters
    ----------
    scores, same, weights
        As in `error_rates`.
    prior
        Probability p that a trial is of one person.

    Returns
    -------
    ndarray
        Cost in [0, 1], (...,); 1 is that of accepting all trials or none.

    References
    ----------
    NIST, "Speaker Recognition Evaluation Plan", 2016, with its primary costs.

    Examples
    --------
    >>> scores, same = np.array([0.9, 0.6, 0.5, 0.1]), np.array([True, False, True, False])
    >>> float(min_dcf(scores, same, 0.05))
    0.5
    """
    return min_dcf_of(*error_rates(scores, same, weights), prior)


def as_norm(
    scores: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    cohort: np.ndarray,
    top: int,
) -> np.ndarray:
    """Normalise scores by the most similar people of a cohort on both sides (AS-norm).

        s' = ((s - m_e) / d_e + (s - m_t) / d_t) / 2

    m and d are the mean and the population deviation of the `top` highest scores of a side against
    the cohort.

    Parameters
    ----------
    scores
        Scores of the trials (N,).
    first, second
        Row of `cohort` of each side of the trials (N,).
    cohort
        Scores of every recording against the people of the cohort (M, C).
    top
        Highest scores that count; all of them if the cohort is smaller.

    Returns
    -------
    ndarray
        Normalised scores (N,); NaN where the highest scores of a side do not vary, as with `top` 1.

    References
    ----------
    Matějka et al., "Analysis of score normalization in multilingual speaker recognition",
    Interspeech 2017, AS-norm1.

    Examples
    --------
    >>> cohort = np.array([[0.0, 2.0, -9.0], [1.0, 3.0, -9.0]])
    >>> as_norm(np.array([4.0]), np.array([0]), np.array([1]), cohort, 2).tolist()
    [2.5]
    """
    count = min(top, cohort.shape[1])
    highest = np.partition(cohort, -count, axis=1)[:, -count:] if count else cohort
    mean, deviation = highest.mean(axis=1), highest.std(axis=1)
    deviation = np.where(deviation > 0, deviation, np.nan)
    sides = [(scores - mean[side]) / deviation[side] for side in (first, second)]
    normalised: np.ndarray = (sides[0] + sides[1]) / 2
    return normalised


def drawn_people(people: int, draws: int, seed: int) -> np.ndarray:
    """Return how often each person is drawn with replacement (draws, people)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(people, np.full(people, 1 / people), size=draws).astype(float)


def weights_of(counts: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return how often each trial counts if people are drawn with replacement.

    A person who is drawn k times counts k times in trials of only that person, and k l times in
    trials with a person who is drawn l times, so that both sides of a trial vary.

    Parameters
    ----------
    counts
        How often each person is drawn (draws, people).
    first, second
        Person of each side of the trials (N,), 0 to people - 1.

    Returns
    -------
    ndarray
        Weights (draws, N).

    References
    ----------
    Snijders, Borgatti, "Non-parametric standard errors and tests for network statistics",
    Connections 1999 (the vertex bootstrap).
    """
    weights: np.ndarray = np.where(
        first == second, counts[:, first], counts[:, first] * counts[:, second]
    )
    return weights
