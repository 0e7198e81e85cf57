"""Splits by subject, drawn from a seed, and a hash by which two laboratories can compare them.

Subjects are sorted, then shuffled with the seed; the split depends only on their names.
"""

import hashlib
import random
from collections.abc import Iterable

from avfusion.errors import CorpusError

TEST, TUNED = 0.2, 0.2
"""Shares of all subjects that are in test, and of the others that are in validation."""


def holdout(subjects: Iterable[str], seed: int, where: str) -> dict[str, str]:
    """Split subjects 80 : 20 into training and test; 20 % of the former become validation.

    Parameters
    ----------
    subjects
        Names, repeated or not.
    seed
        Seed of the shuffle.
    where
        File that lists the subjects, for messages.

    Returns
    -------
    dict
        Subject -> partition.

    Raises
    ------
    CorpusError
        If there are fewer than 3 subjects.

    Examples
    --------
    >>> sorted(holdout("abcde", 0, "x").values())
    ['test', 'train', 'train', 'train', 'validation']
    """
    names = _shuffled(subjects, seed, where)
    return _assigned(names, max(1, round(TEST * len(names))))


def leave_one_out(subjects: Iterable[str], fold: int, seed: int, where: str) -> dict[str, str]:
    """Return subject -> partition, where the `fold`-th subject by name (from 1) is the test set."""
    known = sorted(set(subjects))
    if not 1 <= fold <= len(known):
        raise CorpusError(
            f"{where}: fold is {fold}; {len(known)} subjects make folds 1 … {len(known)}."
        )
    held_out = known[fold - 1]
    names = [name for name in _shuffled(known, seed, where) if name != held_out]
    return _assigned([held_out, *names], 1)


def split_digest(parts: dict[str, str]) -> str:
    """Return the SHA-256 of the lines `video<TAB>partition`, sorted by video."""
    text = "".join(f"{name}\t{part}\n" for name, part in sorted(parts.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def split_summary(parts: dict[str, str]) -> str:
    """Return the subjects of each partition in one line."""
    order = ("train", "validation", "test")
    names = {part: sorted(name for name, of in parts.items() if of == part) for part in order}
    return "; ".join(f"{part}: {', '.join(members)}" for part, members in names.items() if members)


def _shuffled(subjects: Iterable[str], seed: int, where: str) -> list[str]:
    names = sorted(set(subjects))
    if len(names) < 3:
        raise CorpusError(
            f"{where}: {len(names)} subjects; train, validation and test need one each, because "
            "no subject may be in two. Add subjects, or give every row a partition."
        )
    random.Random(seed).shuffle(names)
    return names


def _assigned(names: list[str], tested: int) -> dict[str, str]:
    """Assign the first `tested` names to test, and a share of the others to validation."""
    tuned = max(1, round(TUNED * (len(names) - tested)))
    return {
        name: "test" if k < tested else "validation" if k < tested + tuned else "train"
        for k, name in enumerate(names)
    }
