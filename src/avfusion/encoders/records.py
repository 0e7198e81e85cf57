"""Records that encoders read: media, rows of arrays, files of features, or transcripts for text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.config.jobs import EncoderSettings
from avfusion.errors import AvfError
from avfusion.layout import Layout
from avfusion.media.array_rows import FEATURES
from avfusion.media.arrays import Utterance
from avfusion.media.feature_files import Source, recordings_s
from avfusion.media.store import MediaRecord
from avfusion.media.transcript import Transcript

Record = MediaRecord | Utterance | Source | Transcript
NO_TRANSCRIPT = "no transcript in the manifest; every row is NaN"


class Records:
    """The videos of a corpus as the encoders of one modality read them.

    Parameters
    ----------
    corpus
        Name of the corpus entry.
    modality
        "audio", "video" or "text".
    settings
        Settings of the encoder; `root`, the corpus folder, is required except for media.
    layout
        Paths of the study.
    reads
        "media", "arrays" or "features".
    opened
        Opens the record of a folder.

    Raises
    ------
    AvfError
        If `settings.root` is required and missing.
    """

    def __init__(
        self,
        corpus: str,
        modality: str,
        settings: EncoderSettings,
        layout: Layout,
        reads: str = "media",
        opened: Callable[[Path], MediaRecord] = MediaRecord.open,
    ) -> None:
        self.media, self.reads, self._opened = layout.media(corpus), reads, opened
        self.text = modality == "text" and reads == "media"
        if (self.text or reads != "media") and settings.root is None:
            raise AvfError(f"{settings.encoder}: its settings lack `root`, the corpus folder.")
        self.root = settings.root or Path()
        self.transcripts: dict[str, str] = {}
        self.listed: dict[str, Any] = {}
        self.recordings_s: dict[str, float] = {}
        if reads == "features":
            manifest = pd.read_parquet(layout.manifest(corpus))
            self.listed = {row.video: row for row in manifest.itertuples(index=False)}
            self.recordings_s = recordings_s(manifest)
        if self.text:
            manifest = pd.read_parquet(layout.manifest(corpus))
            if "transcript" in manifest.columns:
                listed = manifest.dropna(subset=["transcript"])
                self.transcripts = dict(zip(listed["video"], listed["transcript"], strict=True))

    def open(self, video: str) -> Record:
        """Open the video's media record, its row of arrays, or its transcript.

        A video without a transcript gets one without words.
        """
        record = self._opened(self.media / video)
        if self.reads == "features":
            row = self.listed[video]
            return Source.of(self.root, row, record.duration_s, self.recordings_s)
        if self.reads == "arrays":
            return self._row(video, record.meta)
        if not self.text and record.meta.get("reader") == FEATURES:
            raise AvfError(
                f"{video} has files of features and no recording. Choose `precomputed` in "
                f"`features`."
            )
        if not self.text:
            return record
        path = self.transcripts.get(video)
        if path is None:
            return Transcript.none(record.duration_s)
        return Transcript.read(self.root / path, record.duration_s, video)

    def _row(self, video: str, meta: dict[str, Any]) -> Utterance:
        if "row" not in meta:
            raise AvfError(
                f"{video} is a recording, not a row of arrays. Choose an encoder of recordings in "
                f"`features`."
            )
        return Utterance(self.root, meta["path"], meta["row"], meta["duration_s"], meta)


def identity(record: Record) -> Any:
    """Return what a record's features depend on, as a JSON-ready value."""
    if isinstance(record, Transcript):
        return [record.sha256, record.duration_s]
    assert not isinstance(record, Source), "its encoder has `identity`"
    return record.meta.get("key", record.meta)


def remark(record: Record) -> str | None:
    """Return a note for the feature index about a video without a transcript."""
    bare = isinstance(record, Transcript) and record.sha256 is None
    return NO_TRANSCRIPT if bare else None
