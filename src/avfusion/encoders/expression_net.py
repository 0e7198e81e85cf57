"""The expression network of face-api in PyTorch: four dense blocks of separable convolutions.

Source   V. Mühler, face-api.js (MIT), maintained as @vladmandic/face-api; see weights/README.md.
Block    o1 = relu(c0(x)), o2 = c1(o1), o3 = c2(relu(o1 + o2)), o4 = c3(relu(o1 + o2 + o3)),
         output relu(o1 + o2 + o3 + o4). c0 halves the picture. There is no activation between a
         depthwise and its pointwise convolution, and only the latter has a bias.
"""

import hashlib
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load
from torch import Tensor, nn

from avfusion.errors import AvfError

LABELS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")


WEIGHTS = Path(__file__).parent / "weights" / "face_expression.safetensors"


WEIGHTS_SHA256 = "56bdd6bfe80e7f70f5709ed4aed2d174594bdf6a99e1dcc84b1e0efd552b9e38"


SIDE_PX = 112


MEAN_RGB = (122.782, 117.001, 104.298)


class ExpressionNet(nn.Module):
    """Map faces, uint8 RGB (B, side, side, 3), to embeddings (B, 256) and posteriors (B, 7)."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 128, 256)
        self.blocks = nn.ModuleList(
            _Block(before, after, plain_first=before == 3) for before, after in pairwise(widths)
        )
        self.classify = nn.Linear(256, len(LABELS))

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Embed and classify; the embedding is non-negative and the posteriors sum to 1."""
        mean = torch.tensor(MEAN_RGB, device=faces.device)
        x = (faces.float() - mean) / 255  # (B, side, side, 3)
        x = x.permute(0, 3, 1, 2)  # (B, 3, side, side), channels last in memory
        if x.shape[-1] != SIDE_PX:
            x = F.interpolate(x, (SIDE_PX, SIDE_PX), mode="bilinear", antialias=True)
        for block in self.blocks:
            x = block(x)
        embedding = x.mean((2, 3))  # (B, 256) from (B, 256, 7, 7)
        return embedding, self.classify(embedding).softmax(-1)


class _Block(nn.Module):
    def __init__(self, before: int, after: int, *, plain_first: bool) -> None:
        super().__init__()
        first = (
            nn.Conv2d(before, after, 3, stride=2) if plain_first else _separable(before, after, 2)
        )
        self.convolutions = nn.ModuleList([first, *(_separable(after, after, 1) for _ in range(3))])

    def forward(self, x: Tensor) -> Tensor:
        # TensorFlow pads an even side at stride 2 by one row below and one column right.
        total = F.relu(self.convolutions[0](F.pad(x, (0, 1, 0, 1))))
        for convolve in self.convolutions[1:]:
            total = total + convolve(F.relu(total))
        return F.relu(total)


def _separable(before: int, after: int, stride: int) -> nn.Sequential:
    deep = nn.Conv2d(before, before, 3, stride, padding=2 - stride, groups=before, bias=False)
    return nn.Sequential(deep, nn.Conv2d(before, after, 1))


def pretrained() -> ExpressionNet:
    """Return the network with the weights that ship with avfusion, frozen.

    Raises
    ------
    AvfError
        If the file of the weights was changed.
    """
    data = WEIGHTS.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != WEIGHTS_SHA256:
        raise AvfError(
            f"{WEIGHTS}: SHA-256 is {digest[:12]}…, expected {WEIGHTS_SHA256[:12]}…. "
            "The file was damaged or replaced. Install avfusion again, or restore it with git."
        )
    net = ExpressionNet()
    net.load_state_dict(load(data))
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs
    return net.eval().requires_grad_(False)
