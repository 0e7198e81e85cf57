"""Connect faces of one shot from picture to picture: pieces of tracks that hold one person each.

A face continues a piece if it lies within one face width of it, has a similar size and looks alike;
the nearest pair is connected first. If it looks different (a person walked in front of another one,
or a cut was missed), a new piece begins. A piece in which the face becomes another one within a
second (a dissolve) is split. Pieces are joined to people in `tracks`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from avfusion.media.appearance import Appearance
from avfusion.media.follow import equal_runs, pictures
from avfusion.media.spool import TINY_PX, Spool

_LOST_S = 0.5  # a piece ends if its face is not seen for longer


_REACH = 1.0  # in widths of the face


_LARGER = 1.6  # greatest ratio of sizes


# Correlation of the small grey patches of one face in two successive pictures. Of 11 portraits
# that moved and talked, 95 % of pairs were above, and of two of them, 1 % were. Else the faces
# themselves are compared, which takes longer.
_ALIKE = 0.85


_EVERY_S = 0.5  # parts of a piece that are compared with the part before the last one


_SHOWN = 3  # faces that describe such a part


_BATCH = 4096  # rows whose patches are in memory


@dataclass
class _Open:
    """A piece that may continue: where and how its face was seen last."""

    number: int
    shot: int
    time_s: float
    box: np.ndarray
    patch: np.ndarray
    row: int


Alike = Callable[[int, int], bool]  # whether the faces of two rows look alike


def pieces(spool: Spool, rows: np.ndarray, shots: np.ndarray, appearance: Appearance) -> np.ndarray:
    """Number the pieces that the faces belong to.

    Parameters
    ----------
    spool
        The faces' pictures.
    rows
        All rows of the spool (n,).
    shots
        The shot of each row (n,), ascending.
    appearance
        Compares faces.

    Returns
    -------
    ndarray
        The piece of each row, int (n,), in order of their first faces. Of a face that was placed
        between two detected ones, it is their piece, or -1 if they belong to two.
    """

    def alike(one: int, other: int) -> bool:
        first, second = (appearance.describe([spool.crop(rows[i])]) for i in (one, other))
        return bool(appearance.likeness(first, second[None])[0] >= appearance.perhaps)

    numbers, same = np.full(len(rows), -1), np.zeros(len(rows), np.float32)
    open_: list[_Open] = []
    count = 0
    for at, patches in _looks(spool, rows):
        shot, now_s, boxes = int(shots[at[0]]), float(rows["time_s"][at[0]]), rows["box"][at]
        open_ = [p for p in open_ if p.shot == shot and now_s - p.time_s <= _LOST_S]
        pairs = _pairs(open_, boxes, patches, at, alike)
        for row, face in enumerate(at.tolist()):
            number = pairs[row].number if row in pairs else count
            count += row not in pairs
            if row in pairs:
                open_.remove(pairs[row])
                same[face] = patches[row] @ pairs[row].patch
            open_.append(_Open(number, shot, now_s, boxes[row], patches[row], face))
            numbers[face] = number
    numbers = _ordered(_split(spool, rows, numbers, same, appearance))
    return _with_between(rows, numbers)


def _looks(spool: Spool, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows (k,) and normalised patches (k, 144) of each searched picture with faces."""
    first, faces = 0, spool.patches(0, 0)[0]
    for at in pictures(rows):
        if at[-1] >= first + len(faces):
            first, faces = int(at[0]), spool.patches(int(at[0]), _BATCH)[0]
        patches = faces[at - first].reshape(len(at), TINY_PX * TINY_PX).astype(np.float32)
        patches -= patches.mean(1, keepdims=True)
        yield at, patches / (np.linalg.norm(patches, axis=1, keepdims=True) + 1e-6)


def _pairs(
    open_: list[_Open], boxes: np.ndarray, patches: np.ndarray, at: np.ndarray, alike: Alike
) -> dict[int, _Open]:
    """Return face -> the piece that it continues; the nearest pairs first."""
    close = []
    for piece in open_:
        reach = np.hypot(*_middle(boxes - piece.box).T) / piece.box[2]
        ratio = boxes[:, 2] / piece.box[2]
        same = patches @ piece.patch
        fits = (reach <= _REACH) & (ratio < _LARGER) & (ratio > 1 / _LARGER)
        # The patch decides between two faces at one place, such as people who pass each other.
        close += [(reach[i] + 1 - same[i], piece.number, i, same[i]) for i in np.flatnonzero(fits)]
    by_number = {piece.number: piece for piece in open_}
    pairs: dict[int, _Open] = {}
    for _, number, face, same_patch in sorted(close):
        if number not in by_number or face in pairs:
            continue
        if same_patch >= _ALIKE or alike(by_number[number].row, int(at[face])):
            pairs[int(face)] = by_number.pop(number)
    return pairs


def _split(
    spool: Spool,
    rows: np.ndarray,
    numbers: np.ndarray,
    same: np.ndarray,
    appearance: Appearance,
) -> np.ndarray:
    """Split pieces where the face is another one than a second before, at the greatest change."""
    out, count = numbers.copy(), int(numbers.max(initial=-1)) + 1
    order = np.flatnonzero(numbers >= 0)
    order = order[np.argsort(numbers[order], kind="stable")]
    for at in equal_runs(order, numbers[order, None]):
        times_s = rows["time_s"][at]
        edges = np.searchsorted(times_s, np.arange(times_s[0], times_s[-1] + _EVERY_S, _EVERY_S))
        edges = np.unique([*edges, len(at)])
        looks: list[np.ndarray] = []  # of the last three parts since the last split
        for begin, end in pairwise(edges.tolist()):
            middle = at[np.unique(np.linspace(begin, end - 1, _SHOWN).astype(int))]
            look = appearance.describe([spool.crop(row) for row in rows[middle]])
            looks = [*looks[-2:], look]
            if len(looks) < 3:
                continue
            if appearance.likeness(looks[-1], looks[-3][None])[0] >= appearance.perhaps:
                continue
            first = int(edges[np.searchsorted(edges, begin) - 1])  # the part between the two
            cut = first + int(same[at[first:end]].argmin())
            out[at[cut:]] = count
            count, looks = count + 1, looks[-1:]
    return out


def _ordered(numbers: np.ndarray) -> np.ndarray:
    """Number the pieces in order of their first faces."""
    known = numbers >= 0
    _, first, place = np.unique(numbers[known], return_index=True, return_inverse=True)
    rank = np.empty(len(first), int)
    rank[np.argsort(first)] = np.arange(len(first))
    out = np.full(len(numbers), -1)
    out[known] = rank[place]
    return out


def _middle(box: np.ndarray) -> np.ndarray:
    """Return the middle, or the distance of middles for a difference of boxes (n, 4): (n, 2)."""
    return box[:, :2] + box[:, 2:] / 2


def _with_between(rows: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Give faces between two detected ones the piece of both."""
    before = rows["before"]
    between = np.flatnonzero(before >= 0)
    last = {int(piece): int(row) for row, piece in enumerate(numbers) if piece >= 0}
    for row in between:
        piece = int(numbers[before[row]])
        # The piece goes on after this face only if it has a later row in the next picture.
        numbers[row] = piece if last.get(piece, -1) > row else -1
    return numbers
