"""Audio-guided attention over the 49 places of a 7x7 face map.

Source   The published code of Praveen et al., T-BIOM 2023 (arXiv:2209.09068), after Duan et al.,
         WACV 2021; it is in no equation of the papers.

    P = the map of one clip                             (49, c)   a row a place
    g = relu(P W_g + b_g), h = relu(W_h x_a + b_h)      (49, c), (c)
    s = tanh(g U_g + (U_h h) 1^T)                       (49, 49)  entry i of U_h h goes to row i
    w = softmax over the rows of s u                    (49)
    Y = W_o (w^T P)^T + b_o                             (c)

Layout   The backbone flattens its map channel first, (c, 7, 7). The published code reads it as
         (49, c) without transposing it, so a row of P holds some channels at all places and w does
         not choose a place. `spatial` transposes it first; `as_published` does not.
"""

import torch
from torch import Tensor, nn

from avfusion.errors import ConfigError
from avfusion.fusion.layers.init import xavier_linear
from avfusion.fusion.layers.map_widths import PLACES, fault

LAYOUTS = ("none", "spatial", "as_published")


class AudioGuided(nn.Module):
    """Un-pooled video (B, T, 49 c) and audio (B, T, Da) -> video (B, T, c) and weights."""

    def __init__(self, audio_dim: int, video_dim: int, *, layout: str = "spatial") -> None:
        super().__init__()
        self.spatial = layout == "spatial"
        self.channels = c = channels(video_dim)
        self.from_video = xavier_linear(c, c)  # W_g, b_g
        self.from_audio = xavier_linear(audio_dim, c)  # W_h, b_h
        self.score_video = xavier_linear(c, PLACES, bias=False)  # U_g
        self.score_audio = xavier_linear(c, PLACES, bias=False)  # U_h
        self.score = xavier_linear(PLACES, 1, bias=False)  # u
        self.out = xavier_linear(c, c)  # W_o, b_o

    def forward(self, audio: Tensor, video: Tensor) -> tuple[Tensor, Tensor]:
        """audio (B, T, Da), video (B, T, 49 c) -> guided video (B, T, c), w (B, T, 49)."""
        places = self.rows(video)  # (B, T, 49, c)
        seen = self.score_video(torch.relu(self.from_video(places)))  # (B, T, 49, 49)
        heard = self.score_audio(torch.relu(self.from_audio(audio)))  # (B, T, 49)
        scores = self.score(torch.tanh(seen + heard[..., None]))[..., 0]  # (B, T, 49)
        weights = scores.softmax(-1)
        return self.out((weights[..., None, :] @ places)[..., 0, :]), weights

    def rows(self, video: Tensor) -> Tensor:
        """P (B, T, 49, c) from a map flattened channel first (B, T, c 49)."""
        if self.spatial:
            return video.unflatten(-1, (self.channels, PLACES)).mT
        return video.unflatten(-1, (PLACES, self.channels))


def channels(video_dim: int) -> int:
    """Return c of an un-pooled map of width 49 c (25,088 = 49 x 512 for an R(2+1)D-18)."""
    message = fault(video_dim)
    if message:
        raise ConfigError(f"{message}. Set `guided: none`.")
    return video_dim // PLACES
