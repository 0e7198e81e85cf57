"""Join pieces of tracks to people: the same person gets one number throughout a video.

A piece goes on with a person who was last seen at its place in the same shot, unless it looks
different; one that is shorter than half a second, such as a face that is half covered by a hand,
goes on in any case. In any other case, and always after a cut, it must look alike; else it is a new
person. Two pieces that overlap in time are of two people. So a track may break one person into two,
but it rarely makes one person of two.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from avfusion.media.appearance import Appearance
from avfusion.media.follow import equal_runs
from avfusion.media.spool import Spool

_WAIT_S = 5.0  # in one shot, a person may be out of sight this long and come back by place alone


_BRIEF_S = 0.5  # a piece that is shorter does not show what a person looks like


_REACH = 1.0  # in widths of the face


_SHOWN = 8  # faces of a piece that describe it


class _Piece(NamedTuple):
    rows: np.ndarray
    shot: int
    start_s: float
    end_s: float
    first: np.ndarray
    last: np.ndarray


@dataclass
class _Person:
    """What is known of one person: the last piece, and a description of each."""

    last: _Piece
    looks: list[np.ndarray] = field(default_factory=list)
    brief: bool = True  # whether only brief pieces were seen


def people(
    spool: Spool, rows: np.ndarray, shots: np.ndarray, pieces: np.ndarray, appearance: Appearance
) -> np.ndarray:
    """Number the people that the faces belong to.

    Parameters
    ----------
    spool
        The faces' pictures.
    rows
        All rows of the spool (n,).
    shots, pieces
        Shot and piece of each row, int (n,).
    appearance
        Compares faces.

    Returns
    -------
    ndarray
        The person of each row, int (n,), from 0 in order of their first faces; -1 where the piece
        is -1.
    """
    if pieces.max(initial=-1) < 1:
        return pieces  # one person, or none
    known: list[_Person] = []
    person_of: list[int] = []
    for piece in _described(rows, shots, pieces):
        look = appearance.describe([spool.crop(row) for row in rows[_spread(piece.rows)]])
        at = _same(piece, look, known, appearance)
        if at is None:
            at = len(known)
            known.append(_Person(piece))
        known[at].last = piece
        known[at].looks.append(look)
        known[at].brief &= _brief(piece)
        person_of.append(at)
    return np.append(person_of, -1).astype(int)[pieces]


def _described(rows: np.ndarray, shots: np.ndarray, pieces: np.ndarray) -> list[_Piece]:
    """Return the pieces in order of their numbers, which is that of their first faces."""
    searched = np.flatnonzero(rows["before"] < 0)
    order = searched[np.argsort(pieces[searched], kind="stable")]
    return [
        _Piece(
            *(at, int(shots[at[0]])),
            *(float(rows["time_s"][at[0]]), float(rows["time_s"][at[-1]])),
            *(rows["box"][at[0]], rows["box"][at[-1]]),
        )
        for at in equal_runs(order, pieces[order, None])
    ]


def _spread(rows: np.ndarray) -> np.ndarray:
    """Return up to `_SHOWN` of the rows, evenly spread."""
    count = min(len(rows), _SHOWN)
    return rows[((np.arange(count) + 0.5) * len(rows) / count).astype(int)]


def _same(
    piece: _Piece, look: np.ndarray, known: list[_Person], appearance: Appearance
) -> int | None:
    """Return the number of the person that a piece is of, or None."""
    best, best_alike = None, -np.inf
    for at, person in enumerate(known):
        if person.last.end_s >= piece.start_s:
            continue  # seen at the same time
        alike = float(appearance.likeness(look, np.stack(person.looks)).max())
        there = _at_place(person.last, piece)
        if there and (person.brief or _brief(piece)):
            alike = max(alike, appearance.perhaps)
        if alike >= (appearance.perhaps if there else appearance.similar) and alike > best_alike:
            best, best_alike = at, alike
    return best


def _brief(piece: _Piece) -> bool:
    return piece.end_s - piece.start_s < _BRIEF_S


def _at_place(last: _Piece, piece: _Piece) -> bool:
    if last.shot != piece.shot or piece.start_s - last.end_s > _WAIT_S:
        return False
    gap = piece.first - last.last
    return bool(np.hypot(*(gap[:2] + gap[2:] / 2)) <= _REACH * last.last[2])
