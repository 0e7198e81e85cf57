"""What an encoder is given of a video: its media, its row of arrays, or for text its transcript."""

from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.errors import AvfError
from avfusion.layout import Layout
from avfusion.media.arrays import Utterance
from avfusion.media.store import MediaRecord
from avfusion.media.transcript import Transcript

NO_TRANSCRIPT = "no transcript in the manifest; every row is NaN"


class Records:
    """The videos of a corpus as one modality's encoders read them.

    own: `Study.encoder_settings`; for text and arrays it says by `root` where the corpus lies.
    """

    def __init__(
        self, corpus: str, modality: str, own: dict[str, Any], layout: Layout, arrays: bool = False
    ) -> None:
        self.media, self.arrays = layout.media(corpus), arrays
        self.text = modality == "text" and not arrays
        self.root = Path(own.get("root", ""))
        self.transcripts: dict[str, str] = {}
        if (self.text or arrays) and "root" not in own:
            raise AvfError(f"{own['encoder']}: its settings lack `root`, the corpus folder.")
        if self.text:
            manifest = pd.read_parquet(layout.manifest(corpus))
            if "transcript" in manifest.columns:
                listed = manifest.dropna(subset=["transcript"])
                self.transcripts = dict(zip(listed["video"], listed["transcript"], strict=True))

    def open(self, video: str) -> Any:
        """The video's media record, its row of arrays, or its transcript (without words where it
        has none)."""
        record = MediaRecord.open(self.media / video)
        if self.arrays:
            return self._row(video, record.meta)
        if not self.text:
            return record
        path = self.transcripts.get(video)
        if path is None:
            return Transcript.none(record.duration_s)
        return Transcript.read(self.root / path, record.duration_s, video)

    def _row(self, video: str, meta: dict[str, Any]) -> Utterance:
        if "row" not in meta:
            raise AvfError(f"{video} is a recording, no row of arrays; encode it by another name.")
        return Utterance(self.root, meta["path"], meta["row"], meta["duration_s"], meta)


def identity(record: Any) -> Any:
    """What a record's features depend on, JSON-ready."""
    if isinstance(record, Transcript):
        return [record.sha256, record.duration_s]
    return record.meta.get("key", record.meta)


def remark(record: Any) -> str | None:
    """What an index says of a video whose features are there all the same."""
    bare = isinstance(record, Transcript) and record.sha256 is None
    return NO_TRANSCRIPT if bare else None
