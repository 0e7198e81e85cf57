"""Dual-attentive aggregation (DDAG): attention over parts of a modality, then over a graph of both.

Source   Ye et al.: "Dynamic Dual-Attentive Aggregation Learning for Visible-Infrared Person
         Re-Identification", ECCV 2020, arXiv:2007.09314, section 3, and its published code.
Idea     Parts of one modality, weighed by their relations, add context to a feature. A graph over
         samples of both modalities lets a noisy one borrow from its neighbours.

    X_m = E_m x_m + e_m                                 (T, D)    m in {a, v}
    P_m^i = mean of X_m over part i                     (p, D)    i = 1 … p parts of the window
    A_m = softmax(U P_m (V P_m)^T) over parts           (p, p)
    C_m = sum over i of w_i (A_m Z P_m)^i               (D)       w = softmax(g)
    X*_m = norm(X_m) + C_m                              (T, D)
    B   = adjacency of the 2T clips of [X_a ; X_v]      (2T, 2T)  eq. 6
    H^l = [X_a ; X_v] W^l                               (2T, k)   head l = 1 … n, k = D / n
    S^l_ij = leaky(b^l [H^l_i ; H^l_j])                           slope 0.2
    G   = elu(softmax(S^l) over j with B_ij = 1, H^l)   (2T, D)   heads side by side
    G*  = elu of one more such layer on G, one head     (2T, D)
    Y   = [X*_v ; X*_a ; G*_v ; G*_a]                   (T, 4D)

         U, V, Z, g, norm and the graph are those of both modalities, as in the paper.
Options  `reach`: B_ij = 1 up to so many clips apart, in either modality; by default in all of the
         window.
Maps     parts_audio, parts_video (B, p, p): A_m; graph (B, 2T, 2T): weights of the last layer.
Masks    An absent clip is in no part and no neighbour. It asks the graph with a row of zeros.
Departs  A sample is a clip of a window, not an image of a batch. Parts are stretches of the window
         instead of stripes of an image: features have no order, clips have. B links clips of one
         person in the paper, known from labels; a window shows one person, so its clips are linked
         without labels, in prediction too. There the paper leaves out the graph. Its batch norm is
         a layer norm, since a batch norm would count absent rows. Its loss on G* and the weight of
         that loss, 1 / (1 + the other loss of the last epoch) (eq. 9 to 11), are left out: here G*
         is read by the head, under one loss. `dropout` is on X and G before a layer and on weights.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avfusion.errors import ConfigError
from avfusion.fusion.base import Fused, Fusion, masked_softmax
from avfusion.fusion.layers.graph import GraphAttention
from avfusion.fusion.layers.init import xavier_linear
from avfusion.fusion.layers.multihead import check_heads
from avfusion.registry import fusions


@fusions.add("ddag")
class DualAttentiveAggregation(Fusion):
    """Weighted-part attention within modalities and graph attention across them."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        *,
        steps: int,
        width: int = 64,
        heads: int = 4,
        parts: int = 3,
        reach: int | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        check_heads("ddag", width, heads)
        if parts < 1 or (reach is not None and reach < 0):
            raise ConfigError(f"ddag: parts is {parts}, reach {reach}; set 1 or more, 0 or more.")
        self.encode_audio, self.encode_video = (nn.Linear(d, width) for d in (audio_dim, video_dim))
        self.norm, self.parts = nn.LayerNorm(width), _Parts(width, parts)
        self.graph = GraphAttention(width, width, heads, dropout)
        self.out = GraphAttention(width, width, 1, dropout)
        self.dropout, self.reach = nn.Dropout(dropout), reach
        self.out_dim = 4 * width

    def forward(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> features (B, T, 4D)."""
        x_audio = self.encode_audio(audio) * audio_present[..., None]  # (B, T, D)
        x_video = self.encode_video(video) * video_present[..., None]  # (B, T, D)
        context_audio, parts_audio = self.parts(x_audio, audio_present)  # (B, 1, D), (B, p, p)
        context_video, parts_video = self.parts(x_video, video_present)
        nodes = torch.cat([x_audio, x_video], dim=1)  # (B, 2T, D)
        linked = self._linked(audio_present, video_present)  # (B, 2T, 2T)
        graph, _ = self.graph(self.dropout(nodes), linked)
        graph, weights = self.out(self.dropout(F.elu(graph)), linked)
        graph_audio, graph_video = F.elu(graph).chunk(2, dim=1)
        video, audio = self.norm(x_video) + context_video, self.norm(x_audio) + context_audio
        maps = {"parts_audio": parts_audio, "parts_video": parts_video, "graph": weights}
        return Fused(torch.cat([video, audio, graph_video, graph_audio], dim=-1), maps)

    def _linked(self, audio_present: Tensor, video_present: Tensor) -> Tensor:
        """B (B, 2T, 2T); absent clips are no neighbours."""
        present = torch.cat([audio_present, video_present], dim=1)[:, None]  # (B, 1, 2T)
        time = torch.arange(audio_present.shape[1], device=present.device).repeat(2)
        apart = (time[:, None] - time).abs()  # (2T, 2T)
        near = apart >= 0 if self.reach is None else apart <= self.reach
        return present & near


class _Parts(nn.Module):
    """Weighted-part attention."""

    def __init__(self, width: int, parts: int) -> None:
        super().__init__()
        self.query, self.key = (xavier_linear(width, width, bias=False) for _ in range(2))  # U, V
        self.value = xavier_linear(width, width)  # Z
        self.gate = nn.Parameter(torch.zeros(parts))  # g

    def forward(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, D), present (B, T) -> C (B, 1, D), A (B, p, p)."""
        steps, count = x.shape[1], len(self.gate)
        part = torch.arange(steps, device=x.device) * count // steps  # (T,)
        inside = (part == torch.arange(count, device=x.device)[:, None]) & present[:, None]
        total = inside.sum(-1, keepdim=True)  # (B, p, 1)
        means = inside.to(x.dtype) @ x / total.clamp(min=1)  # (B, p, D)
        some = total[..., 0] > 0  # (B, p)
        scores = self.query(means) @ self.key(means).mT  # (B, p, p)
        weights = masked_softmax(scores, some[:, None], axis=-1)
        shares = masked_softmax(self.gate, some, axis=-1)  # (B, p)
        return shares[:, None] @ (weights @ self.value(means)), weights
