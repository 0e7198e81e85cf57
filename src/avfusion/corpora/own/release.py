"""A researcher's own clips: a manifest with a row a video, or an audformat database.

docs/own-corpus.md goes through it in five minutes.
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

HINT = "docs/own-corpus.md says what a manifest holds."


SPELT = {"dev": "validation", "devel": "validation", "val": "validation", "valid": "validation"}


ACCESS = """\
These are your own files. Write manifest.csv beside the videos, one row a video:

    video,subject,partition,ratings
    clips/anna_1.mp4,anna,train,ratings/anna_1.csv

and in each ratings file a line an instant: time_s,valence,arousal. docs/own-corpus.md goes on."""


class OwnRelease(Corpus):
    """The files of one release, read into tables."""

    name = "own"
    licence = "The owner's; options.licence says which."
    obtain = "`avf obtain own` says what the folder must hold."
    access = ACCESS

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
        self.targets, self.value_range = tuple(targets), tuple(map(float, value_range))
        if not self.targets or len(set(self.targets)) < len(self.targets):
            raise ConfigError(f"own: targets are {list(targets)}; name each that is rated once.")
        if len(self.value_range) != 2 or not self.value_range[0] < self.value_range[1]:
            raise ConfigError(f"own: value_range is {list(value_range)}; give [lowest, highest].")
        strange = sorted(set(delay_s or {}) - set(self.targets))
        if strange:
            raise ConfigError(f"own: delay_s names {strange[0]!r}, which is none of the targets.")
        if not rating_hz > 0:
            raise ConfigError(f"own: rating_hz is {rating_hz}; it is above 0.")
        self.delay_s, self.rating_hz, self.seed = dict(delay_s or {}), float(rating_hz), seed
        self.manifest, self.audformat = manifest, audformat
        self.licence = licence or type(self).licence

    @cached_property
    def database(self) -> Database | None:
        """The audformat database, if the corpus is one."""
        if self.audformat:
            return read_database(self.root / self.audformat, self.targets, self.rating_hz)
        is_one = (self.root / "db.yaml").is_file() and not (self.root / self.manifest).is_file()
        return read_database(self.root, self.targets, self.rating_hz) if is_one else None

    @cached_property
    def sheet(self) -> Sheet:
        """The manifest: a row a video; those that are none are faults, not rows."""
        if self.database is not None:
            return self.database.sheet
        path = self.root / self.manifest
        sheet = read_sheet(path, self.manifest, ("video", "subject"), HINT)
        kept, targets = [], {f"ratings_{target}" for target in self.targets}
        if not {"ratings", *targets} & set(sheet.columns):
            sheet.faults.append(f"{self.manifest}:1: no column 'ratings'. {HINT}")
        for where, row in sheet.rows:
            part = row.get("partition", "train").lower()
            row["partition"] = SPELT.get(part, part)
            wrong = path_fault(row["video"])
            wrong = wrong or name_fault(self.id(row))
            if not wrong and row["partition"] not in PARTITIONS:
                wrong = f"partition is {part!r}; it is one of {', '.join(PARTITIONS)}"
            wrong = wrong or self._fault(row)
            if wrong:
                sheet.faults.append(f"{where}: {wrong}")
            else:
                kept.append((where, row))
        sheet.rows = kept
        return sheet

    def _fault(self, row: dict[str, str]) -> str:
        """What is wrong with a row's subject or files beside its video; empty where nothing is."""
        if not row["subject"]:
            return "no subject; give who is seen a name, so that nobody is in two partitions"
        apart = [row.get(f"ratings_{target}", "") for target in self.targets]
        if row.get("ratings") and any(apart):
            return "ratings stand under `ratings` and under `ratings_<target>`; keep one of them"
        beside = [row.get(name) for name in ("ratings", "sound", "transcript")]
        wrong = [path_fault(path) for path in (*beside, *apart) if path]
        return next(filter(None, wrong), "")

    @cached_property
    def partition(self) -> dict[str, str] | None:
        """Subject -> partition of a split that was drawn; None where the manifest gives one."""
        if "partition" in self.sheet.columns:
            return None
        return holdout((row["subject"] for _, row in self.sheet.rows), self.seed, self.sheet.name)

    def videos(self) -> pd.DataFrame:
        """A row a video; a column that the manifest lacks is null, `voice` is the subject."""
        columns = ["video", "path", "partition", "subject", "voice", "transcript", "sound"]
        rows = []
        for _, row in self.sheet.rows:
            who = row["subject"]
            sound = row.get("sound") or None
            rows.append(
                {
                    "video": self.id(row),
                    "path": row["video"],
                    "partition": self.partition[who] if self.partition else row["partition"],
                    "subject": who,
                    "voice": row.get("voice") or who,
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
        """The name of a row's video."""
        return row.get("id") or video_id(row["video"])

    @cached_property
    def ratings(self) -> dict[str, list[Ratings]]:
        """Video -> what each of its rating files holds; none where the cells are empty."""
        found: dict[str, list[Ratings]] = {}
        for _, row in self.sheet.rows:
            cells = {(row.get("ratings", ""), self.targets)}
            cells |= {(row.get(f"ratings_{target}", ""), (target,)) for target in self.targets}
            found[self.id(row)] = [
                read_ratings(self.root / path, path, targets, self.rating_hz)
                for path, targets in sorted(cells)
                if path
            ]
        return found

    def gold(self) -> pd.DataFrame:
        """Of every rated video, in the order of its file."""
        if self.database is not None:
            return self.database.gold
        blank = pd.DataFrame({name: [] for name in ("video", "time_s", *self.targets)})
        tables = [
            joined(whole, self.targets).assign(video=video)
            for video, parts in self.ratings.items()
            if (whole := [part for part in parts if len(part.time_s)])
        ]
        return pd.concat(tables, ignore_index=True)[list(blank)] if tables else blank

    def card(self) -> dict[str, Any]:
        """The common card with the split and its hash."""
        parts = dict(self.videos()[["video", "partition"]].itertuples(index=False))
        how = f"80 : 20 by subject, seed {self.seed}" if self.partition else "given"
        return {**super().card(), "split": how, "split_sha256": split_digest(parts)}
