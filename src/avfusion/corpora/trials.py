"""Trials of verification: draw them from a manifest, and check them."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from avfusion.corpora.check import Check, check
from avfusion.corpora.wording import listed
from avfusion.schemas import TRIALS

AGAIN = "Correct the list of trials, or the split."


def drawn(manifest: pd.DataFrame, partition: str, different: int, seed: int) -> pd.DataFrame:
    """Return all trials of one person in a partition, and as many of two people per trial.

    Parameters
    ----------
    manifest
        Columns `video`, `partition` and `subject`.
    partition
        `validation` or `test`; also the name of the list.
    different
        Trials of two people for each trial of one person, while there are pairs left.
    seed
        Seed of the choice of pairs of two people.

    Returns
    -------
    DataFrame
        The columns `schemas.TRIALS`.
    """
    rows = manifest[manifest["partition"] == partition].sort_values("video")
    videos, people = rows["video"].to_numpy(), rows["subject"].to_numpy()
    first, second = np.triu_indices(len(rows), 1)
    same = people[first] == people[second]
    others = np.flatnonzero(~same)
    rng = np.random.default_rng(seed)
    count = min(len(others), different * int(same.sum()))
    kept = np.sort(np.append(np.flatnonzero(same), rng.choice(others, count, replace=False)))
    return pd.DataFrame(
        {
            "list": partition,
            "partition": partition,
            "first": videos[first[kept]],
            "second": videos[second[kept]],
            "same": same[kept],
        }
    )[list(TRIALS)]


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
