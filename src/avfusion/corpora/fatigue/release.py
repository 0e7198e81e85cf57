"""Read a corpus of fatigue, rated from 0 to 10 over minutes of video, from a manifest.

Praveen et al.: 18 people with degenerative diseases, 27 videos. The corpus was never released. A
lab that holds it, or another corpus with constant ratings of segments, writes `manifest.csv` with
one row per segment:

    video,subject,start_s,end_s,level
    s03_v1.mp4,s03,0.0,612.4,3
"""

from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from avfusion.corpora.base import Corpus
from avfusion.corpora.formats.spans import Span, beyond, held
from avfusion.corpora.formats.table import Sheet, path_fault, read_sheet, video_id
from avfusion.corpora.splits import holdout, leave_one_out, split_digest
from avfusion.errors import ConfigError, CorpusError

COLUMNS = ("video", "subject", "start_s", "end_s", "level")


HINT = "docs/tutorials/own-clips.md describes the manifest."


ACCESS = """\
The fatigue corpus was never released. It has 27 videos of 18 people with degenerative diseases, and
their level of fatigue from 0 to 10 for segments of 10 to 15 minutes. If you hold it, write
manifest.csv next to the videos, with one row per segment:

    video,subject,start_s,end_s,level
    s03_v1.mp4,s03,0.0,612.4,3

`video` is a path below corpora.fatigue.root. Times without a row and rows with an empty level are
unrated."""


class FatigueRelease(Corpus):
    """The manifest as tables: videos, subjects and ratings."""

    name = "fatigue"
    targets = ("fatigue",)
    value_range = (0.0, 10.0)
    models = "owner"
    sharing = "Private: its owner decides whether models may be handed on."
    licence = "Private; its owner decides who may use it."
    obtain = "For the contents of the folder, run: avf obtain fatigue"
    access = ACCESS

    def __init__(
        self,
        *,
        root: Path,
        split: Literal["holdout", "loso"] = "holdout",
        fold: int = 1,
        seed: int = 0,
        rating_hz: float = 1.0,
        videos: int = 27,
        subjects: int = 18,
    ) -> None:
        super().__init__(root=root)
        if split not in ("holdout", "loso"):
            raise ConfigError(f"fatigue: split is {split!r}; expected `holdout` or `loso`.")
        if not rating_hz > 0:
            raise ConfigError(f"fatigue: rating_hz is {rating_hz}; expected a number above 0.")
        self.split, self.fold, self.seed, self.rating_hz = split, fold, seed, float(rating_hz)
        self.expected = {"videos": videos, "subjects": subjects}

    @cached_property
    def sheet(self) -> Sheet:
        """The manifest."""
        return read_sheet(self.root / "manifest.csv", "manifest.csv", COLUMNS, HINT)

    @cached_property
    def segments(self) -> dict[str, list[Span]]:
        """Path of each video -> its rated segments, in the order of the manifest.

        Faults are appended to those of the sheet.
        """
        segments: dict[str, list[Span]] = {}
        for where, row in self.sheet.rows:
            if wrong := path_fault(row["video"]):
                self.sheet.faults.append(f"{where}: {wrong}")
                continue
            start_s, end_s, level = (self.sheet.number(where, row, c) for c in COLUMNS[2:])
            rated = segments.setdefault(row["video"], [])
            if start_s is None or end_s is None or level is None:
                continue
            span = Span(start_s, end_s, level)
            if not 0 <= span.start_s < span.end_s:
                wrong = f"{row['start_s']} … {row['end_s']} s is not a span of time"
                self.sheet.faults.append(f"{where}: {wrong}")
            elif wrong := beyond(span):
                self.sheet.faults.append(f"{where}: {wrong}")
            else:
                rated.append(span)
        return segments

    @cached_property
    def subject(self) -> dict[str, str]:
        """Path of each video -> its subject in the first row."""
        named = [(row["video"], row["subject"]) for _, row in self.sheet.rows]
        return {path: subject for path, subject in reversed(named) if path in self.segments}

    @cached_property
    def partition(self) -> dict[str, str]:
        """Subject -> partition; raises `CorpusError` if no row can be read."""
        where = str(self.root / "manifest.csv")
        if not self.subject and self.sheet.faults:
            raise CorpusError(f"{where}: no row can be read; {self.sheet.faults[0]}. {HINT}")
        if self.split == "loso":
            return leave_one_out(self.subject.values(), self.fold, self.seed, where)
        return holdout(self.subject.values(), self.seed, where)

    def videos(self) -> pd.DataFrame:
        """Return one row per video."""
        parts = self.partition  # raises if there are too few subjects, or none
        rows = [
            {
                "video": video_id(path),
                "path": path,
                "partition": parts[subject],
                "subject": subject,
                "voice": subject,
                "transcript": None,
            }
            for path, subject in sorted(self.subject.items())
        ]
        return pd.DataFrame(rows)

    def gold(self) -> pd.DataFrame:
        """Return the level at the middle of every interval of 1 / rating_hz s."""
        parts = [
            held({"fatigue": spans}, self.rating_hz).assign(video=video_id(path))
            for path, spans in self.segments.items()
            if spans
        ]
        blank = pd.DataFrame({"video": [], "time_s": [], "fatigue": []})
        return pd.concat(parts, ignore_index=True) if parts else blank

    def card(self) -> dict[str, Any]:
        """Return the common card with the split and its hash."""
        rule = f"loso, fold {self.fold}" if self.split == "loso" else "80 : 20 by subject"
        parts = dict(self.videos()[["video", "partition"]].itertuples(index=False))
        stated = {"split": f"{rule}, seed {self.seed}", "split_sha256": split_digest(parts)}
        return {**super().card(), **stated}
