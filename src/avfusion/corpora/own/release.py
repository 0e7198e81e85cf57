"""Read your own recordings: a manifest with one row per video, or an audformat database.

docs/tutorials/own-clips.md is a tutorial of five minutes.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from avfusion.corpora.formats.ratings import Ratings
from avfusion.corpora.own.folder import OwnFolder
from avfusion.corpora.own.manifest import row_id
from avfusion.corpora.own.ratings import hold, joined, read_ratings
from avfusion.corpora.own.split import PEOPLE, Row, Split, drawn, given, over_time
from avfusion.corpora.splits import split_digest
from avfusion.errors import CorpusError
from avfusion.io.redact import below
from avfusion.schemas import LABELS

if TYPE_CHECKING:
    from avfusion.media.timing import Timing

NO_RATINGS = (
    "Training needs ratings of some train and validation videos. Add rating files to some rows; "
    "videos without ratings are then predicted and drawn. avfusion ships no trained model that "
    "could predict them without."
)


class OwnRelease(OwnFolder):
    """The split, and the tables that follow from the manifest or database and the rating files."""

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
