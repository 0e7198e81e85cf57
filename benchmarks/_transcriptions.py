"""Plain PyTorch transcriptions of JCA and the dense joint block, as a reference for speed.

Each reads the weights of the package's module, so outputs and gradients can be compared entry by
entry. JCA processes one window at a time, as its published code does. The dense block processes the
complete batch at once, as the published code of the dense block does. `published_…` are complete
fusions: with encoders or BLSTMs around the block, and DCA with its gates.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avfusion.fusion.base import Fused


def jca_by_window(fuse: nn.Module, audio: Tensor, video: Tensor) -> Tensor:
    """Compute JCA without encoders; audio, video (B, T, D) -> [Y_v ; Y_a] (B, T, 2D)."""
    pairs = zip(audio, video, strict=True)
    return torch.stack([_jca(fuse, a, v) for a, v in pairs])


def jca_by_batch(fuse: nn.Module, audio: Tensor, video: Tensor) -> Tensor:
    """Compute the same for all windows at once: both (B, D, 2D) maps exist in full."""
    return _jca(fuse, fuse.encode_audio(audio), fuse.encode_video(video))


def _jca(fuse: nn.Module, audio: Tensor, video: Tensor) -> Tensor:
    """audio, video (..., T, D)."""
    joint = torch.cat([audio, video], dim=-1)  # J (..., T, 2D)
    attended = []
    for x, side in ((video, fuse.video), (audio, fuse.audio)):
        w_j, w_c = side.mix.weight, side.from_map.weight
        w_m, w_h = side.from_self.weight, side.back.weight
        c = torch.tanh(x.mT @ (w_j @ joint) / joint.shape[-1] ** 0.5)  # (..., D, 2D)
        h = torch.relu(x.mT @ w_m.T + c @ w_c.T)  # (..., D, k)
        attended.append((h @ w_h.T).mT + x)
    return torch.cat(attended, dim=-1)


def dense_by_batch(block: nn.Module, audio: Tensor, video: Tensor) -> Tensor:
    """Compute the dense joint block; audio, video (B, T, D) -> [Y_v ; Y_a] (B, T, 2D)."""
    q = block.query(torch.cat([video, audio], dim=-1))  # (B, T, d)
    attended = []
    for x, side in ((video, block.video), (audio, block.audio)):
        dropped = {"p": side.dropout.p, "training": block.training}
        k = side.key(x.mT)  # (B, D, T)
        s = F.dropout(torch.tanh(k @ q / q.shape[-1] ** 0.5), **dropped)  # (B, D, d)
        u = torch.relu(torch.tanh(side.value(x) @ s))  # (B, T, d)
        attended.append(x + F.dropout(torch.relu(side.back(u)), **dropped))
    return torch.cat(attended, dim=-1)


def published_jca(fuse: nn.Module, audio: Tensor, video: Tensor) -> Tensor:
    """Compute JCA with encoders; audio, video (B, T, D) -> [Y_v ; Y_a] (B, T, 2k)."""
    return jca_by_window(fuse, fuse.encode_audio(audio), fuse.encode_video(video))


def published_dense(fuse: nn.Module, audio: Tensor, video: Tensor) -> Tensor:
    """Compute blocks between BLSTMs; audio, video (B, T, D) -> (B, T, k)."""
    _, after = _dense(fuse, audio, video)
    return fuse.memory(torch.cat(after, dim=-1))


def published_dca(fuse: nn.Module, audio: Tensor, video: Tensor) -> Tensor:
    """Compute DCA around those blocks; audio, video (B, T, D) -> (B, T, k)."""
    before, after = _dense(fuse.attention, audio, video)
    chosen = []
    for x, y, gate in zip(before, after, (fuse.gate_video, fuse.gate_audio), strict=True):
        g = torch.softmax(gate.layer(y) / gate.temperature, dim=-1)  # (B, T, 2)
        chosen.append(torch.relu(g[..., :1] * x + g[..., 1:] * y))
    return fuse.attention.memory(torch.cat(chosen, dim=-1))


def _dense(fuse: nn.Module, audio: Tensor, video: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Return video and audio (B, T, k) before and after the blocks."""
    audio = fuse.audio_memory(F.normalize(audio, dim=-1))
    video = fuse.video_memory(F.normalize(video, dim=-1))
    before = after = [video, audio]
    for block in fuse.blocks:
        joined = dense_by_batch(block, after[1], after[0])
        after = list(joined.split([video.shape[-1], audio.shape[-1]], dim=-1))
    return before, after


class Plain(nn.Module):
    """A fusion's weights in one of the forms above; all clips count as present."""

    def __init__(
        self, fuse: nn.Module, form: Callable[[nn.Module, Tensor, Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.fuse, self.form = fuse, form

    def forward(self, audio: Tensor, video: Tensor, *present: Tensor) -> Fused:
        """audio, video (B, T, D) -> features (B, T, out), no maps."""
        return Fused(self.form(self.fuse, audio, video), {})
