"""Pretrained word vectors (GloVe, word2vec, fastText) from a file of the user.

Source   Pennington, Socher, Manning: "GloVe: Global Vectors for Word Representation", EMNLP 2014,
         and files of the same form; text of Rajan et al., ICASSP 2022, arXiv:2202.09263.

A clip's row is the mean of the vectors of the words that overlap (end - context_s, end], as in
words.py; NaN where no word overlaps the clip itself. A word without a vector does not count; where
none of the words has one, the row is 0. Nothing is downloaded; the user supplies the file and must
respect its licence.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from avfusion.config.jobs import EncoderSettings
from avfusion.encoders.vectors import Vectors
from avfusion.errors import AvfError
from avfusion.io.atomic import file_digest, write_text
from avfusion.layout import Layout
from avfusion.media.transcript import Transcript
from avfusion.registry import encoders


@encoders.add("word_vectors")
class WordVectors:
    """The mean of the vectors of a clip's words; D is the length of the file's vectors."""

    modality = "text"
    fitted = False
    named = True
    by_digest = ("path", "vocabulary", "sha256")

    def __init__(
        self,
        entry: str = "word_vectors",
        *,
        path: str = "",
        vocabulary: str = "",
        sha256: str = "",
        context_s: float = 2.56,
    ) -> None:
        self.vectors = Vectors(Path(path), Path(vocabulary) if vocabulary else None, entry)
        if sha256 and sha256.lower() != self.vectors.sha256:
            raise AvfError(
                f"{path}: its SHA-256 is {self.vectors.sha256}, not {sha256.lower()}. Download "
                f"the file again, or correct encoders.{entry}.sha256."
            )
        self.context_s, self.dim, self.weights = context_s, self.vectors.dim, self.vectors.path

    def note(self, corpus: str, settings: EncoderSettings, layout: Layout) -> dict[str, Any]:
        """Write settings.json, and return what identifies the vectors of these features."""
        vectors = {
            "file": self.weights.name,
            "sha256": self.vectors.sha256,
            "words": len(self.vectors),
            "dim": self.dim,
        }
        if self.vectors.vocabulary:
            vectors["vocabulary_sha256"] = file_digest(self.vectors.vocabulary).hex()
        text = json.dumps({"settings": settings.lasting, "vectors": vectors}, indent=1)
        write_text(layout.encoder(corpus, settings.encoder) / "settings.json", text + "\n")
        return vectors

    def remark(self, record: Transcript) -> str | None:
        """Return how many words of the video have no vector; None if all have one."""
        known = self.vectors.find(record.words)
        lost = sum(word not in known for word in record.words)
        if not lost:
            return None
        share = lost / len(record.words)
        return f"{lost} of {len(record.words)} words ({share:.1%}) have no vector"

    def encode(self, record: Transcript, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Return the mean vector before each clip's end: float32 (N, D), NaN without a word."""
        out = np.full((len(ends_s), self.dim), np.nan, np.float32)
        known = self.vectors.find(record.words)
        blank = np.zeros(self.dim, np.float32)
        rows = np.stack([known.get(word, blank) for word in record.words] or [blank])  # (M, D)
        counts = np.array([word in known for word in record.words] or [False])  # (M,)
        spoken = record.spoken(ends_s, clip_s).any(1)  # (N,)
        for at in np.flatnonzero(spoken):
            words = record.spoken(ends_s[at : at + 1], max(self.context_s, clip_s))[0] & counts
            out[at] = rows[words].mean(0) if words.any() else blank
        return out
