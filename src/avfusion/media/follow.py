"""Choose which person of a video is followed, by the rule `face`.

`largest`, `left` and `right` choose at the first picture with a face and stay with this person. If
the person has been out of sight for half a second, or after a cut, they choose again. `left` and
`right` take the left or right one of the two largest faces; a single face must be in that half.
`speaker` follows, in each shot, the person who speaks most. `all` follows as `largest` does.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

_HOLD_S = 0.5  # how long a person may be lost before another one is followed


_BRIEF_S = 0.5  # a person who is seen for less is no change of person


class Seen(NamedTuple):
    """All faces of a video and whose they are.

    Attributes
    ----------
    rows
        Rows of the spool (n,).
    shots, people
        Shot and person of each row, int (n,); no person is -1.
    """

    rows: np.ndarray
    shots: np.ndarray
    people: np.ndarray


class Switch(NamedTuple):
    """A time at which the followed person may change."""

    time_s: float
    cut: bool


def follow(seen: Seen, rule: str) -> np.ndarray:
    """Return whether each face is of the followed person, bool (n,); at most one per frame.

    Parameters
    ----------
    seen
        The faces.
    rule
        "largest", "left", "right" or "all".
    """
    side = rule if rule in ("left", "right") else None
    chosen = np.zeros(len(seen.rows), bool)
    others = cache(lambda shot, person: _others(seen, shot, person))
    person, shot, seen_s, box = -1, -1, -np.inf, np.zeros(4)
    for at in pictures(seen.rows):
        time_s = float(seen.rows["time_s"][at[0]])
        here = at[seen.people[at] == person]
        if not len(here) and shot == seen.shots[at[0]]:
            here = at[~np.isin(seen.people[at], others(shot, person))]
            here = _at_place(here, seen.rows["box"], box)
        if not len(here):
            if person >= 0 and shot == seen.shots[at[0]] and time_s - seen_s <= _HOLD_S:
                continue  # one missed face must not move on to another person
            here = _choose(at, seen.rows[at], side)
        if len(here):
            chosen[here[0]], box = True, seen.rows["box"][here[0]]
            person, shot, seen_s = int(seen.people[here[0]]), int(seen.shots[here[0]]), time_s
    return _with_between(seen, chosen)


def follow_shots(seen: Seen, score: Callable[[int, int], float]) -> np.ndarray:
    """Return whether each face is of the person with the highest score in its shot, bool (n,).

    Parameters
    ----------
    seen
        The faces.
    score
        Maps shot and person to a number; among equals, the larger face is followed.
    """
    chosen = np.zeros(len(seen.rows), bool)
    for shot in np.unique(seen.shots):
        inside = np.flatnonzero((seen.shots == shot) & (seen.people >= 0))
        people = np.unique(seen.people[inside])
        if len(people):
            area = {p: _area(seen.rows["box"][inside[seen.people[inside] == p]]) for p in people}
            best = max(people.tolist(), key=lambda p: (score(int(shot), p), area[p]))
            chosen[inside[seen.people[inside] == best]] = True
    return chosen


def switches(seen: Seen, chosen: np.ndarray) -> list[Switch]:
    """Return the times at which the followed person changes.

    A person who is followed for less than `_BRIEF_S` in all is no change: this may be a covered
    face, which looks like another one.
    """
    at = np.flatnonzero(chosen & (seen.rows["before"] < 0))
    steps_s = np.diff(np.unique(seen.rows["time_s"][at]))
    step_s = float(np.median(steps_s)) if len(steps_s) else 0.0
    shown_s = np.bincount(np.maximum(seen.people[at], 0)) * step_s
    at = at[shown_s[np.maximum(seen.people[at], 0)] >= _BRIEF_S]
    people, shots = seen.people[at], seen.shots[at]
    changed = np.flatnonzero(np.diff(people)) + 1
    return [
        Switch(float(seen.rows["time_s"][at[i]]), bool(shots[i] != shots[i - 1])) for i in changed
    ]


def pictures(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the rows (k,) of each searched picture that has faces, the largest face first."""
    searched = np.flatnonzero(rows["before"] < 0)
    yield from equal_runs(searched, rows["look"][searched, None])


def equal_runs(at: np.ndarray, keys: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the parts of `at` (n,) in which the keys (n, k) are equal.

    `np.split` would make an array for each of an hour's pictures at once.
    """
    inner = np.flatnonzero(np.any(np.diff(keys, axis=0), axis=1)) + 1
    edges = np.concatenate([[0], inner, [len(at)]])
    for i in range(len(edges) - 1 if len(at) else 0):
        yield at[edges[i] : edges[i + 1]]


def appearances(seen: Seen, at: np.ndarray) -> Iterator[np.ndarray]:
    """Yield those of the rows `at` (n,) that show one person in one shot, for each of them."""
    order = at[np.lexsort((at, seen.people[at], seen.shots[at]))]
    yield from equal_runs(order, np.stack([seen.shots[order], seen.people[order]], axis=1))


def _others(seen: Seen, shot: int, person: int) -> np.ndarray:
    """Return who shares a picture of the shot with a person and so is another one, int (n,)."""
    looks = seen.rows["look"]
    known = (seen.shots == shot) & (seen.people >= 0) & (seen.rows["before"] < 0)
    shared = np.isin(looks, looks[known & (seen.people == person)])
    return np.unique(seen.people[known & shared])


def _at_place(at: np.ndarray, boxes: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return the nearest face within one face width of the last box, (1,), or none, (0,).

    Within a shot it most likely is the same person, even if it does not look so. `at` must hold
    only faces that can be this person.
    """
    if not len(at):
        return at
    gap = boxes[at] - last
    reach = np.hypot(*(gap[:, :2] + gap[:, 2:] / 2).T)
    nearest = int(reach.argmin())
    return at[nearest : nearest + 1] if reach[nearest] <= last[2] else at[:0]


def _choose(at: np.ndarray, rows: np.ndarray, side: str | None) -> np.ndarray:
    """Return the face that the rule chooses, (1,), or none, (0,); the largest is the first."""
    if side is None:
        return at[:1]
    across = rows["box"][:2, 0] + rows["box"][:2, 2] / 2
    if len(across) == 2:
        picked = across.argmin() if side == "left" else across.argmax()
        return at[picked : picked + 1]
    return at[:1] if (across[0] < rows["width_px"][0] / 2) == (side == "left") else at[:0]


def _with_between(seen: Seen, chosen: np.ndarray) -> np.ndarray:
    """Choose faces that were placed between two chosen ones."""
    between = np.flatnonzero(seen.rows["before"] >= 0)
    before = seen.rows["before"][between]
    same = seen.people[between] == seen.people[before]
    chosen[between] = chosen[before] & same & (seen.people[between] >= 0)
    return chosen


def _area(boxes: np.ndarray) -> float:
    return float((boxes[:, 2] * boxes[:, 3]).mean())
