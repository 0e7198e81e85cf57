"""A network of another library as a backbone, and the rule that finds its blocks.

The parts of a network are its children. While they form fewer than 4 blocks, the largest part that
is or holds a list of layers (`Sequential`, `ModuleList`) is replaced by its own children. A part
with a convolution or a linear layer begins a block. Others, such as normalisation, belong to the
block before them, and weights in no part, such as position embeddings, to the first block.

| Network | Blocks |
|---|---|
| ResNet, R(2+1)D | first convolution, and its four stages |
| ConvNeXt, EfficientNet, DenseNet, Swin | first convolution, stages, and what joins them |
| vision transformer | embedding of patches, and each layer |
| VGG | each convolution, and two linear layers |
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from avfusion.encoders.backbones.base import Backbone
from avfusion.encoders.pictures import Pictures

LEAST = 4
"""Blocks below which a part is divided."""

Part = tuple[str, nn.Module]


class LibraryBackbone(Backbone):
    """Map faces uint8 RGB (B, side, side, 3), or clips of them, to embeddings (B, dim).

    Parameters
    ----------
    net
        Network without its classifier.
    pictures
        How faces become its input; no gradient is needed there.
    """

    def __init__(self, net: nn.Module, pictures: Pictures) -> None:
        super().__init__()
        self.net, self.pictures = net, pictures
        self.stages = stages(net)

    def blocks(self) -> Sequence[nn.Module]:
        """Return the blocks, from input to output.

        They are looked up by name, because several processes replace layers of a network.
        """
        blocks = [
            nn.ModuleList(self.net.get_submodule(name) for name in names) for names in self.stages
        ]
        inside = {id(weight) for block in blocks for weight in block.parameters()}
        others = [weight for weight in self.net.parameters() if id(weight) not in inside]
        blocks[0].append(nn.ParameterList(others))
        return blocks

    def forward(self, faces: Tensor) -> Tensor:
        """Return embeddings (B, dim)."""
        inputs = self.pictures.prepared(faces)
        return self.net(inputs.transpose(1, 2) if self.pictures.frames else inputs)


def stages(net: nn.Module) -> list[list[str]]:
    """Return the names of the modules of each block, from input to output.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3))
    >>> stages(net)
    [['0', '1'], ['2']]
    """
    parts = _children("", net)
    while len(blocks := _joined(parts)) < LEAST:
        divisible = [part for part in parts if _multiplies(part[1]) and _is_or_has_list(part[1])]
        if not divisible:
            break
        largest = max(divisible, key=lambda part: sum(x.numel() for x in part[1].parameters()))
        at = parts.index(largest)
        parts[at : at + 1] = _children(f"{largest[0]}.", largest[1])
    return blocks


def _joined(parts: list[Part]) -> list[list[str]]:
    blocks: list[list[str]] = []
    first: list[str] = []  # parts before the first layer that multiplies
    for name, part in parts:
        if not _multiplies(part):
            (blocks[-1] if blocks else first).append(name)
        else:
            blocks.append([name] if blocks else [*first, name])
    return blocks


def _children(prefix: str, module: nn.Module) -> list[Part]:
    return [(f"{prefix}{name}", part) for name, part in module.named_children()]


def _multiplies(module: nn.Module) -> bool:
    return any(isinstance(part, nn.Linear | _ConvNd) for part in module.modules())


def _is_or_has_list(module: nn.Module) -> bool:
    return any(isinstance(part, nn.Sequential | nn.ModuleList) for part in module.modules())
