"""Read your own recordings: a manifest with one row per video, or an audformat database.

docs/tutorials/own-clips.md is a tutorial of five minutes.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.corpora.base import Corpus
from avfusion.corpora.formats.audformat import Database, read_database
from avfusion.corpora.formats.ratings import Ratings
from avfusion.corpora.formats.table import Sheet, name_fault, path_fault, read_sheet, video_id
from avfusion.corpora.own.ratings import joined, read_ratings
from avfusion.corpora.splits import holdout, split_digest
from avfusion.errors import ConfigError
from avfusion.schemas import PARTITIONS

HINT = "docs/tutorials/own-clips.md describes the manifest."
ALIASES = {"dev": "validation", "devel": "validation", "val": "validation", "valid": "validation"}
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
    licence = "That of the owner; set it in options.licence."
    obtain = "`avf obtain own` describes the files of the folder."
    access = ACCESS
    licensed = False

    def __init__(
        self,
        *,
        root: Path,
        manifest: str = "manifest.csv",
        audformat: str = "",
        targets: tuple[str, ...] | list[str] = ("valence", "arousal"),
        value_range: tuple[float, float] | list[float] = (-1.0, 1.0),
        delay_s: dict[str, float] | None = None,
        rating_hz: float = 25.0,
        seed: int = 0,
        licence: str = "",
    ) -> None:
        super().__init__(root=root)
        self.targets, limits = tuple(targets), tuple(map(float, value_range))
        if not self.targets or len(set(self.targets)) < len(self.targets):
            raise ConfigError(f"own: targets are {list(targets)}; name each rated dimension once.")
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
        if self.database is not None:
            return self.database.sheet
        path = self.root / self.manifest
        sheet = read_sheet(path, self.manifest, ("video", "subject"), HINT)
        kept, targets = [], {f"ratings_{target}" for target in self.targets}
        if not {"ratings", *targets} & set(sheet.columns):
            sheet.faults.append(f"{self.manifest}:1: no column 'ratings'. {HINT}")
        for where, row in sheet.rows:
            part = row.get("partition", "train").lower()
            row["partition"] = ALIASES.get(part, part)
            fault = path_fault(row["video"])
            fault = fault or name_fault(self.id(row))
            if not fault and row["partition"] not in PARTITIONS:
                fault = f"partition is {part!r}; expected one of {', '.join(PARTITIONS)}"
            fault = fault or self._fault(row)
            if fault:
                sheet.faults.append(f"{where}: {fault}")
            else:
                kept.append((where, row))
        sheet.rows = kept
        return sheet

    def _fault(self, row: dict[str, str]) -> str:
        """Return a fault of the row's subject or of its files other than the video, else ''."""
        if not row["subject"]:
            return "no subject; name the person, so that no person is in two partitions"
        per_target = [row.get(f"ratings_{target}", "") for target in self.targets]
        if row.get("ratings") and any(per_target):
            return "ratings in both `ratings` and `ratings_<target>`; keep one of them"
        others = [row.get(name) for name in ("ratings", "sound", "transcript")]
        faults = [path_fault(path) for path in (*others, *per_target) if path]
        return next(filter(None, faults), "")

    @cached_property
    def partition(self) -> dict[str, str] | None:
        """Subject -> partition of the drawn split; None if the manifest has partitions."""
        if "partition" in self.sheet.columns:
            return None
        return holdout((row["subject"] for _, row in self.sheet.rows), self.seed, self.sheet.name)

    def videos(self) -> pd.DataFrame:
        """Return one row per video; missing columns are null, `voice` defaults to the subject."""
        columns = ["video", "path", "partition", "subject", "voice", "transcript", "sound"]
        rows = []
        for _, row in self.sheet.rows:
            subject = row["subject"]
            sound = row.get("sound") or None
            rows.append(
                {
                    "video": self.id(row),
                    "path": row["video"],
                    "partition": self.partition[subject] if self.partition else row["partition"],
                    "subject": subject,
                    "voice": row.get("voice") or subject,
                    "transcript": row.get("transcript") or None,
                    "sound": sound,
                    "sound_sha256": (self.tree.find(sound or "") or (0, None))[1],
                }
            )
        table = pd.DataFrame(rows, columns=[*columns, "sound_sha256"])
        if table["sound"].notna().any():
            return table
        return table.drop(columns=["sound", "sound_sha256"])

    @staticmethod
    def id(row: dict[str, str]) -> str:
        """Return the name of a row's video."""
        return row.get("id") or video_id(row["video"])

    @cached_property
    def ratings(self) -> dict[str, list[Ratings]]:
        """Video -> the contents of its rating files; empty if it has none."""
        ratings: dict[str, list[Ratings]] = {}
        for _, row in self.sheet.rows:
            cells = {(row.get("ratings", ""), self.targets)}
            cells |= {(row.get(f"ratings_{target}", ""), (target,)) for target in self.targets}
            ratings[self.id(row)] = [
                read_ratings(self.root / path, path, targets, self.rating_hz)
                for path, targets in sorted(cells)
                if path
            ]
        return ratings

    def gold(self) -> pd.DataFrame:
        """Return the ratings of every rated video, in the order of its file."""
        if self.database is not None:
            return self.database.gold
        blank = pd.DataFrame({name: [] for name in ("video", "time_s", *self.targets)})
        tables = [
            joined(rated, self.targets).assign(video=video)
            for video, parts in self.ratings.items()
            if (rated := [part for part in parts if len(part.time_s)])
        ]
        return pd.concat(tables, ignore_index=True)[list(blank)] if tables else blank

    def card(self) -> dict[str, Any]:
        """Return the common card with the split and its hash."""
        parts = dict(self.videos()[["video", "partition"]].itertuples(index=False))
        split = f"80 : 20 by subject, seed {self.seed}" if self.partition else "given"
        return {**super().card(), "split": split, "split_sha256": split_digest(parts)}
