"""Cross-attention (CA).

Source   Praveen, Granger, Cardinal: "Cross Attentional Audio-Visual Fusion for Dimensional
         Emotion Recognition", FG 2021, arXiv:2111.05222.
Idea     The weights of a clip come from its affinity to the clips of the *other* modality. Each
         modality is then summed over its own clips with these weights, and added to itself.

    Z   = X_a W X_v^T                                   (T, T)    audio clip i, video clip j
    A_a = softmax of Z over i                           (T, T)    each column sums to 1
    A_v = softmax of Z^T over j                         (T, T)
    Y_m = tanh(X_m + A_m^T X_m)                         (T, d_m)  m in {a, v}
    Y   = [Y_v ; Y_a]                                   (T, d_v + d_a)

         Here a row of X_m is a clip; in the paper a column is.
Masks    An absent clip gets no weight; if all are absent, A_m^T X_m is 0.
Init     W is Xavier-normal.
Departs  W is (d_a, d_v), square only if both widths are equal. Their code scales features to unit
         length; ours are standardised, so `unit_length` divides each clip by its length only in Z
         (Z is a weighted cosine). Without it, Z grows with the widths and the softmax is nearly
         one-hot from the start. `softmax_axis: row` normalises over the other modality's clips,
         as some code does; the sum is then not an average of clips. `stages: 2` attends to the
         Y_m of the first stage with another W. The paper has a "2-stage" row without defining
         it; this is our interpretation. The published code adds both attended modalities without
         tanh and takes their maximum over the clips, for one prediction per window; it starts its
         head from a trained concatenation, and its validation scores features without attention.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avfusion.errors import ConfigError
from avfusion.fusion.base import Attended, Attention, Pair, masked_softmax
from avfusion.fusion.layers.lazy_maps import Maps
from avfusion.registry import fusions


@fusions.add("ca")
class CrossAttention(Attention):
    """Cross-attention: weights over a modality's clips from their affinity to the other's clips."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        *,
        steps: int,
        softmax_axis: str = "column",
        unit_length: bool = True,
        stages: int = 1,
    ) -> None:
        super().__init__()
        if softmax_axis not in ("column", "row"):
            raise ConfigError(f"ca: softmax_axis is {softmax_axis!r}; set `column` or `row`.")
        if stages not in (1, 2):
            raise ConfigError(f"ca: stages is {stages!r}; set 1 or 2.")
        self.column = softmax_axis == "column"
        self.unit_length = unit_length
        self.affinity = nn.Parameter(torch.empty(audio_dim, video_dim))  # W
        nn.init.xavier_normal_(self.affinity)
        self.second: CrossAttention | None = None
        if stages == 2:
            self.second = CrossAttention(
                audio_dim,
                video_dim,
                steps=steps,
                softmax_axis=softmax_axis,
                unit_length=unit_length,
            )
        self.widths = audio_dim, video_dim
        self.out_dim = audio_dim + video_dim

    def attend(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Attended:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> the same, before and after."""
        z = self._direction(audio) @ self.affinity @ self._direction(video).mT  # (B, T, T)
        audio_map = self._weights(z, audio_present, video_present)
        video_map = self._weights(z.mT, video_present, audio_present)
        after = Pair(
            audio=torch.tanh(audio + audio_map.mT @ audio),  # (B, T, Da)
            video=torch.tanh(video + video_map.mT @ video),  # (B, T, Dv)
        )
        maps = Maps(audio=audio_map, video=video_map)
        if self.second is not None:
            again = self.second.attend(*after, audio_present, video_present)
            after = again.after
            maps |= {f"second_{name}": weights for name, weights in again.maps.items()}
        return Attended(Pair(audio, video), after, maps)

    def _direction(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=-1) if self.unit_length else x

    def _weights(self, z: Tensor, present: Tensor, other: Tensor) -> Tensor:
        """A_m (B, T, T other) from affinities of that shape; present of m and the other (B, T)."""
        if self.column:
            return masked_softmax(z, present[:, :, None], axis=1)
        return masked_softmax(z, other[:, None, :], axis=2)
