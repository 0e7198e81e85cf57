"""Words for models of transformers, as many at a time as fit.

The features of a clip are the mean of the rows of its words, and a word's row depends on all words
that go through the model with it. Encoding reads the complete transcript. An example of a fit is
the words of the features only: those that overlap the last `context_s` of the clip. If a transcript
has no other words, the row of the example is the features of the clip.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avfusion.encoders.outputs import finite
from avfusion.encoders.transformers_hidden import States
from avfusion.encoders.transformers_load import unreadable
from avfusion.media.clips import clip_ends
from avfusion.media.transcript import Transcript

PADDING = -1


class WordReader:
    """The mean of the rows of a clip's words; a word's row is the mean of its pieces."""

    def __init__(self, context_s: float = 0.0, *, folder: Path, config: Any, entry: str) -> None:
        import transformers

        try:
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError) as error:
            raise unreadable(folder, "vocabulary", entry, error) from None
        self.context_s, self.padding = context_s, config.pad_token_id
        # RoBERTa counts places from pad_token_id + 1.
        offset = config.pad_token_id + 1 if "roberta" in config.model_type else 0
        self.most = int(config.max_position_embeddings) - offset - 2

    def note(self) -> dict[str, Any]:
        """Return how words are read."""
        return {"context_s": self.context_s, "pieces": self.most}

    def remark(self, record: Transcript) -> str | None:
        """Return nothing."""
        return None

    def encode(
        self, record: Transcript, ends_s: np.ndarray, clip_s: float, states: States, dim: int
    ) -> np.ndarray:
        """Return the mean of each clip's words."""
        out = np.full((len(ends_s), dim), np.nan, np.float32)
        if not record.words:
            return out
        rows = np.concatenate(list(self._rows(record.words, states)))  # (M, D)
        for at in np.flatnonzero(record.spoken(ends_s, clip_s).any(1)):
            near = record.spoken(ends_s[at : at + 1], max(self.context_s, clip_s))[0]
            out[at] = rows[near].mean(0)
        return out

    def instants(self, record: Transcript, clip_s: float, fit_hz: float) -> np.ndarray:
        """Return the ends of clips with a word, `fit_hz` per second."""
        ends_s = clip_ends(record.duration_s, 1 / fit_hz)
        return ends_s[record.spoken(ends_s, clip_s).any(1)]

    def inputs(self, record: Transcript, times_s: np.ndarray, clip_s: float) -> Tensor:
        """Return the words of clips: int64 (N, 2, L).

        Numbers of pieces, and for each piece of a word the number of the word's pieces, which is 0
        at the beginning and the end. What is left is padding. If the words have too many pieces,
        the latest words are kept.
        """
        pieces = [self._pieces(word) for word in record.words]
        out = torch.full((len(times_s), 2, self.most + 2), PADDING)
        for row, spoken in zip(
            out, record.spoken(times_s, max(self.context_s, clip_s)), strict=True
        ):
            words = [pieces[at] for at in np.flatnonzero(spoken)]
            while sum(map(len, words)) > self.most:
                words = words[1:]
            numbers = self._framed(words)
            row[0, : len(numbers)] = torch.tensor(numbers)
            sizes = [0, *chain.from_iterable([len(word)] * len(word) for word in words), 0]
            row[1, : len(sizes)] = torch.tensor(sizes)
        return out

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Return the examples; words are not changed."""
        return inputs

    def rows(self, inputs: Tensor, states: States) -> Tensor:
        """Return the mean of the words (B, D); padding is masked."""
        numbers, sizes = inputs.unbind(1)
        present = numbers != PADDING  # (B, L)
        longest = int(present.sum(1).max())
        numbers, sizes, present = (x[:, :longest] for x in (numbers, sizes, present))
        numbers = numbers.where(present, self.padding)
        tokens = states(input_ids=numbers, attention_mask=present.long())  # (B, L, D)
        weights = (sizes > 0) / sizes.clamp(min=1)  # the sum is the number of words
        return (tokens * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)

    def smallest(self) -> Tensor:
        """Return one example of one unknown word."""
        return torch.tensor([[self._framed([[self.tokenizer.unk_token_id]]), [0, 1, 0]]])

    def _rows(self, words: tuple[str, ...], states: States) -> Iterator[np.ndarray]:
        """Yield the rows (m, D) of the words that go through the network together."""
        pieces = [self._pieces(word) for word in words]
        begin = 0
        while begin < len(words):
            end, length = begin, 0
            while end < len(words) and length + len(pieces[end]) <= self.most:
                length, end = length + len(pieces[end]), end + 1
            yield self._together(pieces[begin:end], states)
            begin = end

    def _pieces(self, word: str) -> list[int]:
        """Return the numbers of a word's pieces; the space before it matters to RoBERTa."""
        pieces = self.tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
        return list(pieces)[: self.most] or [self.tokenizer.unk_token_id]

    def _framed(self, pieces: list[list[int]]) -> list[int]:
        """Return the numbers of all pieces, with those of the beginning and the end."""
        first, last = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        return [first, *chain.from_iterable(pieces), last]

    def _together(self, pieces: list[list[int]], states: States) -> np.ndarray:
        """Return the rows (m, D) of words that fit into one pass."""
        rows = states(input_ids=torch.tensor([self._framed(pieces)]))[0, 1:-1].cpu()
        finite(rows.numpy())
        parts = rows.split([len(word) for word in pieces])
        return torch.stack([part.mean(0) for part in parts]).numpy()
