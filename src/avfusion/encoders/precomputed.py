"""Features that another tool computed, resampled to the clips of a study.

A clip's row is the mean of the rows that overlap it, weighted by the length of the overlap; rows
that the tool could not compute do not count. A clip is NaN if it has no row, or a column without a
number. The files are described by `avfusion.media.feature_forms`, and their times by
`avfusion.media.feature_rows`.
"""

import functools
import json
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from avfusion.config.contexts import Span
from avfusion.config.jobs import EncoderSettings
from avfusion.errors import AvfError, CorpusError
from avfusion.io.atomic import file_digest, write_text
from avfusion.io.stamped import content_hash
from avfusion.layout import Layout
from avfusion.media.clips import last_spans, pool_spans
from avfusion.media.feature_files import Source
from avfusion.media.feature_forms import Form
from avfusion.media.feature_rows import Rows
from avfusion.registry import encoders


@encoders.add("precomputed")
class Precomputed:
    """Features from files: .npy, .npz, .csv, .tsv, .parquet or .h5, of OpenFace, openSMILE, ….

    D is the number of columns of the first file of the corpus; every file must have them. See
    docs/tutorials/own-features.md.

    Parameters
    ----------
    path : str
        Pattern of the files below the root of the corpus, with `{video}`, `{stem}` or `{path}`;
        by default the manifest names the files.
    preset : str
        The tool that wrote the files; it sets the options that are not given.
    columns : list of str, optional
        Features to keep, as names or patterns such as `AU*_r`; by default all, or the preset's.
    time : str
        Column with the time of each row, or its start.
    stop : str
        Column with the end of each row.
    unit : str
        Unit of the numbers in these two columns: `seconds` or `milliseconds`.
    hop_s : float, optional
        Seconds from one row to the next, if no column has times; the length of a single row.
    begin_s : float
        Time of the first row in seconds; it is added to the column `time`.
    failed : str
        Column that is 0 where the tool failed.
    confidence : str
        Column with a confidence.
    least_confidence : float
        Rows with a lower confidence count as failed.
    video : str
        Column that names the video or its recording, in one table of all videos.
    key : str
        Array in an .npz file, or dataset in an .h5 file, if there are several.
    pool : str
        `mean` of the rows of a clip, or its `last` row.
    context_s : float, optional
        Seconds of the recording before and after the end of a clip that its row depends on, for
        missing input; by default the clip only.
    """

    modalities = ("audio", "video", "text")
    fitted = False
    named = True
    reads = "features"
    context_before: ClassVar[Span] = {"context_s": 1}
    context_after: ClassVar[Span] = {"context_s": 1}

    def __init__(
        self,
        entry: str = "precomputed",
        modality: str = "audio",
        *,
        path: str = "",
        preset: Literal["", "openface", "pyfeat", "opensmile", "mertools", "audformat"] = "",
        columns: list[str] | None = None,
        time: str = "",
        stop: str = "",
        unit: Literal["seconds", "milliseconds"] = "seconds",
        hop_s: float | None = None,
        begin_s: float = 0.0,
        failed: str = "",
        confidence: str = "",
        least_confidence: float = 0.0,
        video: str = "",
        key: str = "",
        pool: Literal["mean", "last"] = "mean",
        context_s: float | None = None,
    ) -> None:
        if context_s is not None and not context_s >= 0:
            raise AvfError(f"encoders.{entry}.context_s is {context_s}; it must be 0 or more.")
        if hop_s is not None and not hop_s > 0:
            raise AvfError(f"encoders.{entry}.hop_s is {hop_s}; it must be above 0.")
        self.entry, self.modality, self.pool, self.weights = entry, modality, pool, None
        self.form = Form.given(
            {
                "path": path,
                "preset": preset,
                "columns": columns,
                "time": time,
                "stop": stop,
                "unit": unit,
                "hop_s": hop_s,
                "begin_s": begin_s,
                "failed": failed,
                "confidence": confidence,
                "least_confidence": least_confidence,
                "video": video,
                "key": key,
            }
        )
        self.names: tuple[str, ...] = ()
        self._last: tuple[Source, Rows | None] | None = None

    @property
    def dim(self) -> int:
        """D, the number of columns; 0 until a file was read."""
        return len(self.names)

    def note(self, corpus: str, settings: EncoderSettings, layout: Layout) -> dict[str, Any]:
        """Take the columns of the first file of the corpus, and return their hash.

        Raises
        ------
        AvfError
            If no video of the corpus has a file.
        """
        assert settings.root is not None
        manifest = pd.read_parquet(layout.manifest(corpus))
        sources = [Source.of(settings.root, row) for row in manifest.itertuples(index=False)]
        for source in sources:
            rows = source.rows(self.form, self.entry, self.modality)
            if rows is not None and len(rows.values):
                self.names = rows.names
                break
        else:
            path = self._file(sources[0]) if sources else ""
            raise AvfError(
                f"{corpus}: none of {len(sources)} videos has a file for {self.entry!r}"
                f"{f', such as {path}' if path else ''}. Set encoders.{self.entry}.path to a "
                f"pattern such as features/{self.entry}/{{video}}.csv below the root of the "
                f"corpus, or add a column {self.entry!r} to its manifest."
            )
        columns = {"columns": list(self.names), "sha256": content_hash(list(self.names))}
        text = json.dumps({"settings": settings.lasting, "features": columns}, indent=1)
        write_text(layout.encoder(corpus, settings.encoder) / "settings.json", text + "\n")
        return {"columns": columns["sha256"]}

    def identity(self, record: Source) -> list[Any]:
        """Return what the features of a video depend on: its file, names, span and length."""
        path, of_video = record.file(self.form, self.entry, self.modality)
        file = record.root / path
        sha256 = _digest(file) if path and file.is_file() else None
        shared = [record.video, record.path] if self.form.video or self.form.shared else []
        spread = [record.recording_s] if self.form.even and not of_video else []
        start_s = 0.0 if of_video else record.start_s
        return [sha256, start_s, record.duration_s, *shared, *spread]

    def remark(self, record: Source) -> str | None:
        """Return which file is missing, or how many rows the tool could not compute."""
        rows = self._rows(record)
        if rows is None:
            path = self._file(record)
            lost = "no row of it in" if (record.root / path).is_file() else "no file"
            return f"{lost} {path}".strip() + "; every row is NaN"
        if not len(rows.values):
            return f"no row in {self._file(record)}; every row is NaN"
        failed, partly = np.isnan(rows.values).all(1), np.isnan(rows.values).any(1)
        texts = []
        if failed.any():
            texts.append(f"{failed.sum()} of {len(failed)} rows of the file failed")
        if (partly & ~failed).any():
            name = rows.names[int(np.isnan(rows.values[~failed]).sum(0).argmax())]
            count = int((partly & ~failed).sum())
            texts.append(f"{count} of {len(failed)} rows lack a number, most often of {name}")
        return "; ".join(texts) or None

    def encode(self, record: Source, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Return the features of the clips: float32 (N, D), NaN where the file has nothing.

        Raises
        ------
        AvfError
            If the file lacks a column of the corpus' first file, does not overlap the video, or
            holds values beyond half precision.
        """
        rows = self._rows(record)
        if rows is None:
            return np.full((len(ends_s), self.dim), np.nan, np.float32)
        self.names = self.names or rows.names
        path = self._file(record)
        values = self._columns(rows, path)
        spans_s = rows.starts_s, rows.stops_s
        if len(values) and (spans_s[0][0] >= record.duration_s or spans_s[1][-1] <= 0):
            raise CorpusError(
                f"{path}: its features are from {spans_s[0][0]:g} to {spans_s[1][-1]:g} s, and the "
                f"video lasts from 0 to {record.duration_s:g} s, so they do not overlap. Correct "
                f"`time`, `hop_s` or `begin_s` of encoders.{self.entry}."
            )
        pool = pool_spans if self.pool == "mean" else last_spans
        out = pool(*spans_s, values, ends_s, clip_s)
        out[np.isnan(out).any(1)] = np.nan
        return out

    def _columns(self, rows: Rows, path: str) -> np.ndarray:
        """Return the values in the order of the corpus' columns, (M, D)."""
        lost = [name for name in self.names if name not in rows.names]
        if lost:
            raise CorpusError(
                f"{path}: {len(rows.names)} columns, and the first file of the corpus has "
                f"{self.dim}; missing here: {', '.join(lost[:5])}. Extract the file again, or set "
                f"encoders.{self.entry}.columns to those that every file has."
            )
        values = rows.values
        if rows.names != self.names:
            values = values[:, [rows.names.index(name) for name in self.names]]
        lowest, highest = (f.reduce(values, axis=0, initial=0.0) for f in (np.fmin, np.fmax))
        beyond = np.maximum(-lowest, highest) > np.finfo(np.float16).max
        if beyond.any():
            named = ", ".join(np.array(self.names)[beyond][:5])
            raise CorpusError(
                f"{path}: {int(beyond.sum())} of {self.dim} columns have values beyond half "
                f"precision (65,504): {named}. Leave them out by encoders.{self.entry}.columns, or "
                f"store their logarithm."
            )
        return values

    def _rows(self, record: Source) -> Rows | None:
        """Return the rows of a video; those of the last one are kept for its remark."""
        if self._last is None or self._last[0] is not record:
            self._last = record, record.rows(self.form, self.entry, self.modality)
        return self._last[1]

    def _file(self, record: Source) -> str:
        return record.file(self.form, self.entry, self.modality)[0]


def _digest(file: Path) -> str:
    """Return the SHA-256 of a file; it is read again only if its time or size changes."""
    state = file.stat()
    return _hashed(file, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=64)
def _hashed(file: Path, *stamp: int) -> str:
    return file_digest(file).hex()
