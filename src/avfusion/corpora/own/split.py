"""Partitions of your own recordings: given, drawn by subject, or spans of the same videos.

With fewer than three people, no split can keep people apart. Each video is then cut over time, or
whole videos are dealt out in their order. Such a split cannot show how well a model works for a new
person; the card, every table and the page say so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import pandas as pd

from avfusion.corpora.splits import holdout
from avfusion.errors import CorpusError
from avfusion.schemas import PARTITIONS

ENDS = (0.6, 0.8, 1.0)
"""Where train, validation and test end, as shares of a video that is cut."""
GAP, LEAST_GAP_S, MOST_GAP_S = 0.02, 1.0, 10.0
"""Share of a video that is left out between two partitions, and its limits in seconds."""
SHORTEST_S = 15.0
"""Shortest video that is cut."""
PEOPLE = 3
"""Fewest people that are split by subject."""


class Piece(NamedTuple):
    """A video of the study: its name, partition, and span in its file if that is cut."""

    video: str
    partition: str
    span_s: tuple[float, float] | None = None


@dataclass(frozen=True)
class Row:
    """What the split depends on of one row of the manifest."""

    video: str
    subject: str
    partition: str
    rated: bool


@dataclass(frozen=True)
class Split:
    """The split of a corpus.

    Attributes
    ----------
    kind
        `given`, by `subjects`, over `time` inside videos, or by whole `videos` of the same people.
    pieces
        Name of each row's video -> its pieces.
    partition
        Subject -> partition of a split by subject.
    """

    kind: Literal["given", "subjects", "time", "videos"]
    pieces: dict[str, list[Piece]]
    partition: dict[str, str] | None = None

    @property
    def parts(self) -> dict[str, str]:
        """Return the partition of each piece by its name."""
        return {piece.video: piece.partition for ps in self.pieces.values() for piece in ps}

    @property
    def description(self) -> str:
        """Return how the videos are divided."""
        return {
            "given": "given",
            "subjects": "by subject",
            "time": "over time inside videos, 60 : 20 : 20",
            "videos": "by videos of the same people in their order, 60 : 20 : 20",
        }[self.kind]

    def cut_ratings(self, rated: pd.DataFrame) -> pd.DataFrame:
        """Return the ratings of the pieces of each video, in the time of the piece."""
        if self.kind != "time":
            return rated
        tables = [rated.iloc[:0]]
        for video, rows in rated.groupby("video", sort=False):
            for piece in self.pieces.get(str(video), ()):
                start_s, end_s = piece.span_s or (0.0, float("inf"))
                inside = rows[rows["time_s"].between(start_s, end_s)]
                times_s = (inside["time_s"] - start_s).round(6)
                tables.append(inside.assign(video=piece.video, time_s=times_s))
        return pd.concat(tables, ignore_index=True)


def given(rows: Iterable[Row]) -> Split:
    """Return the split that the manifest gives."""
    return Split("given", {row.video: [Piece(row.video, row.partition)] for row in rows})


def drawn(rows: list[Row], seed: int, where: str) -> Split | None:
    """Split the people who are rated, or return None if they are fewer than three.

    People of whom no video is rated are in test: they are predicted and not scored.
    """
    people = {row.subject for row in rows if row.rated}
    if len(people) < PEOPLE:
        return None
    partition = dict.fromkeys((row.subject for row in rows), "test")
    partition |= holdout(people, seed, where)
    pieces = {row.video: [Piece(row.video, partition[row.subject])] for row in rows}
    return Split("subjects", pieces, partition)


def over_time(rows: list[Row], ends_s: Mapping[str, float], where: str) -> Split:
    """Split videos of one or two people.

    Parameters
    ----------
    rows
        Rows of the manifest, in its order.
    ends_s
        Length of each readable video in seconds.
    where
        Name of the manifest in messages.

    Raises
    ------
    CorpusError
        If no rated video is long enough to be cut and fewer than three are rated.
    """
    rated = [row for row in rows if row.rated]
    pieces = {row.video: [Piece(row.video, "test")] for row in rows if not row.rated}
    long = [row for row in rated if ends_s.get(row.video, 0.0) >= SHORTEST_S]
    if long:
        for row in rated:
            uncut = [Piece(row.video, "train")]
            pieces[row.video] = cut(row.video, ends_s[row.video]) if row in long else uncut
        return Split("time", pieces)
    if len(rated) < PEOPLE:
        most = max((ends_s.get(row.video, 0.0) for row in rated), default=0.0)
        people = len({row.subject for row in rated})
        raise CorpusError(
            f"{where}: {people} rated subject{'s' if people > 1 else ''} in {len(rated)} "
            f"video{'s' if len(rated) > 1 else ''} of at most {most:.1f} s, which is too little to "
            f"train and to test. Add people (3 or more are split by subject), one rated video of "
            f"{SHORTEST_S:g} s or more, or 3 rated videos."
        )
    tested = max(1, round(len(rated) * (ENDS[2] - ENDS[1])))
    last = ["test"] * tested
    parts = ["train"] * (len(rated) - 2 * tested) + ["validation"] * tested + last
    pieces |= {r.video: [Piece(r.video, of)] for r, of in zip(rated, parts, strict=True)}
    return Split("videos", pieces)


def cut(video: str, end_s: float) -> list[Piece]:
    """Cut a video into train, validation and test, in this order, with gaps between them.

    >>> [piece.span_s for piece in cut("a", 100.0)]
    [(0.0, 60.0), (62.0, 80.0), (82.0, 100.0)]
    """
    gap_s = min(max(GAP * end_s, LEAST_GAP_S), MOST_GAP_S)
    pieces, start_s = [], 0.0
    for partition, share in zip(PARTITIONS, ENDS, strict=True):
        stop_s = round(share * end_s, 3)
        pieces.append(Piece(f"{video}__{partition}", partition, (round(start_s, 3), stop_s)))
        start_s = stop_s + gap_s
    return pieces
