"""Published gains: how much better one fusion was than another, by rows of published.csv."""

from collections.abc import Iterable

from avfusion.literature.claims import Better, Claims, Form
from avfusion.literature.published import Published

Place = tuple[str, str, str, str]
"""Paper, corpus, partition and protocol; numbers are subtracted within one place only."""


def published_gain(
    claim: Better, claims: Claims, rows: Iterable[Published], corpus: str
) -> float | None:
    """Return the published gain of a claim: the mean CCC over targets, better minus worse.

    Of several methods with one fusion, the highest number counts; of several fusions in `worse`,
    the highest, and of several places, the smallest gain, so that a gain is not overstated. Places
    on `corpus` come first.

    Parameters
    ----------
    claim
        The claim.
    claims
        Its file, for forms.
    rows
        Published numbers.
    corpus
        Class of the corpus.

    Returns
    -------
    float or None
        None if no paper has numbers of both in one place.
    """
    by_place: dict[Place, list[Published]] = {}
    for row in rows:
        if row.metric == "ccc" and not row.corruption and row.fusion:
            place = (row.paper, row.corpus, row.partition, row.protocol)
            by_place.setdefault(place, []).append(row)
    gains = {
        place: gain
        for place, among in by_place.items()
        if (gain := _gain(claim, claims, among)) is not None
    }
    here = [gain for place, gain in gains.items() if place[1] == corpus]
    return min(here or gains.values(), default=None)


def _gain(claim: Better, claims: Claims, rows: list[Published]) -> float | None:
    """Return the gain in one place; None unless both have the same targets."""
    better, *worse = [_best(claims.form(name), rows) for name in claim.fusions()]
    if not better or any(each.keys() != better.keys() for each in worse):
        return None
    return min(
        sum(better[target] - each[target] for target in better) / len(better) for each in worse
    )


def _best(form: Form, rows: list[Published]) -> dict[str, float]:
    """Return target -> the highest number of a form."""
    best: dict[str, float] = {}
    for row in rows:
        if {"is": row.fusion, **row.options} == form:
            best[row.target] = max(row.value, best.get(row.target, row.value))
    return best
