"""Features that another tool computed: the file of a video, and its rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from avfusion.media.feature_forms import PLACES, Form
from avfusion.media.feature_parts import read_part
from avfusion.media.feature_rows import Rows, read_rows, refuse_length
from avfusion.schemas import PARTITIONS


@dataclass(frozen=True)
class Source:
    """What an encoder of features reads of one video.

    Attributes
    ----------
    root
        Folder of the corpus.
    video
        Name of the video.
    path
        Its file below the root; that of its features if there is no video.
    named
        Column of the manifest -> file of features below the root.
    start_s
        Where the video starts in its file, in seconds.
    duration_s
        Its length in seconds; infinite if it is not known yet.
    recording_s
        Length in seconds of the recording that it is a span of, NaN if that is not known; None if
        it is the complete recording.
    recording
        Name of the recording that it is a piece of; "" if that is its own name.
    """

    root: Path
    video: str
    path: str
    named: Mapping[str, str] = field(default_factory=dict)
    start_s: float = 0.0
    duration_s: float = np.inf
    recording_s: float | None = None
    recording: str = ""

    @classmethod
    def of(
        cls,
        root: Path,
        row: Any,
        duration_s: float = np.inf,
        recordings_s: Mapping[str, float] = MappingProxyType({}),
    ) -> "Source":
        """Return the source of a row of a manifest; `recordings_s` is that of the manifest."""
        start_s = getattr(row, "start_s", None)
        start_s = 0.0 if start_s is None or np.isnan(start_s) else float(start_s)
        return cls(
            *(root, row.video, row.path, named_files(row), start_s, duration_s),
            recordings_s.get(row.video),
            _recording(row.video, getattr(row, "partition", "")),
        )

    def file(self, form: Form, entry: str, modality: str) -> tuple[str, bool]:
        """Return the path of an encoder's file below the root, and whether it is of this video.

        The manifest's column of the encoder counts first, then the option `path`, then the column
        `<modality>_features`. The path is "" if none names a file. Times of a file that is not of
        this video but of its recording count from the start of the recording.
        """
        if entry in self.named:
            return self.named[entry], False
        if form.path:
            stem = PurePosixPath(self.path or self.video).with_suffix("")
            places = zip(PLACES, (self.video, stem.name, stem.as_posix()), strict=True)
            path = form.path
            for place, text in places:
                path = path.replace(place, text)
            return path, PLACES[0] in form.path
        return self.named.get(f"{modality}_features", ""), False

    def rows(self, form: Form, entry: str, modality: str) -> Rows | None:
        """Return the rows of an encoder, in seconds of the video; None if no file has any.

        A table of all recordings counts from the start of the recording, except where it names the
        video itself.

        Raises
        ------
        CorpusError
            If the file cannot be read, its times do not ascend or are of another length than the
            recording, or its rows are spread over a recording of unknown length.
        """
        path, of_video = self.file(form, entry, modality)
        where = self.root / path
        if not path or not where.is_file():
            return None
        part = read_part(where, form, self.video, self.recording or self.video, self.path)
        if part is None:
            return None
        of_video = of_video or part.of_video
        shift_s = 0.0 if of_video else self.start_s
        end_s = self.duration_s + shift_s
        spread_s = end_s if of_video or self.recording_s is None else self.recording_s
        rows = read_rows(where, form, part, end_s, spread_s)
        refuse_length(where, form, rows, spread_s)
        return rows._replace(starts_s=rows.starts_s - shift_s, stops_s=rows.stops_s - shift_s)


def recordings_s(manifest: pd.DataFrame) -> dict[str, float]:
    """Return video -> length in seconds of the recording that it is a span of; NaN if not known.

    The pieces of a split over time reach the end of their recording. A row without a recording
    lasts as long as its features.
    """
    if not {"start_s", "end_s"} <= set(manifest.columns):
        return {}
    spans = manifest.dropna(subset=["start_s", "end_s"])
    pairs = zip(spans["video"], spans["partition"], strict=True)
    names = pd.Series([_recording(*pair) for pair in pairs], spans.index, str)
    lengths_s: dict[str, float] = {}
    for _, pieces in spans.groupby([spans["path"], names]):
        known = {*PARTITIONS} <= {*pieces["partition"]}
        known |= all(map(without_media, pieces.itertuples(index=False)))
        length_s = float(pieces["end_s"].max()) if known else np.nan
        lengths_s |= dict.fromkeys(pieces["video"], length_s)
    return lengths_s


def _recording(video: str, partition: str) -> str:
    """Return the name of the recording that a split over time cut into pieces."""
    return video.removesuffix(f"__{partition}")


def named_files(row: Any) -> dict[str, str]:
    """Return column -> file of features of a row of a manifest."""
    text = getattr(row, "features", None)
    return json.loads(text) if isinstance(text, str) and text else {}


def without_media(row: Any) -> bool:
    """Return whether a row of a manifest has features and no recording."""
    return row.path in named_files(row).values()


def matching(root: Path, path: str) -> list[Path]:
    """Return the files below the root that a pattern with placeholders can mean, sorted."""
    pattern = escape(path)
    for place in PLACES:
        pattern = pattern.replace(place, "**/*" if place == "{path}" else "*")
    return sorted(root.glob(pattern))
