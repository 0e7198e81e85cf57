"""What a folder of your own recordings holds: a manifest or an audformat database, and lengths."""

import math
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from avfusion.corpora.base import Corpus
from avfusion.corpora.clocks import clocks
from avfusion.corpora.formats.audformat import Database, read_database
from avfusion.corpora.formats.table import Sheet, path_fault
from avfusion.corpora.own.features import FeatureRow
from avfusion.corpora.own.manifest import read_manifest, row_id, spelt
from avfusion.corpora.own.rules import RatingRules
from avfusion.errors import ConfigError
from avfusion.rating import DIMENSIONS

if TYPE_CHECKING:
    from avfusion.media.timing import Timing

ACCESS = """\
Nothing is to download: these are your own files. Put the videos below one folder, such as
data/my_clips, and name it in a study: `corpora: {my_clips: {is: own, root: data/my_clips}}`.
Write manifest.csv into that folder, one row per video:

    video,subject,partition,ratings
    clips/anna_1.mp4,anna,train,ratings/anna_1.csv

Each ratings file has one line per instant: time_s (in seconds), valence, arousal.
See docs/tutorials/own-clips.md."""


NAMED = re.compile(r"[^\W\d_][\w .-]{0,63}\Z")
"""Names of targets and classes: they become columns, metrics of MLflow and parts of file names."""


class OwnFolder(Corpus):
    """The options, and what the folder holds; `Own` describes the options."""

    name = "own"
    models = "owner"
    sharing = "You decide whether models may be handed on; the people in them must have agreed."
    licence = "That of the owner; set it in options.licence."
    obtain = "`avf obtain own` describes the files of the folder."
    access = ACCESS
    licensed = False
    partly_rated = True

    def __init__(
        self,
        *,
        root: Path,
        manifest: str = "manifest.csv",
        audformat: str = "",
        targets: tuple[str, ...] | list[str] | None = None,
        classes: tuple[str, ...] | list[str] = (),
        value_range: tuple[float, float] | list[float] = (-1.0, 1.0),
        delay_s: dict[str, float] | None = None,
        rating_hz: float = 25.0,
        ratings: Literal["", "held", "interpolated"] | dict[str, Any] = "",
        seed: int = 0,
        licence: str = "",
    ) -> None:
        super().__init__(root=root)
        self.classes, limits = tuple(map(str, classes)), tuple(map(float, value_range))
        rated = () if self.classes else DIMENSIONS
        self.targets = tuple(rated if targets is None else targets)
        if not (self.targets or self.classes) or len(set(self.targets)) < len(self.targets):
            listed = list(self.targets)
            raise ConfigError(f"own: targets are {listed}; name each rated dimension once.")
        if strange := [name for name in (*self.targets, *self.classes) if not NAMED.match(name)]:
            raise ConfigError(
                f"own: {strange[0]!r} cannot be the name of a target or class. Use letters, "
                f"digits, spaces, _ - and . only, at most 64, and begin with a letter."
            )
        if len(limits) != 2 or not -math.inf < limits[0] < limits[1] < math.inf:
            raise ConfigError(f"own: value_range is {list(value_range)}; give [lowest, highest].")
        if fault := path_fault(manifest):
            raise ConfigError(f"own: manifest: {fault}.")
        self.value_range = limits
        others = sorted(set(delay_s or {}) - set(self.targets))
        if others:
            raise ConfigError(f"own: delay_s names {others[0]!r}, which is not one of the targets.")
        if not 0 < rating_hz <= 1000:
            raise ConfigError(f"own: rating_hz is {rating_hz}; it must be above 0, at most 1000.")
        self.delay_s, self.rating_hz, self.seed = dict(delay_s or {}), float(rating_hz), seed
        self.rules = RatingRules.of(ratings)
        self.manifest, self.audformat = manifest, audformat
        self.licence = licence or type(self).licence

    @cached_property
    def database(self) -> Database | None:
        """The audformat database; None if the corpus has a manifest."""
        if self.audformat:
            return read_database(self.root / self.audformat, self.targets, self.rating_hz)
        if (self.root / "db.yaml").is_file() and not (self.root / self.manifest).is_file():
            return read_database(self.root, self.targets, self.rating_hz)
        return None

    @cached_property
    def sheet(self) -> Sheet:
        """The manifest, one row per video; rows that cannot be used are faults."""
        if self.database is None:
            labels, features = self.classes, self.features
            return read_manifest(self.root, self.manifest, self.targets, labels, features)
        sheet = self.database.sheet
        rows = [(where, *spelt(self.root, row)) for where, row in sheet.rows]
        sheet.faults += [f"{where}: {fault}" for where, _, fault in rows if fault]
        sheet.refused += [row["video"] for _, row, fault in rows if fault]
        sheet.rows = [(where, row) for where, row, fault in rows if not fault]
        return sheet

    @property
    def sound_only(self) -> frozenset[str]:
        """Names of the recordings without pictures: rows with `sound` and no `video`."""
        rows = (row for _, row in self.sheet.rows)
        return frozenset(row_id(row) for row in rows if row["video"] == row.get("sound"))

    @cached_property
    def feature_rows(self) -> dict[str, FeatureRow]:
        """Files of features of each row, by its name."""
        rows = {row_id(row): row for _, row in self.sheet.rows}
        return {v: FeatureRow.of(self.root, v, row, self.features) for v, row in rows.items()}

    @cached_property
    def bare(self) -> dict[str, float]:
        """Name -> length in seconds, of the rows without a recording; 0 if it is not known."""
        return {video: row.length_s for video, row in self.feature_rows.items() if row.bare}

    @property
    def refused(self) -> list[str]:
        """Paths of videos whose row in the manifest has a fault."""
        return self.sheet.refused

    def length_s(self, video: str) -> float:
        """Return the length of a recording in seconds; 0 if it cannot be read."""
        if video in self.bare:
            return self.bare[video]
        clock = self.timed.get(video)
        if clock is None or (clock.reason and video not in self.sound_only):
            return 0.0
        return clock.end_s

    @cached_property
    def timed(self) -> "dict[str, Timing]":
        """Times of the frames of each listed video that exists, by the name of its row."""
        recorded = (row for _, row in self.sheet.rows if row["video"])
        return clocks(self, {row_id(row): row["video"] for row in recorded})
