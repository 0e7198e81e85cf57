"""Actors, folds and ratings of corpora of acted clips, such as RAVDESS and CREMA-D.

A clip has one class and one rating. Actors are subjects, so no actor may be in two partitions.
"""

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from avfusion.errors import ConfigError, CorpusError
from avfusion.io.atomic import write_text
from avfusion.schemas import GOLD, PARTITIONS

if TYPE_CHECKING:
    from avfusion.corpora.tree.tree import Tree
    from avfusion.media.timing import Timing

INSTANTS = 10
"""A clip's rating is repeated this often, so that all clips have the same weight."""


LEAST = 3
"""Train, validation and test need one actor each."""


_SPAN = re.compile(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", flags=re.ASCII)


def parse_actors(
    given: str | int | list[int] | None, known: Sequence[int], corpus: str
) -> tuple[int, ...]:
    """Return the chosen actors.

    Parameters
    ----------
    given
        The option `actors`: a number, a list, or text such as `1-6` or `1-3,7`. None means all.
    known
        Numbers of all actors of the corpus.
    corpus
        Name of the corpus, for messages.

    Returns
    -------
    tuple of int
        Numbers of the actors, ascending, each once.

    Raises
    ------
    ConfigError
        If the option cannot be read, or names an actor that the corpus does not have.

    Examples
    --------
    >>> parse_actors("1-3, 7", range(1, 25), "ravdess")
    (1, 2, 3, 7)
    """
    actors = sorted(set(known))
    if given is None:
        return tuple(actors)
    if isinstance(given, str):
        spans = [_span(piece) for piece in given.split(",")]
    else:
        numbers = given if isinstance(given, list | tuple) else [given]
        spans = [(n, n) if type(n) is int else None for n in numbers]
    if not spans or not all(span and {*span} <= {*actors} and span[0] <= span[1] for span in spans):
        raise ConfigError(
            f"{corpus}: actors is {given!r}; expected numbers from {actors[0]} to {actors[-1]}, "
            f"such as `{actors[0]}-{actors[min(5, len(actors) - 1)]}` or "
            f"`{actors[0]},{actors[-1]}`. Correct the option `actors`."
        )
    kept = {n for span in spans if span for n in actors if span[0] <= n <= span[1]}
    return tuple(sorted(kept))


def even_folds(actors: Sequence[int], count: int, seed: int) -> tuple[tuple[int, ...], ...]:
    """Shuffle actors and deal them into folds whose sizes differ by at most one.

    Parameters
    ----------
    actors
        Numbers of the actors; their order does not count.
    count
        Number of folds.
    seed
        Seed of the shuffle.

    Returns
    -------
    tuple of tuple of int
        Actors of each fold, ascending.

    Examples
    --------
    >>> [len(fold) for fold in even_folds(range(1, 9), 3, 0)]
    [3, 3, 2]
    """
    shuffled = sorted(set(actors))
    random.Random(seed).shuffle(shuffled)
    return tuple(tuple(sorted(shuffled[k::count])) for k in range(count))


def used_folds(
    folds: Sequence[Sequence[int]], actors: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """Return the folds with only the given actors, or even folds if one of them would be empty.

    Even folds have as many folds as before, but at most one per actor, and seed 0. The choice does
    not depend on the test fold, so each actor is tested in exactly one fold.
    """
    kept = tuple(tuple(n for n in fold if n in set(actors)) for fold in folds)
    if all(kept):
        return kept
    return even_folds(actors, min(len(folds), len(set(actors))), seed=0)


def partitions(
    folds: Sequence[Sequence[int]], fold: int, actors: Sequence[int], corpus: str
) -> dict[int, str]:
    """Return the partition of each actor.

    Parameters
    ----------
    folds
        Actors of each fold.
    fold
        Number of the test fold, from 1. The next one, or the first, is validation.
    actors
        Actors of the study; with a part of them, `used_folds` may be other folds.
    corpus
        Name of the corpus, for messages.

    Returns
    -------
    dict
        Actor -> `train`, `validation` or `test`, in ascending order of the actors.

    Raises
    ------
    CorpusError
        If there are fewer than 3 actors.
    ConfigError
        If there is no such fold.
    """
    chosen = sorted(set(actors))
    if len(chosen) < LEAST:
        raise CorpusError(
            f"{corpus}: {len(chosen)} actors; at least {LEAST} are needed, because no actor may "
            f"be in two of train, validation and test. Add some to the option `actors`. To "
            f"download them, run: avf obtain {corpus}"
        )
    used = used_folds(folds, chosen)
    if fold not in range(1, len(used) + 1):
        raise ConfigError(
            f"{corpus}: fold is {fold!r}; {len(chosen)} actors make folds 1 … {len(used)}. "
            "Correct the option `fold`, or choose more `actors`."
        )
    place = {n: k for k, members in enumerate(used, start=1) for n in members}
    if lost := [n for n in chosen if n not in place]:
        raise ConfigError(f"{corpus}: actor {lost[0]} is in no fold. Choose other `folds`.")
    parts = {fold: "test", fold % len(used) + 1: "validation"}
    return {n: parts.get(place[n], "train") for n in chosen}


def rule(
    folds: Sequence[Sequence[int]], fold: int, actors: Sequence[int], corpus: str, source: str
) -> str:
    """Return the split in words, for the card.

    Parameters
    ----------
    folds, fold, actors, corpus
        As in `partitions`.
    source
        Where the folds come from, in words.
    """
    parts = partitions(folds, fold, actors, corpus)
    members = {part: [n for n, of in parts.items() if of == part] for part in PARTITIONS}
    named = [f"{part}: actors {', '.join(map(str, of))}" for part, of in members.items()]
    chosen = set(actors)
    complete = all(chosen & set(members) for members in folds)
    origin = source if complete else "even folds with seed 0, because a fold has no actor"
    return f"fold {fold} of {len(used_folds(folds, actors))}, {origin}; {'; '.join(named)}"


def write_sentences(root: Path, sentences: Mapping[str, str]) -> None:
    """Write the sentences that actors say, by their codes, as transcripts of the clips."""
    for code, text in sentences.items():
        if not (path := root / _sentence(code)).is_file():
            write_text(path, f"{text}\n")


def sentence_of(tree: "Tree", code: str) -> str | None:
    """Return the path of a written sentence below the root; None if it is not there."""
    return _sentence(code) if tree.find(_sentence(code)) else None


def _sentence(code: str) -> str:
    return f"sentences/{code}.sentence"


def known_ends(timed: "Mapping[str, Timing]") -> dict[str, float]:
    """Return name -> end in seconds, of the videos that can be read."""
    return {name: clock.end_s for name, clock in timed.items() if not clock.reason}


def clip_gold(
    values: Mapping[str, Mapping[str, float]], ends_s: Mapping[str, float], targets: Sequence[str]
) -> pd.DataFrame:
    """Return the rating of each clip, repeated at `INSTANTS` instants from 0 to its end.

    Parameters
    ----------
    values
        Clip -> target -> rating. A clip or target without one is NaN, which means unrated.
    ends_s
        Clip -> end in seconds. A clip without an end above 0 has no rows.
    targets
        Names of the targets.

    Returns
    -------
    DataFrame
        Columns `schemas.GOLD` and the targets, in the order of `ends_s`.
    """
    ends = {clip: end_s for clip, end_s in ends_s.items() if 0 < end_s < np.inf}
    instants = np.linspace(0, 1, INSTANTS)
    times_s = np.round(np.outer(list(ends.values()), instants), 6).reshape(-1)
    table = pd.DataFrame({"video": np.repeat(np.array([*ends], object), INSTANTS)})
    table["time_s"] = times_s
    for target in targets:
        rated = [values.get(clip, {}).get(target, np.nan) for clip in ends]
        table[target] = np.repeat(np.array(rated, float), INSTANTS)
    return table[[*GOLD, *targets]]


def _span(piece: str) -> tuple[int, int] | None:
    """Return the first and last number of `3` or `1-6`; None if the text is neither."""
    match = _SPAN.fullmatch(piece)
    return (int(match[1]), int(match[2] or match[1])) if match else None
