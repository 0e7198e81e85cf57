"""Trials of verification: draw them from a manifest, and check them."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from avfusion.corpora.check import Check, check
from avfusion.corpora.wording import listed
from avfusion.schemas import TRIALS

AGAIN = "Correct the list of trials, or the split."


MOST_SAME = 5_000
"""Most trials of one person that are drawn for a partition."""

FEW = 1_000_000
"""Pairs of videos that are listed to draw from; of more, pairs are drawn one by one."""


def drawn(manifest: pd.DataFrame, partition: str, seed: int, different: int = 10) -> pd.DataFrame:
    """Return trials of one person in a partition, and some of two people per trial.

    All pairs of one person are trials up to `MOST_SAME`. Of more, each person has about the same
    number of trials, and all of its pairs if it has fewer.

    Parameters
    ----------
    manifest
        Columns `video`, `partition` and `subject`.
    partition
        `validation` or `test`; also the name of the list.
    seed
        Seed of the choice of pairs.
    different
        Trials of two people for each trial of one person, while there are pairs left.

    Returns
    -------
    DataFrame
        The columns `schemas.TRIALS`.
    """
    rows = manifest[manifest["partition"] == partition].sort_values("video")
    videos = rows["video"].to_numpy()
    people = pd.factorize(rows["subject"])[0]
    rng = np.random.default_rng(seed)
    same = _of_one(people, rng)
    others = _of_two(people, different * len(same), rng)
    pairs = np.concatenate([same, others])
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return pd.DataFrame(
        {
            "list": partition,
            "partition": partition,
            "first": videos[pairs[:, 0]],
            "second": videos[pairs[:, 1]],
            "same": people[pairs[:, 0]] == people[pairs[:, 1]],
        }
    )[list(TRIALS)]


def _of_one(people: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return pairs of videos of one person (M, 2); people: index of the person of each video."""
    of = [np.flatnonzero(people == person) for person in np.unique(people[people >= 0])]
    sizes = np.array([len(at) * (len(at) - 1) // 2 for at in of], int)
    left, parts = MOST_SAME, [np.empty((0, 2), int)]
    for rank, which in enumerate(np.argsort(sizes, kind="stable")):  # the fewest pairs first
        count = min(int(sizes[which]), -(-left // (len(of) - rank)))
        pairs = of[which][np.stack(np.triu_indices(len(of[which]), 1), axis=1)]
        if count < len(pairs):
            pairs = pairs[rng.choice(len(pairs), count, replace=False)]
        parts.append(pairs)
        left -= count
    return np.concatenate(parts)


def _of_two(people: np.ndarray, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Return different pairs of videos of two people (M, 2), as many as wanted or as there are."""
    count = len(people)
    if count * (count - 1) // 2 <= FEW:
        pairs = np.stack(np.triu_indices(count, 1), axis=1)
        pairs = pairs[people[pairs[:, 0]] != people[pairs[:, 1]]]
        return pairs[rng.choice(len(pairs), min(len(pairs), wanted), replace=False)]
    sizes = np.unique(people, return_counts=True)[1]
    wanted = min(wanted, int(count**2 - (sizes**2).sum()) // 2)
    codes = np.empty(0, int)
    while len(codes) < wanted:
        pairs = np.sort(rng.integers(0, count, (wanted, 2)), axis=1)
        pairs = pairs[people[pairs[:, 0]] != people[pairs[:, 1]]]
        more = pairs[:, 0] * count + pairs[:, 1]
        codes = pd.unique(np.concatenate([codes, more]))
    return np.stack(np.divmod(codes[:wanted], count), axis=1)


def trial_checks(trials: pd.DataFrame, manifest: pd.DataFrame) -> Iterator[Check]:
    """Yield whether trials, if there are any, are of listed videos and of people who are not
    trained on."""
    if not len(trials):
        return
    where = dict(zip(manifest["video"], manifest["partition"], strict=True))
    person = dict(zip(manifest["video"], manifest["subject"], strict=True))
    sides = [trials["first"], trials["second"]]
    wrong = {
        video
        for side in sides
        for video, partition in zip(side, trials["partition"], strict=True)
        if where.get(video) != partition
    }
    yield check(
        "trial videos", not wrong, "both videos of a trial in its partition of the manifest",
        listed(sorted(wrong)) or f"{len(trials):,} trials", AGAIN,
    )  # fmt: skip
    trained = set(manifest["subject"][manifest["partition"] == "train"].dropna())
    tested = {person.get(video) for side in sides for video in side}
    shared = sorted(trained & tested)
    yield check(
        "people of trials", not shared, "no person of a trial in the train partition",
        listed(shared) or f"{len(tested)} people, none trained on", AGAIN,
    )  # fmt: skip
    of_one = sides[0].map(person) == sides[1].map(person)
    false = trials[of_one != trials["same"].astype(bool)]
    names = [f"{a} {b}" for a, b in zip(false["first"], false["second"], strict=True)]
    yield check(
        "trial labels", not names, "a trial is of one person if both videos show one",
        listed(names) or f"{int(of_one.sum()):,} of one person, {int((~of_one).sum()):,} of two",
        AGAIN,
    )  # fmt: skip
    for part, rows in trials.groupby("partition"):
        kinds = set(rows["same"].astype(bool))
        yield check(
            f"kinds of {part} trials", len(kinds) == 2, "trials of one person and of two",
            "both" if len(kinds) == 2 else "one kind only", AGAIN,
        )  # fmt: skip
