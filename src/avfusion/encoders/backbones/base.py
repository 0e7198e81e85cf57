"""The contract of backbones, and the network that tunes one."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from avfusion.encoders.published_widths import scaled

__all__ = ["Backbone", "Tuned", "he_init", "pixels", "scaled"]


class Backbone(nn.Module):
    """A network that maps inputs (B, ...) to embeddings (B, dim).

    Attributes
    ----------
    dim
        Width of the embedding.
    head_dim
        Width of `pooled`, by default `dim`.
    """

    dim: int

    @property
    def head_dim(self) -> int:
        """Width of what the output layer reads."""
        return self.dim

    def blocks(self) -> Sequence[nn.Module]:
        """Return the blocks that can be frozen or tuned, from input to output."""
        raise NotImplementedError

    def pooled(self, embedding: Tensor) -> Tensor:
        """Return what the output layer reads, (B, head_dim)."""
        return embedding


class Tuned(nn.Module):
    """A backbone whose last blocks are trained, and an output layer.

    What is in no block, such as a temporal network after the blocks, is always trained. Batch
    normalisation of a frozen block keeps its statistics.

    Parameters
    ----------
    backbone
        The network.
    blocks
        Number of last blocks that are trained.
    outputs
        K, the number of targets.
    dropout
        Before the output layer.
    """

    def __init__(self, backbone: Backbone, blocks: int, outputs: int, dropout: float = 0.3) -> None:
        super().__init__()
        self.backbone = backbone
        every = backbone.blocks()
        for block in every[: len(every) - blocks]:
            block.requires_grad_(False)
        self.rate = nn.Sequential(nn.Dropout(dropout), nn.Linear(backbone.head_dim, outputs))

    def backbone_weights(self) -> Iterator[nn.Parameter]:
        """Yield the weights of the blocks, which have the learning rate `lr`."""
        for block in self.backbone.blocks():
            yield from block.parameters()

    def train(self, mode: bool = True) -> "Tuned":
        """Set the mode; frozen blocks stay in evaluation mode."""
        super().train(mode)
        for block in self.backbone.blocks():
            if not any(weight.requires_grad for weight in block.parameters()):
                block.eval()
        return self

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Map inputs (B, ...) to embeddings (B, dim) and targets (B, K)."""
        embedding = self.backbone(inputs)
        return embedding, self.rate(self.backbone.pooled(embedding))


def he_init(net: nn.Module) -> None:
    """Initialise convolutions and linear layers of a ReLU network (He et al. 2015), biases 0.

    PyTorch's own initialisation makes deep activations vanish without batch normalisation, and with
    it while the running statistics are young.
    """
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def pixels(
    faces: Tensor, side: int, mean: tuple[float, ...], deviation: tuple[float, ...]
) -> Tensor:
    """Return faces uint8 RGB (..., h, w, 3) as standardised pictures (N, 3, side, side), float32.

    Values are divided by 255, the picture is resized bilinearly (with a filter if it shrinks), and
    each channel is standardised by `mean` and `deviation`. N is the product of the first axes.
    """
    x = faces.flatten(0, -4).permute(0, 3, 1, 2).float() / 255  # (N, 3, h, w)
    if x.shape[-2:] != (side, side):
        x = nn.functional.interpolate(x, (side, side), mode="bilinear", antialias=True)
    shape = (1, 3, 1, 1)
    return (x - torch.tensor(mean, device=x.device).view(shape)) / torch.tensor(
        deviation, device=x.device
    ).view(shape)
