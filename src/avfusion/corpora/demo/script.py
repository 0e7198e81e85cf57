"""Sentences of the demo corpus; their adjectives depend weakly on the valence."""

import numpy as np

_GOOD = (
    *("lovely", "bright", "happy", "wonderful", "warm"),
    *("gentle", "delightful", "calm", "funny", "splendid"),
)
_BAD = (
    *("awful", "gloomy", "sad", "terrible", "cold"),
    *("cruel", "dreadful", "broken", "painful", "nasty"),
)
_PLAIN = (
    *("usual", "green", "round", "local", "recent"),
    *("wooden", "square", "common", "early", "simple"),
)
_THINGS = (
    *("garden", "letter", "morning", "journey", "kitchen"),
    *("story", "river", "concert", "office", "window", "road"),
)
_WHO = ("my sister", "the doctor", "our neighbour", "the teacher", "that driver", "an uncle")
_FORMS = (
    "the {thing} was {word} today",
    "{who} told me about a {word} {thing}",
    "we found the {thing} rather {word}",
    "it was such a {word} {thing}",
    "{who} said the {thing} looked {word}",
    "I remember a {word} {thing} and a {second} {other}",
)


def phrase(rng: np.random.Generator, valence: float) -> str:
    """Return a short sentence; half its adjectives are valenced, biased by valence in [-1, 1]."""
    thing, other = rng.choice(_THINGS, 2, replace=False)
    form = _FORMS[rng.integers(len(_FORMS))]
    return form.format(
        who=_WHO[rng.integers(len(_WHO))],
        thing=thing,
        other=other,
        word=_adjective(rng, valence),
        second=_adjective(rng, valence),
    )


def _adjective(rng: np.random.Generator, valence: float) -> str:
    if rng.random() < 0.5:
        return str(rng.choice(_PLAIN))
    good = rng.random() < 1 / (1 + np.exp(-2.5 * valence))
    return str(rng.choice(_GOOD if good else _BAD))
