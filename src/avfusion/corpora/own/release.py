"""Read your own recordings: a manifest with one row per video, or an audformat database.

docs/tutorials/own-clips.md is a tutorial of five minutes.
"""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from avfusion.corpora.base import Corpus
from avfusion.corpora.clocks import clocks
from avfusion.corpora.formats.audformat import Database, read_database
from avfusion.corpora.formats.ratings import Ratings
from avfusion.corpora.formats.table import Sheet
from avfusion.corpora.own.features import FeatureRow
from avfusion.corpora.own.manifest import read_manifest, row_id, spelt
from avfusion.corpora.own.ratings import hold, joined, read_ratings
from avfusion.corpora.own.rules import RatingRules
from avfusion.corpora.own.split import PEOPLE, Row, Split, drawn, given, over_time
from avfusion.corpora.splits import split_digest
from avfusion.errors import ConfigError, CorpusError
from avfusion.io.redact import below
from avfusion.rating import DIMENSIONS
from avfusion.schemas import LABELS

if TYPE_CHECKING:
    from avfusion.media.timing import Timing

NO_RATINGS = (
    "Training needs ratings of some train and validation videos. Add rating files to some rows; "
    "videos without ratings are then predicted and drawn. avfusion ships no trained model that "
    "could predict them without."
)
ACCESS = """\
Nothing is to download: these are your own files. Put the videos below one folder, such as
data/my_clips, and name it in a study: `corpora: {my_clips: {is: own, root: data/my_clips}}`.
Write manifest.csv into that folder, one row per video:

    video,subject,partition,ratings
    clips/anna_1.mp4,anna,train,ratings/anna_1.csv

Each ratings file has one line per instant: time_s (in seconds), valence, arousal.
See docs/tutorials/own-clips.md."""


