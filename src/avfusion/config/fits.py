"""Several fits of each fitted encoder: their names, and the fit that a run reads.

A fit has the number of `encoder_seeds` that was added to the encoder's `seed`. The fit 0 has the
name of the encoder, so a study with `encoder_seeds: [0]` has no other names than those of its
settings. The seeds of the fusions take the fits in turn, so each fusion sees the same fits. With
fewer seeds than fits, the first fits are used.
"""

import ast
import re

from avfusion.registry import encoders

FIT = re.compile(r"(?P<encoder>\w+)-fit(?P<number>\d+)")


def split(name: str) -> tuple[str, int]:
    """Return the encoder of a fit and the fit's number.

    >>> split("mel_cnn"), split("mel_cnn-fit2")
    (('mel_cnn', 0), ('mel_cnn', 2))
    """
    match = FIT.fullmatch(name)
    return (match["encoder"], int(match["number"])) if match else (name, 0)


def fit_name(encoder: str, number: int) -> str:
    """Return the name of a fit, for folders and commands.

    >>> fit_name("mel_cnn", 0), fit_name("mel_cnn", 2)
    ('mel_cnn', 'mel_cnn-fit2')
    """
    return f"{encoder}-fit{number}" if number else encoder


def of_seed(seed: int, seeds: list[int], numbers: list[int]) -> int:
    """Return the fit that the runs of a seed read: the first of `seeds` has the first fit.

    A seed that is not among them, such as one of a grid, has the first fit.

    >>> [of_seed(seed, [0, 1, 2, 3], [0, 5]) for seed in (0, 1, 2, 3, 9)]
    [0, 5, 0, 5, 0]
    """
    place = seeds.index(seed) if seed in seeds else 0
    return numbers[place % len(numbers)]


def default_seed(kind: str) -> int | None:
    """Return the default of an encoder's option `seed`; None if it has no such option."""
    text = encoders.options(kind).get("seed")
    return None if text is None else int(ast.literal_eval(text))
