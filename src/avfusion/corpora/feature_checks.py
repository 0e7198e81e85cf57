"""Checks of files of features: present, readable, of one width, and on the time of the ratings."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from avfusion.corpora.base import Corpus
from avfusion.corpora.check import Check, check
from avfusion.corpora.wording import listed, stated
from avfusion.errors import CorpusError
from avfusion.io.redact import below
from avfusion.media.feature_files import Source, recordings_s
from avfusion.media.feature_forms import Form
from avfusion.media.feature_rows import TOO_LONG, Rows
from avfusion.schemas import SLACK_S

LEAST = 0.5
"""Least share of a video's ratings that have features without a warning."""

MOST_FAILED = 0.5
"""Greatest share of failed rows of a file without a warning."""


def feature_checks(corpus: Corpus, gold: pd.DataFrame, manifest: pd.DataFrame) -> Iterator[Check]:
    """Yield the checks of every encoder of the study that reads files of features."""
    for entry, options in corpus.features.items():
        yield from _Files(corpus, manifest, entry, options).checks(gold)


class _Files:
    """The files of one encoder."""

    def __init__(
        self, corpus: Corpus, manifest: pd.DataFrame, entry: str, options: dict[str, Any]
    ) -> None:
        self.entry, self.faults, self.lost = entry, list[str](), list[str]()
        self.spans: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.widths: dict[str, tuple[str, ...]] = {}
        self.valid: dict[str, np.ndarray] = {}  # which rows hold a number
        self.failed = self.count = 0
        form, modality = Form.given(options), options["modality"]
        lengths_s = recordings_s(manifest)
        for row in manifest.itertuples(index=False):
            source = Source.of(corpus.root, row, _duration_s(row), lengths_s)
            try:
                rows = source.rows(form, entry, modality)
            except CorpusError as error:
                self.faults.append(below(corpus.root, str(error)))
                continue
            if rows is None:
                self.lost.append(source.file(form, entry, modality)[0] or row.video)
            else:
                self._add(row.video, rows)

    def _add(self, video: str, rows: Rows) -> None:
        if not len(rows.values):
            self.lost.append(f"{video} (no row)")
            return
        self.widths[video] = rows.names
        self.spans[video] = rows.starts_s, rows.stops_s
        self.valid[video] = ~np.isnan(rows.values).all(1)
        self.failed += int((~self.valid[video]).sum())
        self.count += len(rows.values)

    def checks(self, gold: pd.DataFrame) -> Iterator[Check]:
        """Yield the checks; `gold` holds the ratings of all videos."""
        known = len(self.widths) + len(self.faults)
        yield check(
            f"features of {self.entry}", not self.lost, "a file for every video",
            f"none for {len(self.lost)}: {listed(self.lost)}" if self.lost else f"{known} files",
            f"Rows without a file are NaN. Add the files, or correct encoders.{self.entry}.path.",
            verdict="WARN" if known else "FAIL",
        )  # fmt: skip
        yield check(
            f"rows of {self.entry}", not self.faults, "every file can be read, times ascend",
            stated(self.faults, known), f"Correct the files, or the options of {self.entry}.",
        )  # fmt: skip
        yield self._width()
        if self.count:
            share = f"{self.failed:,} of {self.count:,} ({self.failed / self.count:.1%})"
            most = [
                f"{video} ({1 - rows.mean():.0%})"
                for video, rows in self.valid.items()
                if rows.mean() < 1 - MOST_FAILED
            ]
            yield check(
                f"failed rows of {self.entry}", not most, f"at most {MOST_FAILED:.0%} of a file",
                f"{share}; in {len(most)} files more: {listed(most)}" if most else share,
                "They stay NaN. Extract the features again.",
                verdict="WARN",
            )  # fmt: skip
        yield from self._overlap(gold)

    def _width(self) -> Check:
        """Check that every file has the columns of the first one."""
        first = next(iter(self.widths.values()), ())
        odd = [
            f"{video}: {len(names)} columns, lacks {listed(sorted(set(first) - set(names)))}"
            for video, names in self.widths.items()
            if not set(first) <= set(names)
        ]
        return check(
            f"columns of {self.entry}", not odd, "those of the first file in every file",
            stated(odd, 0) if odd else f"{len(first)} columns",
            f"Extract the files again, or set encoders.{self.entry}.columns to what all have.",
        )  # fmt: skip

    def _overlap(self, gold: pd.DataFrame) -> Iterator[Check]:
        """Yield whether features and ratings are of the same time."""
        targets = [name for name in gold.columns if name not in ("video", "time_s")]
        rated = gold.dropna(subset=targets, how="all") if targets else gold.iloc[:0]
        apart, poor = [], []
        for video, rows in rated.groupby("video"):
            if video not in self.spans or not len(self.spans[video][0]):
                continue
            starts_s, stops_s = self.spans[video]
            times_s = rows["time_s"].to_numpy(float)
            at = np.searchsorted(starts_s, times_s, side="right") - 1
            inside = (at >= 0) & (times_s < stops_s[at] - SLACK_S)
            share = float((inside & self.valid[video][at]).mean())
            text = (
                f"{video}: ratings from {times_s.min():g} to {times_s.max():g} s, features from "
                f"{starts_s[0]:g} to {stops_s[-1]:g} s"
            )
            beyond = len(starts_s) > 1 and starts_s[-1] > TOO_LONG * max(times_s.max(), 1.0)
            if beyond or stops_s[-1] <= times_s.min() or starts_s[0] > times_s.max():
                apart.append(text)
            elif share < LEAST:
                poor.append(f"{text}, {share:.0%} of the ratings have features")
        if len(rated):
            yield check(
                f"time of {self.entry}", not apart, "features where there are ratings",
                stated(apart, len(self.spans)),
                f"Correct `time`, `unit`, `hop_s` or `begin_s` of encoders.{self.entry}.",
            )  # fmt: skip
            yield check(
                f"coverage of {self.entry}", not poor, f"features for {LEAST:.0%} of the ratings",
                stated(poor, len(self.spans)), "Is `hop_s` right, and is the file complete?",
                verdict="WARN",
            )  # fmt: skip


def _duration_s(row: Any) -> float:
    """Return the length of a span of a recording, or infinity if the row states none."""
    start_s, end_s = getattr(row, "start_s", None), getattr(row, "end_s", None)
    if start_s is None or end_s is None or np.isnan(start_s) or np.isnan(end_s):
        return np.inf
    return float(end_s) - float(start_s)
