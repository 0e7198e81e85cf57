"""The base of the self-attention and cross-attention transformers.

Source   Rajan, Brutti, Cavallaro: "Is Cross-Attention Preferable to Self-Attention for Multi-Modal
         Emotion Recognition?", ICASSP 2022, arXiv:2202.09263.

    X_m = BiGRU_m(x_m)                                  (T, D)    m in modalities, D/2 a direction;
                                                                  dropout (0.25) on x_t, the text
    Y_n = the attended X_m, n = 1 … N                   (T, D)    multihead.py
    Y   = [std_n Y_n ; mean_n Y_n]                      (T, 2D)   with `pool`, feature by feature
    Y   = [Y_1 ; … Y_N], those of video first           (T, ND)   without, and where N is 1

         std divides by n - 1: of two vectors it is |Y_a - Y_v| / sqrt(2).
Masks    The BiGRU continues over an absent clip, a row of zeros, whose X_m is zero again.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from avfusion.config.modalities import ordered
from avfusion.errors import ConfigError
from avfusion.fusion.base import Attended, Attention, Fused, Pair, by_modality
from avfusion.fusion.layers.lazy_maps import Maps
from avfusion.fusion.layers.multihead import MultiHead, check_heads


class SelfCross(Attention):
    """Shared base: one encoder per modality, the attentions and the join.

    Attributes
    ----------
    joins_pooled
        For one label per video, Y_n is averaged over time before the join, as published.
    attends
        Attention -> (modality of the queries, modality of the keys).
    name
        Name of the fusion in messages.
    least
        Least number of modalities.
    """

    joins_pooled = True
    name: str
    least = 1

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        text_dim: int = 0,
        *,
        steps: int,
        modalities: Any = ("audio", "video"),
        width: int = 120,
        heads: int = 6,
        dropout: float = 0.1,
        text_dropout: float = 0.25,
        memory: bool = True,
        pool: bool = True,
    ) -> None:
        super().__init__()
        name = self.name
        check_heads(name, width, heads)
        if memory and width % 2:
            raise ConfigError(f"{name}: width is {width}; set an even one, or `memory: false`.")
        names = self.modalities = ordered(name, modalities, least=self.least)
        inputs = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        for m in names:
            encode = _Memory(inputs[m], width) if memory else nn.Linear(inputs[m], width)
            self.add_module(f"encode_{m}", encode)
        self.attends = self.attentions(names)
        for key in self.attends:
            self.add_module(key, MultiHead(width, heads, dropout))
        self.drop_text = nn.Dropout(text_dropout)
        self.pool = pool and len(self.attends) > 1
        self.widths = width, width
        self.out_dim = width * (2 if self.pool else len(self.attends))

    def attentions(self, names: tuple[str, ...]) -> dict[str, tuple[str, str]]:
        """Return attention -> (modality of the queries, modality of the keys)."""
        raise NotImplementedError

    def attend_all(
        self, inputs: Mapping[str, Tensor], present: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
        """inputs x_m (B, T, D_m), present (B, T) -> X_m and Y_n, (B, T, D) each, and maps."""
        if "text" in self.modalities:
            inputs = {**inputs, "text": self.drop_text(inputs["text"])}
        x = {
            m: self.get_submodule(f"encode_{m}")(inputs[m]) * present[m][..., None]
            for m in self.modalities
        }
        y, maps = {}, {}
        for key, (m, of) in self.attends.items():
            y[key], maps[key] = self.get_submodule(key)(x[m], x[of], present[of])
        return x, y, maps

    def attend(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Attended:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> X_m and Y_m, (B, T, D) each."""
        x, y, maps = self.attend_all(*by_modality(audio, video, audio_present, video_present))
        return Attended(Pair(**x), Pair(**y), Maps(maps))

    def join(self, pair: Pair) -> Tensor:
        """As `joined`, for audio and video."""
        return self.joined(pair._asdict())

    def joined(self, y: Mapping[str, Tensor]) -> Tensor:
        """Y_n, each (..., D), by attention -> their [std ; mean], or their concatenation."""
        if not self.pool:
            order = sorted(
                y, key=lambda key: ("video", "audio", "text").index(self.attends[key][0])
            )
            return torch.cat([y[key] for key in order], dim=-1)
        if len(y) == 2:
            one, two = y.values()
            return torch.cat([(one - two).abs() / 2**0.5, (one + two) / 2], dim=-1)
        every = torch.stack(list(y.values()))  # (N, ..., D)
        return torch.cat([every.std(0), every.mean(0)], dim=-1)

    def forward(
        self,
        audio: Tensor,
        video: Tensor,
        audio_present: Tensor,
        video_present: Tensor,
        text: Tensor | None = None,
        text_present: Tensor | None = None,
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), text (B, T, Dt), present (B, T) -> (B, T, out)."""
        inputs, masks = by_modality(audio, video, audio_present, video_present, text, text_present)
        _, y, maps = self.attend_all(inputs, masks)
        return Fused(self.joined(y), maps)


class _Memory(nn.Module):
    """x (B, T, inputs) -> concatenated directions of a GRU (B, T, width)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.gru = nn.GRU(inputs, width // 2, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.gru(x)[0]
