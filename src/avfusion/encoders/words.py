"""Word embedding fitted to the gold of the corpus, then frozen.

A clip's row is the mean of the embeddings of the words that overlap (end - context_s, end], which
is a phrase and not only the one or two words of a clip; `context_s: 0` means only the clip. It is
NaN where no word overlaps the clip itself. The table has one row for each of the `most_words` most
frequent words of the train partition. All other words share one row, which is trained on train
words that are hidden at random. Words are stored as hashes, never as text. A word that lasts
beyond the clip's end counts as known when it begins.
"""

import numpy as np
import torch
from torch import Tensor, nn

from avfusion.config.jobs import EncoderSettings
from avfusion.encoders.fitting import FittedEncoder
from avfusion.encoders.outputs import finite
from avfusion.encoders.recipe import Recipe
from avfusion.media.clips import clip_ends
from avfusion.media.transcript import Transcript, word_hash
from avfusion.registry import encoders
from avfusion.training import device

MOST = 32
"""Maximum number of words of one example; the latest are kept."""


NO_WORD, HIDDEN = 0, -1
"""Used instead of a hash: padding, and a hidden word."""


@encoders.add("words")
class Words(FittedEncoder):
    """`dim` numbers per clip, the mean of the embeddings of its words."""

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

    def new_net(self, settings: EncoderSettings) -> nn.Module:
        """Return a network with new weights."""
        return _Net(self.dim, self.most_words, self.outputs)

    def instants(self, record: Transcript, settings: EncoderSettings) -> np.ndarray:
        """Return the ends of the clips to fit on, `fit_hz` per second, of clips with a word."""
        self.length_s = max(self.context_s, settings.windows.clip_s)
        ends_s = clip_ends(record.duration_s, 1 / self.fit_hz)
        return ends_s[record.spoken(ends_s, settings.windows.clip_s).any(1)]

    def inputs(self, record: Transcript, times_s: np.ndarray) -> Tensor:
        """Return hashes int64 (N, MOST) of the words up to these times, padded with NO_WORD."""
        hashes = np.array([word_hash(word) for word in record.words], np.int64)
        out = np.full((len(times_s), MOST), NO_WORD, np.int64)
        for row, spoken in enumerate(record.spoken(times_s, self.length_s)):
            latest = hashes[spoken][-MOST:]
            out[row, : len(latest)] = latest
        return torch.from_numpy(out)

    def prepare(self, net: nn.Module, train: Tensor) -> None:
        """Store the hashes of the most frequent train words in the network."""
        assert isinstance(net, _Net)
        words, counts = train[train != NO_WORD].unique(return_counts=True)
        kept = words[counts.argsort(descending=True, stable=True)[: self.most_words]]
        net.known[: len(kept)] = kept.sort().values

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Hide random words, so that the row of unknown words is trained."""
        hide = torch.rand(inputs.shape, generator=generator) < self.hidden_share
        return inputs.masked_fill(hide & (inputs != NO_WORD), HIDDEN)

    def encode(self, record: Transcript, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Return the mean embedding before each clip's end: float32 (N, D), NaN without a word."""
        self.length_s = max(self.context_s, clip_s)
        out = np.full((len(ends_s), self.dim), np.nan, np.float32)
        spoken = record.spoken(ends_s, clip_s).any(1)  # (N,)
        if spoken.any():
            with torch.inference_mode():
                hashes = device.moved(self.inputs(record, ends_s[spoken]), device.of(self.net))
                out[spoken] = finite(self.net(hashes)[0].cpu().numpy())
        return out


class _Net(nn.Module):
    known: Tensor

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
        """Map hashes (B, M) to mean embeddings (B, D) and targets (B, K)."""
        place = torch.searchsorted(self.known, hashes).clamp(max=len(self.known) - 1)
        rows = place.where(self.known[place] == hashes, self.unknown)
        present = (hashes != NO_WORD)[..., None]  # (B, M, 1)
        total = (self.embed(rows) * present).sum(1)
        embedding = total / present.sum(1).clamp(min=1)
        return embedding, self.rate(self.dropout(embedding))
