"""Splits that no subject crosses, drawn from a seed, and named by a hash that two labs can compare.

Subjects are sorted, then shuffled by the seed; who is in which part depends on their names alone.
"""

import hashlib
import random
from collections.abc import Iterable

from avfusion.errors import CorpusError

TEST, TUNED = 0.2, 0.2
"""Shares of all subjects that test, and of the others that stop training."""


def holdout(subjects: Iterable[str], seed: int, where: str) -> dict[str, str]:
    """Subject -> partition, 80 : 20, validation out of the 80; refuses fewer than 3 subjects.

    >>> sorted(holdout("abcde", 0, "x").values())
    ['test', 'train', 'train', 'train', 'validation']
    """
    names = _drawn(subjects, seed, where)
    return _parted(names, max(1, round(TEST * len(names))))


def leave_one_out(subjects: Iterable[str], fold: int, seed: int, where: str) -> dict[str, str]:
    """Subject -> partition; the `fold`-th subject by name (from 1) tests."""
    known = sorted(set(subjects))
    if not 1 <= fold <= len(known):
        raise CorpusError(
            f"{where}: fold is {fold}; {len(known)} subjects make folds 1 … {len(known)}."
        )
    out = known[fold - 1]
    names = [name for name in _drawn(known, seed, where) if name != out]
    return _parted([out, *names], 1)


def split_digest(parts: dict[str, str]) -> str:
    """SHA-256 of `video<TAB>partition` lines, by video: the split as data."""
    text = "".join(f"{name}\t{part}\n" for name, part in sorted(parts.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def said(parts: dict[str, str]) -> str:
    """The split in one line: who is where."""
    order = ("train", "validation", "test")
    names = {part: sorted(name for name, own in parts.items() if own == part) for part in order}
    return "; ".join(f"{part}: {', '.join(own)}" for part, own in names.items() if own)


def _drawn(subjects: Iterable[str], seed: int, where: str) -> list[str]:
    names = sorted(set(subjects))
    if len(names) < 3:
        raise CorpusError(
            f"{where}: {len(names)} subjects; train, validation and test need one each, for no "
            "subject may be in two. Add subjects, or give every row a partition."
        )
    random.Random(seed).shuffle(names)
    return names


def _parted(names: list[str], tested: int) -> dict[str, str]:
    """The first `tested` names test, the next share of the others stops training."""
    tuned = max(1, round(TUNED * (len(names) - tested)))
    return {
        name: "test" if k < tested else "validation" if k < tested + tuned else "train"
        for k, name in enumerate(names)
    }
