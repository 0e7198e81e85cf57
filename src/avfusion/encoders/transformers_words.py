"""Words for models of transformers, as many at a time as fit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avfusion.encoders.outputs import finite
from avfusion.encoders.transformers_inputs import Hidden, unreadable
from avfusion.media.transcript import Transcript


class WordReader:
    """The mean of the rows of a clip's words; a word's row is the mean of its pieces."""

    def __init__(
        self, hidden: Hidden, context_s: float = 0.0, *, folder: Path, config: Any, entry: str
    ) -> None:
        import transformers

        try:
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError) as error:
            raise unreadable(folder, "vocabulary", entry, error) from None
        self.hidden, self.context_s = hidden, context_s
        # RoBERTa counts places from pad_token_id + 1.
        offset = config.pad_token_id + 1 if "roberta" in config.model_type else 0
        self.most = int(config.max_position_embeddings) - offset - 2

    def note(self) -> dict[str, Any]:
        """Return how words are read."""
        return {"context_s": self.context_s, "pieces": self.most}

    def remark(self, record: Transcript) -> str | None:
        """Return nothing."""
        return None

    def encode(self, record: Transcript, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Return the mean of each clip's words."""
        out = np.full((len(ends_s), self.hidden.width), np.nan, np.float32)
        if not record.words:
            return out
        rows = np.concatenate(list(self._rows(record.words)))  # (M, D)
        for at in np.flatnonzero(record.spoken(ends_s, clip_s).any(1)):
            near = record.spoken(ends_s[at : at + 1], max(self.context_s, clip_s))[0]
            out[at] = rows[near].mean(0)
        return out

    def _rows(self, words: tuple[str, ...]) -> Iterator[np.ndarray]:
        """Yield the rows (m, D) of the words that go through the network together."""
        pieces = [self._pieces(word) for word in words]
        begin = 0
        while begin < len(words):
            end, length = begin, 0
            while end < len(words) and length + len(pieces[end]) <= self.most:
                length, end = length + len(pieces[end]), end + 1
            yield self._together(pieces[begin:end])
            begin = end

    def _pieces(self, word: str) -> list[int]:
        """Return the numbers of a word's pieces; the space before it matters to RoBERTa."""
        pieces = self.tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
        return list(pieces)[: self.most] or [self.tokenizer.unk_token_id]

    def _together(self, pieces: list[list[int]]) -> np.ndarray:
        """Return the rows (m, D) of words that fit into one pass."""
        first, last = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        numbers = [first, *(number for word in pieces for number in word), last]
        states = self.hidden(input_ids=torch.tensor([numbers]))[0, 1:-1].cpu()
        finite(states.numpy())
        parts = states.split([len(word) for word in pieces])
        return torch.stack([part.mean(0) for part in parts]).numpy()