class OwnRelease(Corpus):
    """Reader of the manifest or database and of the rating files; `Own` lists the options."""

    name = "own"
    models = "owner"
    sharing = (
        "Whoever owns the recordings decides whether models may be handed on; the people in them must "
        "have agreed."
    )
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
        if len(limits) != 2 or not limits[0] < limits[1]:
            raise ConfigError(f"own: value_range is {list(value_range)}; give [lowest, highest].")
        self.value_range = limits
        strange = sorted(set(delay_s or {}) - set(self.targets))
        if strange:
            raise ConfigError(
                f"own: delay_s names {strange[0]!r}, which is not one of the targets."
            )
        if not rating_hz > 0:
            raise ConfigError(f"own: rating_hz is {rating_hz}; it must be above 0.")
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

    @cached_property
    def split(self) -> Split:
        """The split that the manifest gives, or one by subject, or over time for few people."""
        rows = self._split_rows()
        if not rows or "partition" in self.sheet.columns:
            return given(rows)
        by_subject = drawn(rows, self.seed, self.sheet.name)
        if by_subject is not None:
            return by_subject
        if self.classes and not self.targets:
            raise CorpusError(
                f"{self.sheet.name}: with fewer than 3 people who have a class, give every row a "
                f"partition."
            )
        named = [row for _, row in self.sheet.rows if row_id(row) not in self.sound_only]
        for column in ("sound", "transcript"):
            if any(row.get(column) for row in named):
                raise CorpusError(
                    f"{self.sheet.name}: with fewer than 3 people, videos are split over time, and "
                    f"files under `{column}` cannot be cut. Give every row a partition."
                )
        return over_time(rows, self._lengths_s(rows), self.sheet.name)

    def _lengths_s(self, rows: list[Row]) -> dict[str, float]:
        """Return the length of each readable video; raise CorpusError if no rated one is."""
        lengths_s = {row.video: self.length_s(row.video) for row in rows}
        rated = [row.video for row in rows if row.rated]
        if not any(lengths_s[video] for video in rated):
            paths = {row_id(row): row["video"] or row_id(row) for _, row in self.sheet.rows}
            clock = self.timed.get(rated[0])
            why = "no such file" if clock is None else below(self.root, clock.reason)
            why = "no length; add a column duration_s" if rated[0] in self.bare else why
            raise CorpusError(f"{self.sheet.name}: {paths[rated[0]]}: {why}")
        return lengths_s

    def _split_rows(self) -> list[Row]:
        """Return what the split depends on; raise CorpusError if no row has ratings."""
        rated = set(self.rated["video"]) if self.database is not None else None
        rows = []
        for _, row in self.sheet.rows:
            video = row_id(row)
            files = [cell for name, cell in row.items() if name.partition("_")[0] == "ratings"]
            has = any(files) if rated is None else video in rated
            has = has or bool(self.classes and row.get("label"))
            rows.append(Row(video, row["subject"], row.get("partition", ""), has))
        if rows and not any(row.rated for row in rows):
            what = "a label" if self.classes and not self.targets else "ratings"
            raise CorpusError(f"{self.sheet.name}: no video has {what}. {NO_RATINGS}")
        return rows

    @property
    def partition(self) -> dict[str, str] | None:
        """Subject -> partition of the split by subject; None for another split."""
        return self.split.partition

    @property
    def people_shared(self) -> bool:
        """Whether there are too few people for partitions of different people."""
        people = {row["subject"] for _, row in self.sheet.rows}
        return self.split.kind in ("time", "videos") or len(people) < PEOPLE

    def videos(self) -> pd.DataFrame:
        """Return one row per video; missing columns are null, `voice` defaults to the subject."""
        columns = ["video", "path", "partition", "subject", "voice", "transcript"]
        optional = (
            *(("sound", "sound_sha256"), ("start_s", "end_s"), ("face",)),
            ("features", "features_sha256"),
        )
        rows = []
        for _, row in self.sheet.rows:
            subject = row["subject"]
            sound = row.get("sound") or None
            features = self.feature_rows[row_id(row)]
            shared = {
                "path": row["video"] or next(iter(features.files.values()), row_id(row)),
                **features.cells(self.tree),
                "subject": subject,
                "voice": row.get("voice") or subject,
                "transcript": row.get("transcript") or None,
                "sound": sound,
                "sound_sha256": (self.tree.find(sound or "") or (0, None))[1],
                "face": row.get("face") or None,
            }
            for piece in self.split.pieces[row_id(row)]:
                uncut_s = (0.0, self.bare[row_id(row)]) if features.bare else (None, None)
                start_s, end_s = piece.span_s or uncut_s
                names = {"video": piece.video, "partition": piece.partition}
                rows.append({**names, **shared, "start_s": start_s, "end_s": end_s})
        table = pd.DataFrame(rows, columns=[*columns, *(n for names in optional for n in names)])
        unused = [name for names in optional if table[names[0]].isna().all() for name in names]
        return table.drop(columns=unused)

    def labels(self) -> pd.DataFrame:
        """Return the class of each video that has one."""
        rows = [
            (piece.video, row["label"])
            for _, row in self.sheet.rows
            for piece in self.split.pieces[row_id(row)]
            if self.classes and row.get("label")
        ]
        return pd.DataFrame(rows, columns=list(LABELS), dtype=object)

    @cached_property
    def ratings(self) -> dict[str, list[Ratings]]:
        """Name of each video -> its rating files as they are; empty lists if it has none."""
        ratings = {}
        for _, row in self.sheet.rows:
            cells = {(row.get("ratings", ""), self.targets)}
            cells |= {(row.get(f"ratings_{target}", ""), (target,)) for target in self.targets}
            video = row_id(row)
            ratings[video] = [
                read_ratings(
                    self.root / path, path, targets, self.rating_hz, self.rules, self._clock(video)
                )
                for path, targets in sorted(cells)
                if path
            ]
        return ratings

    def _clock(self, video: str) -> "Timing | None":
        """Return the times of a recording if its ratings need them and they can be read."""
        from avfusion.media.timing import without_frames

        if not self.rules.needs_clock or not self.length_s(video):
            return None
        return self.timed.get(video) or without_frames(self.bare[video])

    @cached_property
    def rated(self) -> pd.DataFrame:
        """The ratings of every rated file, in the order of its lines: video, time_s, targets."""
        if self.database is not None:
            return self.database.gold
        blank = pd.DataFrame({name: [] for name in ("video", "time_s", *self.targets)})
        tables = []
        for video, parts in self.ratings.items():
            files = [part for part in parts if len(part.time_s)]
            if not files:
                continue
            if self.rules.held:
                table = hold(files, self.targets, self.rating_hz, self._clock(video))
            else:
                table = joined(files, self.targets)
            tables.append(table.assign(video=video))
        return pd.concat(tables, ignore_index=True)[list(blank)] if tables else blank

    def gold(self) -> pd.DataFrame:
        """Return the ratings of every rated video, in the order of its file."""
        return self.split.cut_ratings(self.rated)

    def card(self) -> dict[str, Any]:
        """Return the common card with the split and its hash."""
        by_subject = f"80 : 20 by subject, seed {self.seed}"
        stated = {
            "split": by_subject if self.partition else self.split.description,
            "split_sha256": split_digest(self.split.parts),
            **({"people_shared": True} if self.people_shared else {}),
        }
        return {**super().card(), **self.rules.stated(), **stated}
