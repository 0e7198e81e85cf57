"""Partitions of IEMOCAP: leaving a session out, or at random as in one published study.

session  Test is session k, validation the next session, train the other three. No speaker is in
         two partitions.
random   The folds of Yoon et al. (arXiv:1912.00846), also used by Rajan et al. (arXiv:2202.09263),
         recomputed from their rule. Turns are in the order of files and names. One draw per turn
         with seed 337 chooses the fold that holds it out. A second draw per turn with seed 3372
         sends what fold k holds out to validation (above 0.7) or test. Turns of one dialog, and
         all ten speakers, are in every partition.
"""

import random
from typing import Literal

SESSIONS = FOLDS = 5
SPEAKERS = 10
HELD_OUT, DEV = 337, 3372  # seeds
_ABOVE = (0.8, 0.6, 0.4, 0.2)  # of folds 1 to 4
_DEV_ABOVE = 0.7
SIZES = {
    7: ((6058, 404, 1025), (5934, 497, 1056), (5975, 483, 1029), (5962, 474, 1051),
        (6019, 428, 1040)),
    4: ((4445, 313, 773), (4374, 386, 771), (4399, 353, 779), (4432, 343, 756), (4474, 307, 750)),
}  # fmt: skip
"""Classes -> train, validation and test of each random fold, as published."""
RULES = {
    "session": "test: session {fold}; validation: session {next}; train: the others",
    "random": "turns at random, seeds 337 and 3372, as in arXiv:1912.00846; speakers are shared",
}
Partition = Literal["train", "validation", "test"]


def by_session(session: int, fold: int) -> Partition:
    """Return the partition of a session's turns when `fold` is left out.

    >>> [by_session(session, 5) for session in (1, 2, 3, 4, 5)]
    ['validation', 'train', 'train', 'train', 'test']
    """
    if session == fold:
        return "test"
    return "validation" if session == fold % SESSIONS + 1 else "train"


def at_random(count: int, fold: int) -> list[Partition]:
    """Return the partition of each of `count` turns, in order of file paths and names."""
    draws = random.Random(HELD_OUT)
    outside = [_fold(draws.random()) for _ in range(count)]
    draws = random.Random(DEV)
    second = [draws.random() for _ in range(count)]
    return [
        "train" if of != fold else "validation" if draw > _DEV_ABOVE else "test"
        for of, draw in zip(outside, second, strict=True)
    ]


def rule(folds: str, fold: int) -> str:
    """Return the rule in words, for the card."""
    return RULES[folds].format(fold=fold, next=fold % SESSIONS + 1)


def _fold(draw: float) -> int:
    return next((k for k, above in enumerate(_ABOVE, start=1) if draw > above), FOLDS)
