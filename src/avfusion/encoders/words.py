"""An embedding of words, fitted to the corpus' own ratings, then frozen.

A clip's row is the mean of the embeddings of the words that overlap (end - context_s, end], a
phrase rather than the one or two words of a clip; `context_s: 0` means the clip alone. It is NaN
where no word overlaps the clip itself. The table has a row a word of the train partition, the
`most_words` most heard ones; every other word shares one row, which learns from train words that
are hidden at random. Words are kept by their hash, never in letters. A word that goes on after
the clip's end counts as known when it begins.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from avfusion.encoders.fitting import FittedEncoder, Recipe
from avfusion.layout import Layout
from avfusion.media.clips import clip_ends
from avfusion.media.transcript import Transcript, word_hash
from avfusion.registry import encoders
from avfusion.training import device

MOST = 32
"""Words of one example at most; the latest are kept."""


NO_WORD, HIDDEN = 0, -1
"""In place of a hash: nothing said, and a word that is not to be known."""


@encoders.add("words")
class Words(FittedEncoder):
    """`dim` numbers a clip: the mean of its words' embeddings."""

    modality = "text"

    def __init__(
        self,
        *,
        dim: int = 32,
        context_s: float = 2.56,
        most_words: int = 5000,
        hidden_share: float = 0.1,
        fit_hz: float = 3.125,
        epochs: int = 14,
        batch: int = 64,
        lr: float = 1e-2,
        most: int = 40_000,
        seed: int = 0,
    ) -> None:
        self.dim, self.context_s, self.fit_hz = dim, context_s, fit_hz
        self.most_words, self.hidden_share = most_words, hidden_share
        self.recipe = Recipe(epochs, batch, lr, 1e-2, patience=epochs, most=most, seed=seed)

    def new_net(self, own: dict[str, Any]) -> nn.Module:
        """A network with fresh weights."""
        return _Net(self.dim, self.most_words, self.outputs)

    def instants(self, record: Transcript, own: dict[str, Any]) -> np.ndarray:
        """Ends of the clips to fit on, `fit_hz` a second, where a word is said in the clip."""
        ends_s = clip_ends(record.duration_s, 1 / self.fit_hz)
        return ends_s[record.spoken(ends_s, own["windows"]["clip_s"]).any(1)]

    def inputs(self, record: Transcript, times_s: np.ndarray) -> Tensor:
        """Hashes int64 (N, MOST) of the words up to these times; NO_WORD fills up."""
        named = np.array([word_hash(word) for word in record.words], np.int64)
        out = np.full((len(times_s), MOST), NO_WORD, np.int64)
        for row, said in enumerate(record.spoken(times_s, self.length_s)):
            latest = named[said][-MOST:]
            out[row, : len(latest)] = latest
        return torch.from_numpy(out)

    def fit(self, corpus: str, own: dict[str, Any], layout: Layout) -> None:
        """Fit on train, keep the best epoch by validation; writes best.safetensors, …"""
        self.length_s = max(self.context_s, own["windows"]["clip_s"])
        super().fit(corpus, own, layout)

    def load(self, path: Path, own: dict[str, Any]) -> None:
        """Read fitted weights; refuses those of other settings."""
        self.length_s = max(self.context_s, own["windows"]["clip_s"])
        super().load(path, own)

    def prepare(self, net: nn.Module, train: Tensor) -> None:
        """Keep the words most heard in train, by hash."""
        words, counts = train[train != NO_WORD].unique(return_counts=True)
        kept = words[counts.argsort(descending=True, stable=True)[: self.most_words]]
        net.known[: len(kept)] = kept.sort().values

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Some words hidden, so that the unknown word's row learns."""
        hide = torch.rand(inputs.shape, generator=generator) < self.hidden_share
        return inputs.masked_fill(hide & (inputs != NO_WORD), HIDDEN)

    def encode(self, record: Transcript, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Mean embedding up to each clip's end: float32 (N, D), NaN where no word is said."""
        out = np.full((len(ends_s), self.dim), np.nan, np.float32)
        said = record.spoken(ends_s, clip_s).any(1)
        if said.any():
            with torch.inference_mode():
                hashes = device.moved(self.inputs(record, ends_s[said]), device.of(self.net))
                out[said] = self.net(hashes)[0].cpu().numpy()
        return out


class _Net(nn.Module):
    def __init__(self, dim: int, most_words: int, outputs: int) -> None:
        super().__init__()
        never = torch.full((most_words,), torch.iinfo(torch.int64).max)
        self.register_buffer("known", never)  # ascending
        self.unknown = most_words
        self.embed = nn.Embedding(most_words + 1, dim)
        nn.init.normal_(self.embed.weight, std=0.1)
        self.dropout = nn.Dropout(0.3)
        self.rate = nn.Linear(dim, outputs)

    def forward(self, hashes: Tensor) -> tuple[Tensor, Tensor]:
        """Hashes (B, M) to mean embeddings (B, D) and targets (B, K)."""
        place = torch.searchsorted(self.known, hashes).clamp(max=len(self.known) - 1)
        rows = place.where(self.known[place] == hashes, self.unknown)
        said = (hashes != NO_WORD)[..., None]  # (B, M, 1)
        total = (self.embed(rows) * said).sum(1)
        embedding = total / said.sum(1).clamp(min=1)
        return embedding, self.rate(self.dropout(embedding))
