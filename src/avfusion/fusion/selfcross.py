"""What the self- and the cross-attention model of one paper share: all but who is asked.

Source   Rajan, Brutti, Cavallaro: "Is Cross-Attention Preferable to Self-Attention for Multi-Modal
         Emotion Recognition?", ICASSP 2022, arXiv:2202.09263.

    X_m = BiGRU_m(x_m)                                  (T, D)    m in modalities, D/2 a direction
    Y_n = the attended X_m, n = 1 … N                   (T, D)    self_, cross_transformer.py
    Y   = [std_n Y_n ; mean_n Y_n]                      (T, 2D)   with `pool`, feature by feature
    Y   = [Y_1 ; … Y_N], those of video first           (T, ND)   without, and where N is 1

         std has n - 1 below: of two vectors it is |Y_a - Y_v| / sqrt(2).
Masks    The BiGRU goes on over an absent clip, a row of zeros, whose X_m is zero again.
"""

from collections.abc import Mapping
from itertools import permutations
from typing import Any

import torch
from torch import Tensor, nn

from avfusion.config.modalities import ordered
from avfusion.errors import ConfigError
from avfusion.fusion.base import Attended, Attention, Fused, Pair
from avfusion.fusion.layers.multihead import MultiHead, check_heads
from avfusion.registry import fusions


class SelfCross(Attention):
    """An encoder a modality, the attentions and the join; `whom` is left to the two models.

    `joins_pooled`: for one label a video, Y_n is averaged over time before the join, as published.
    `asks`: attention -> (modality that asks, modality that is asked).
    """

    joins_pooled = True
    least = 1
    """Modalities below which there is nobody to ask."""

    def __init__(
        self,
        name: str,
        dims: tuple[int, int, int],
        modalities: Any,
        *,
        width: int,
        heads: int,
        dropout: float,
        memory: bool,
        pool: bool,
    ) -> None:
        super().__init__()
        check_heads(name, width, heads)
        if memory and width % 2:
            raise ConfigError(f"{name}: width is {width}; set an even one, or `memory: false`.")
        names = self.modalities = ordered(name, modalities, least=self.least)
        inputs = dict(zip(("audio", "video", "text"), dims, strict=True))
        for m in names:
            encode = _Memory(inputs[m], width) if memory else nn.Linear(inputs[m], width)
            self.add_module(f"encode_{m}", encode)
        self.asks = self.whom(names)
        for key in self.asks:
            self.add_module(key, MultiHead(width, heads, dropout))
        self.pool = pool and len(self.asks) > 1
        self.widths = width, width
        self.out_dim = width * (2 if self.pool else len(self.asks))

    def whom(self, names: tuple[str, ...]) -> dict[str, tuple[str, str]]:
        """The attentions over these modalities: name -> (who asks, who is asked)."""
        raise NotImplementedError

    def answers(
        self, given: Mapping[str, Tensor], there: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
        """given: x_m (B, T, D_m), there (B, T) -> X_m and Y_n, (B, T, D) each, and maps."""
        x = {
            m: self.get_submodule(f"encode_{m}")(given[m]) * there[m][..., None]
            for m in self.modalities
        }
        found = {
            key: self.get_submodule(key)(x[m], x[of], there[of])
            for key, (m, of) in self.asks.items()
        }
        return x, {k: y for k, (y, _) in found.items()}, {k: seen for k, (_, seen) in found.items()}

    def attend(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Attended:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> X_m and Y_m, (B, T, D) each.

        For what wraps an attention over audio and video.
        """
        given = {"audio": audio, "video": video}
        x, y, maps = self.answers(given, {"audio": audio_present, "video": video_present})
        return Attended(Pair(**x), Pair(**y), maps)

    def join(self, pair: Pair) -> Tensor:
        """As `joined`, of audio and video."""
        return self.joined(pair._asdict())

    def joined(self, y: Mapping[str, Tensor]) -> Tensor:
        """Y_n, each (..., D), by attention -> [std ; mean] over them, or side by side."""
        if not self.pool:
            order = sorted(y, key=lambda key: ("video", "audio", "text").index(self.asks[key][0]))
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
        given = {"audio": audio, "video": video, "text": text}
        there = {"audio": audio_present, "video": video_present, "text": text_present}
        _, y, maps = self.answers(given, there)
        return Fused(self.joined(y), maps)


class _Memory(nn.Module):
    """x (B, T, inputs) -> both directions of a GRU side by side (B, T, width)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.gru = nn.GRU(inputs, width // 2, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.gru(x)[0]


@fusions.add("cross_transformer")
class CrossTransformer(SelfCross):
    """Each modality asks each other one."""

    least = 2

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
        memory: bool = True,
        pool: bool = True,
    ) -> None:
        own = {"heads": heads, "dropout": dropout, "memory": memory, "pool": pool}
        dims = audio_dim, video_dim, text_dim
        super().__init__("cross_transformer", dims, modalities, width=width, **own)

    def whom(self, names: tuple[str, ...]) -> dict[str, tuple[str, str]]:
        """One attention an ordered pair, named like who asks where there is one other."""
        pairs = list(permutations(names, 2))
        return {m if len(names) == 2 else f"{m}_asks_{of}": (m, of) for m, of in pairs}


@fusions.add("self_transformer")
class SelfTransformer(SelfCross):
    """Each modality asks itself."""

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
        memory: bool = True,
        pool: bool = True,
    ) -> None:
        own = {"heads": heads, "dropout": dropout, "memory": memory, "pool": pool}
        dims = audio_dim, video_dim, text_dim
        super().__init__("self_transformer", dims, modalities, width=width, **own)

    def whom(self, names: tuple[str, ...]) -> dict[str, tuple[str, str]]:
        """One attention a modality, named like it."""
        return {m: (m, m) for m in names}
