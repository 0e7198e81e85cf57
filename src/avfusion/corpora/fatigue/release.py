"""FatigueRelease, rated 0 to 10 over minutes of video: a private corpus, read from a manifest.

Praveen et al.: 18 people with degenerative diseases, 27 videos. It was never given out; a lab
that holds it, or another corpus of held ratings, writes `manifest.csv` with a row a segment:

    video,subject,start_s,end_s,level
    s03_v1.mp4,s03,0.0,612.4,3
"""

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import pandas as pd

from avfusion.corpora.base import Corpus
from avfusion.corpora.formats.spans import Span, beyond, held
from avfusion.corpora.formats.table import Sheet, path_fault, read_sheet, video_id
from avfusion.corpora.splits import holdout, leave_one_out, split_digest
from avfusion.errors import ConfigError, CorpusError

COLUMNS = ("video", "subject", "start_s", "end_s", "level")


HINT = "docs/own-corpus.md says what a manifest holds."


ACCESS = """\
The fatigue corpus was never released: 18 people with degenerative diseases, 27 videos, their level
of fatigue from 0 to 10 for segments of 10 to 15 minutes. Who holds it writes manifest.csv beside
the videos, one row a segment:

    video,subject,start_s,end_s,level
    s03_v1.mp4,s03,0.0,612.4,3

`video` is a path below corpora.fatigue.root. What no row covers is unrated, and so is an empty
level."""


class FatigueRelease(Corpus):
    """The files of one release, read into tables."""

    name = "fatigue"
    targets: ClassVar[tuple[str, ...]] = ("fatigue",)
    value_range: ClassVar[tuple[float, float]] = (0.0, 10.0)
    licence = "Private; whoever holds it says who may use it."
    obtain = "`avf obtain fatigue` says what the folder must hold."
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
            raise ConfigError(f"fatigue: split is {split!r}; it is `holdout` or `loso`.")
        if not rating_hz > 0:
            raise ConfigError(f"fatigue: rating_hz is {rating_hz}; it is above 0.")
        self.split, self.fold, self.seed, self.rating_hz = split, fold, seed, float(rating_hz)
        self.expected = {"videos": videos, "subjects": subjects}

    @cached_property
    def sheet(self) -> Sheet:
        """The manifest."""
        return read_sheet(self.root / "manifest.csv", "manifest.csv", COLUMNS, HINT)

    @cached_property
    def segments(self) -> dict[str, list[Span]]:
        """Video's path -> its rated segments, in the manifest's order; faults go to the sheet."""
        found: dict[str, list[Span]] = {}
        for where, row in self.sheet.rows:
            if wrong := path_fault(row["video"]):
                self.sheet.faults.append(f"{where}: {wrong}")
                continue
            numbers = [self.sheet.number(where, row, column) for column in COLUMNS[2:]]
            own = found.setdefault(row["video"], [])
            if None in numbers:
                continue
            span = Span(*numbers)
            if not 0 <= span.start_s < span.end_s:
                wrong = f"{row['start_s']} … {row['end_s']} s is no stretch of a video"
                self.sheet.faults.append(f"{where}: {wrong}")
            elif wrong := beyond(span):
                self.sheet.faults.append(f"{where}: {wrong}")
            else:
                own.append(span)
        return found

    @cached_property
    def subject(self) -> dict[str, str]:
        """Video's path -> who is in it, by its first row."""
        named = [(row["video"], row["subject"]) for _, row in self.sheet.rows]
        return {path: who for path, who in reversed(named) if path in self.segments}

    @cached_property
    def partition(self) -> dict[str, str]:
        """Subject -> partition."""
        where = str(self.root / "manifest.csv")
        if not self.subject and self.sheet.faults:
            raise CorpusError(f"{where}: no row can be read; {self.sheet.faults[0]}. {HINT}")
        if self.split == "loso":
            return leave_one_out(self.subject.values(), self.fold, self.seed, where)
        return holdout(self.subject.values(), self.seed, where)

    def videos(self) -> pd.DataFrame:
        """A row a video."""
        parts = self.partition  # refuses too few subjects, none among them
        rows = [
            {
                "video": video_id(path),
                "path": path,
                "partition": parts[who],
                "subject": who,
                "voice": who,
                "transcript": None,
            }
            for path, who in sorted(self.subject.items())
        ]
        return pd.DataFrame(rows)

    def gold(self) -> pd.DataFrame:
        """The level that holds at the middle of every 1 / rating_hz s."""
        parts = [
            held({"fatigue": spans}, self.rating_hz).assign(video=video_id(path))
            for path, spans in self.segments.items()
            if spans
        ]
        blank = pd.DataFrame({"video": [], "time_s": [], "fatigue": []})
        return pd.concat(parts, ignore_index=True) if parts else blank

    def card(self) -> dict[str, Any]:
        """The common card with the split and its hash."""
        how = f"loso, fold {self.fold}" if self.split == "loso" else "80 : 20 by subject"
        parts = dict(self.videos()[["video", "partition"]].itertuples(index=False))
        stated = {"split": f"{how}, seed {self.seed}", "split_sha256": split_digest(parts)}
        return {**super().card(), **stated}
