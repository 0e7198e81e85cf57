"""Networks of the papers: shapes, numbers of weights, published names, and the 2-D Inception."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from avfusion.encoders.backbones import ecapa, i3d, ir50, iresnet, tcn, two_stream, vgg
from avfusion.encoders.backbones.base import Tuned

MIXES = {  # Szegedy et al. 2015, Table 1: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}


def i3d_shapes() -> dict[str, tuple]:
    """Names and kernels of the public file without its classifier, from the paper's table."""
    kernels = {"Conv3d_1a_7x7": (64, 3, 7), "Conv3d_2b_1x1": (64, 64, 1)}
    kernels |= {"Conv3d_2c_3x3": (192, 64, 3)}
    inputs = 192
    for name, (b0, b1a, b1b, b2a, b2b, b3b) in MIXES.items():
        units = {"b0": (b0, inputs, 1), "b1a": (b1a, inputs, 1), "b1b": (b1b, b1a, 3)}
        units |= {"b2a": (b2a, inputs, 1), "b2b": (b2b, b2a, 3), "b3b": (b3b, inputs, 1)}
        kernels |= {f"Mixed_{name}.{unit}": shape for unit, shape in units.items()}
        inputs = b0 + b1b + b2b + b3b
    shapes = {}
    for name, (outputs, before, side) in kernels.items():
        shapes[f"{name}.conv3d.weight"] = (outputs, before, side, side, side)
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.bn.{part}"] = (outputs,)
    return shapes


def r2plus1d_shapes(stem: int = 3) -> dict[str, tuple]:
    """Names and shapes of torchvision's R(2+1)D-18 without its classifier."""
    shapes = {"stem.0.weight": (45, stem, 1, 7, 7), "stem.3.weight": (64, 45, 3, 1, 1)}
    shapes |= normal("stem.1", 45) | normal("stem.4", 64)
    inputs = 64
    for number, outputs in enumerate((64, 128, 256, 512), start=1):
        for block in (0, 1):
            # as many weights as two 3x3x3 convolutions (Tran et al. 2018, section 3.5)
            middle = 27 * inputs * outputs // (9 * inputs + 3 * outputs)
            for conv, before in (("conv1", inputs), ("conv2", outputs)):
                path = f"layer{number}.{block}.{conv}"
                shapes[f"{path}.0.0.weight"] = (middle, before, 1, 3, 3)
                shapes[f"{path}.0.3.weight"] = (outputs, middle, 3, 1, 1)
                shapes |= normal(f"{path}.0.1", middle) | normal(f"{path}.1", outputs)
            if block == 0 and number > 1:
                shapes[f"layer{number}.0.downsample.0.weight"] = (outputs, inputs, 1, 1, 1)
                shapes |= normal(f"layer{number}.0.downsample.1", outputs)
            inputs = outputs
    return shapes


def resnet_shapes() -> dict[str, tuple]:
    """Names and shapes of torchvision's ResNet-18 with one channel, without its classifier."""
    shapes = {"conv1.weight": (64, 1, 7, 7)} | normal("bn1", 64)
    inputs = 64
    for number, outputs in enumerate((64, 128, 256, 512), start=1):
        for block in (0, 1):
            path = f"layer{number}.{block}"
            shapes[f"{path}.conv1.weight"] = (outputs, inputs, 3, 3)
            shapes[f"{path}.conv2.weight"] = (outputs, outputs, 3, 3)
            shapes |= normal(f"{path}.bn1", outputs) | normal(f"{path}.bn2", outputs)
            if inputs != outputs:
                shapes[f"{path}.downsample.0.weight"] = (outputs, inputs, 1, 1)
                shapes |= normal(f"{path}.downsample.1", outputs)
            inputs = outputs
    return shapes


def ir50_shapes(places: int) -> dict[str, tuple]:
    """Names and shapes of the public IR-50, whose last map has so many places."""
    shapes = {"input_layer.0.weight": (64, 3, 3, 3), "input_layer.2.weight": (64,)}
    shapes |= normal("input_layer.1", 64)
    inputs, unit = 64, 0
    for outputs, count in ((64, 3), (128, 4), (256, 14), (512, 3)):
        for _ in range(count):
            path = f"body.{unit}"
            shapes |= normal(f"{path}.res_layer.0", inputs) | normal(f"{path}.res_layer.4", outputs)
            shapes[f"{path}.res_layer.1.weight"] = (outputs, inputs, 3, 3)
            shapes[f"{path}.res_layer.2.weight"] = (outputs,)
            shapes[f"{path}.res_layer.3.weight"] = (outputs, outputs, 3, 3)
            if inputs != outputs:
                shapes[f"{path}.shortcut_layer.0.weight"] = (outputs, inputs, 1, 1)
                shapes |= normal(f"{path}.shortcut_layer.1", outputs)
            inputs, unit = outputs, unit + 1
    shapes |= normal("output_layer.0", 512) | normal("output_layer.4", 512)
    return shapes | {"output_layer.3.weight": (512, 512 * places), "output_layer.3.bias": (512,)}


def vgg_shapes(layers: dict[str, tuple]) -> dict[str, tuple]:
    """Weights of these shapes, and a bias each."""
    shapes = {f"{name}.weight": shape for name, shape in layers.items()}
    return shapes | {f"{name}.bias": shape[:1] for name, shape in layers.items()}


def vggish_shapes() -> dict[str, tuple]:
    """Names and shapes of the public PyTorch file of VGGish."""
    channels = (1, 64, 128, 256, 256, 512, 512)
    pairs = zip((0, 3, 6, 8, 11, 13), channels[1:], channels, strict=False)
    layers = {f"features.{n}": (after, before, 3, 3) for n, after, before in pairs}
    linear = {"embeddings.0": (4096, 512 * 6 * 4), "embeddings.2": (4096, 4096)}
    return vgg_shapes(layers | linear | {"embeddings.4": (128, 4096)})


def vgg_face_shapes() -> dict[str, tuple]:
    """Names and shapes of the public PyTorch file of VGG-Face without `fc8`."""
    layers, before = {}, 3
    for group, (count, channels) in enumerate(
        ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), start=1
    ):
        for place in range(1, count + 1):
            layers[f"conv{group}_{place}"] = (channels, before, 3, 3)
            before = channels
    return vgg_shapes(layers | {"fc6": (4096, 512 * 7 * 7), "fc7": (4096, 4096)})


def normal(path: str, channels: int) -> dict[str, tuple]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{path}.{part}": (channels,) for part in parts}


def ecapa_shapes() -> dict[str, tuple]:
    """Names and shapes of SpeechBrain's file, `blocks.` renamed to `layers.`."""

    def layer(path: str, outputs: int, inputs: int, kernel: int = 1) -> dict[str, tuple]:
        conv = {f"{path}.conv.conv.weight": (outputs, inputs, kernel)}
        return conv | {f"{path}.conv.conv.bias": (outputs,)} | normal(f"{path}.norm.norm", outputs)

    def plain(path: str, outputs: int, inputs: int) -> dict[str, tuple]:
        return {f"{path}.weight": (outputs, inputs, 1), f"{path}.bias": (outputs,)}

    shapes = layer("layers.0", 1024, 80, 5)
    for block in ("layers.1", "layers.2", "layers.3"):
        shapes |= layer(f"{block}.tdnn1", 1024, 1024) | layer(f"{block}.tdnn2", 1024, 1024)
        for part in range(7):
            shapes |= layer(f"{block}.res2net_block.blocks.{part}", 128, 128, 3)
        shapes |= plain(f"{block}.se_block.conv1.conv", 128, 1024)
        shapes |= plain(f"{block}.se_block.conv2.conv", 1024, 128)
    shapes |= layer("mfa", 3072, 3072) | layer("asp.tdnn", 128, 9216)
    shapes |= plain("asp.conv.conv", 3072, 128) | normal("asp_bn.norm", 6144)
    return shapes | plain("fc.conv", 192, 6144)


def iresnet_shapes() -> dict[str, tuple]:
    """Names and shapes of insightface's `iresnet18`."""
    shapes = {"conv1.weight": (64, 3, 3, 3), "prelu.weight": (64,), **normal("bn1", 64)}
    before = 64
    for number, after in enumerate((64, 128, 256, 512), start=1):
        for unit, inputs in enumerate((before, after)):
            path = f"layer{number}.{unit}"
            shapes |= normal(f"{path}.bn1", inputs) | normal(f"{path}.bn2", after)
            shapes |= normal(f"{path}.bn3", after) | {f"{path}.prelu.weight": (after,)}
            shapes[f"{path}.conv1.weight"] = (after, inputs, 3, 3)
            shapes[f"{path}.conv2.weight"] = (after, after, 3, 3)
        shapes[f"layer{number}.0.downsample.0.weight"] = (after, before, 1, 1)
        shapes |= normal(f"layer{number}.0.downsample.1", after)
        before = after
    shapes |= normal("bn2", 512) | normal("features", 512)
    return shapes | {"fc.weight": (512, 512 * 7 * 7), "fc.bias": (512,)}


def on_meta(made, **options) -> nn.Module:
    with torch.device("meta"):
        return made(**options).eval()


NETWORKS = {
    "i3d": (i3d.InceptionI3d, {}, i3d_shapes(), 12_697_264 - 1024 * 400 - 400),
    "r2plus1d": (two_stream.R2Plus1d, {}, r2plus1d_shapes(), 31_505_325 - 512 * 400 - 400),
    "resnet18": (
        two_stream.ResNet18,
        {},
        resnet_shapes(),
        11_689_512 - 512 * 1000 - 1000 - 2 * 64 * 49,
    ),
    "vggish": (vgg.VGGish, {}, vggish_shapes(), 72_141_184),
    "vgg_face": (vgg.VggFace, {}, vgg_face_shapes(), 145_002_878 - 4096 * 2622 - 2622),
    "ecapa": (ecapa.EcapaTdnn, {}, ecapa_shapes(), None),
    "iresnet18": (iresnet.IResNet18, {}, iresnet_shapes(), None),
    "ir50_rjcma": (ir50.IR50, {"form": "rjcma"}, ir50_shapes(25), None),
    "ir50_arcface": (ir50.IR50, {"form": "arcface"}, ir50_shapes(49), None),
}
"""Class, options, shapes, and the published number of weights without those of the classifier."""


@pytest.mark.parametrize("name", NETWORKS)
def test_names_and_shapes_are_the_published_ones(name):
    made, options, shapes, published = NETWORKS[name]
    state = on_meta(made, **options).state_dict()
    found = {n: tuple(x.shape) for n, x in state.items() if not n.endswith("batches_tracked")}
    assert found == shapes
    learned = [s for n, s in shapes.items() if "running" not in n]
    weights = sum(p.numel() for p in on_meta(made, **options).parameters())
    assert weights == sum(int(np.prod(shape)) for shape in learned)
    assert published in (None, weights)


def faces(count: int, frames: int, side: int = 112) -> torch.Tensor:
    shape = (count, frames, side, side, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator())


OUTPUTS = [
    (i3d.InceptionI3d, {}, (2, 16, 224, 224, 3), (2, 1024)),
    (i3d.I3dTcn, {}, (2, 8, 224, 224, 3), (2, 512)),
    (two_stream.R2Plus1d, {}, (2, 8, 112, 112, 3), (2, 512 * 7 * 7)),
    (two_stream.R2Plus1d, {"pooled": True}, (2, 8, 112, 112, 3), (2, 512)),
    (two_stream.ResNet18, {}, (2, 64, 104), (2, 512)),
    (ir50.IR50, {"form": "rjcma"}, (2, 48, 48, 3), (2, 512)),
    (ir50.IR50, {"form": "arcface"}, (2, 112, 112, 3), (2, 512)),
    (ir50.IR50Tcn, {}, (2, 30, 48, 48, 3), (2, 512)),
    (vgg.VGGish, {}, (2, 96, 64), (2, 128)),
    (vgg.VggFace, {}, (2, 224, 224, 3), (2, 4096)),
    (vgg.SpectrogramCnn, {}, (2, 128, 65), (2, 1024)),
]


@pytest.mark.parametrize(("made", "options", "given", "expected"), OUTPUTS)
def test_widths_are_the_published_ones(made, options, given, expected):
    net = on_meta(made, **options)
    kind = torch.uint8 if given[-1] == 3 else torch.float32
    with torch.device("meta"):
        found = net(torch.zeros(given, dtype=kind))
    assert found.shape == expected
    assert net.dim == expected[1]
    assert net.pooled(found).shape == (2, net.head_dim)


def test_maps_and_steps_have_the_published_sizes():
    """7x7 places after R(2+1)D; two steps before the mean of the I3D; 7 steps without strides."""
    with torch.device("meta"):
        clip16, clip8 = (torch.zeros(1, n, 224, 224, 3, dtype=torch.uint8) for n in (16, 8))
        assert i3d.InceptionI3d().steps(clip16).shape == (1, 1024, 1)
        assert i3d.InceptionI3d(dense=True).steps(clip8).shape == (1, 1024, 7)
    net = on_meta(vgg.SpectrogramCnn)
    sizes = []
    net.conv5.register_forward_hook(lambda *given: sizes.append(tuple(given[2].shape)))
    with torch.device("meta"):
        net(torch.zeros(1, 128, 65))
    assert sizes == [(1, 1024, 13, 2)]
    assert sum(p.numel() for p in net.parameters()) == (
        (25 * 64 + 64) + 2 * 64 + (25 * 64 * 128 + 128) + (9 * 128 * 256 + 256) + 2 * 256
        + (25 * 256 * 512 + 512) + (9 * 512 * 1024 + 1024)
    )  # fmt: skip


class Flat(nn.Module):
    """A 2-D Inception-v1, written from the paper with torchvision's padding and names."""

    def __init__(self, share: int) -> None:
        super().__init__()
        self.share = share
        shapes = {"conv1": (64, 3, 7), "conv2": (64, 64, 1), "conv3": (192, 64, 3)}
        inputs = 192
        for name, (a, b, c, d, e, f) in MIXES.items():
            path = f"inception{name[0]}{chr(ord(name[1]) - 1)}"
            shapes |= {f"{path}.branch1": (a, inputs, 1), f"{path}.branch2.0": (b, inputs, 1)}
            shapes |= {f"{path}.branch2.1": (c, b, 3), f"{path}.branch3.0": (d, inputs, 1)}
            shapes |= {f"{path}.branch3.1": (e, d, 3), f"{path}.branch4.1": (f, inputs, 1)}
            inputs = a + c + e + f
        draw = torch.Generator().manual_seed(4)
        self.state = {}
        for path, (after, before, side) in shapes.items():
            after = after // share
            before = before if before == 3 else before // share
            kernel = torch.randn(after, before, side, side, generator=draw)
            self.state[f"{path}.conv.weight"] = kernel * (2 / (before * side * side)) ** 0.5
            for part, low in (("weight", 0.5), ("bias", -0.2), ("running_mean", -0.2)):
                self.state[f"{path}.bn.{part}"] = torch.rand(after, generator=draw) + low
            self.state[f"{path}.bn.running_var"] = torch.rand(after, generator=draw) + 0.5

    def unit(self, path: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        s = self.state
        kernel = s[f"{path}.conv.weight"]
        x = F.conv2d(x, kernel, None, stride, kernel.shape[-1] // 2)
        bn = (s[f"{path}.bn.{p}"] for p in ("running_mean", "running_var", "weight", "bias"))
        return F.relu(F.batch_norm(x, *bn, eps=1e-3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(self.unit("conv1", x, 2), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.unit("conv3", self.unit("conv2", x)), 3, 2, ceil_mode=True)
        for name in MIXES:
            path = f"inception{name[0]}{chr(ord(name[1]) - 1)}"
            if name in ("4b", "5b"):
                x = F.max_pool2d(x, 3 if name == "4b" else 2, 2, ceil_mode=True)
            x = torch.cat(
                [
                    self.unit(f"{path}.branch1", x),
                    self.unit(f"{path}.branch2.1", self.unit(f"{path}.branch2.0", x)),
                    self.unit(f"{path}.branch3.1", self.unit(f"{path}.branch3.0", x)),
                    self.unit(f"{path}.branch4.1", F.max_pool2d(x, 3, 1, 1)),
                ],
                1,
            )
        return x.mean((2, 3))


@pytest.mark.parametrize("frames", [16, 5])
def test_a_static_clip_gives_the_activations_of_the_2d_network(frames):
    flat = Flat(8)
    extra = {"aux1.fc1.weight": torch.ones(2, 2), "fc.bias": torch.ones(2)}
    net = i3d.InceptionI3d(width=1 / 8, inflated=True).eval()
    weights = i3d.inflated(flat.state | extra)
    missing, unexpected = net.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    face = faces(1, 1, 224)
    with torch.no_grad():
        found = net(face.expand(-1, frames, -1, -1, -1))
        expected = flat((face[:, 0].permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5)
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_zeros_at_the_ends_of_a_clip_change_a_static_one():
    """Padding by zeros, as in the published 3-D network, has no such property."""
    weights = i3d.inflated(Flat(8).state)
    nets = [i3d.InceptionI3d(width=1 / 8, inflated=i).eval() for i in (True, False)]
    for net in nets:
        net.load_state_dict(weights, strict=False)
    with torch.no_grad():
        one, two = (net(faces(1, 1, 224).expand(-1, 8, -1, -1, -1)) for net in nets)
    assert (one - two).abs().max() > 0.01


def test_an_i3d_pads_as_tensorflow():
    x = torch.ones(1, 1, 16, 224, 7)
    assert i3d.padded(x, (7, 7, 7), (2, 2, 2)).shape == (1, 1, 21, 229, 13)
    rows = i3d.padded(x, (7, 7, 7), (2, 2, 2))[0, 0, 8, :, 6]
    assert rows[:2].tolist() == [0, 0]
    assert rows[2:-3].eq(1).all()
    assert rows[-3:].tolist() == [0, 0, 0]


def test_the_temporal_network_is_causal_and_sees_121_steps():
    torch.manual_seed(0)
    net = tcn.TCN(3, [4, 4, 4, 4]).eval()
    x = torch.randn(1, 3, 300, requires_grad=True)
    net(x)[0, :, 250].sum().backward()
    seen = x.grad[0].abs().sum(0).nonzero()[:, 0]
    assert (seen.min().item(), seen.max().item()) == (130, 250)


SMALL = [
    (i3d.InceptionI3d, faces(2, 4)),
    (i3d.I3dTcn, faces(2, 2)),
    (two_stream.R2Plus1d, faces(2, 8)),
    (two_stream.ResNet18, torch.randn(2, 64, 104)),
    (ir50.IR50Tcn, faces(2, 3, 48)),
    (vgg.VGGish, torch.randn(2, 96, 64)),
    (vgg.VggFace, faces(2, 1)[:, 0]),
    (vgg.SpectrogramCnn, torch.randn(2, 128, 65)),
]


@pytest.mark.parametrize(("made", "given"), SMALL)
def test_the_last_blocks_learn_and_the_others_stay(made, given):
    """Gradient reaches all tuned weights; frozen blocks keep weights and statistics."""
    torch.manual_seed(1)
    backbone = made(width=1 / 8)
    blocks = list(backbone.blocks())
    net = Tuned(backbone, 2, 2, dropout=0.0).train()
    before = {name: x.clone() for name, x in net.state_dict().items()}
    embedding, targets = net(given)
    assert embedding.shape == (2, backbone.dim)
    assert targets.shape == (2, 2)
    targets.square().sum().backward()
    tuned = {id(p) for block in blocks[-2:] for p in block.parameters()}
    frozen = {id(p) for block in blocks[:-2] for p in block.parameters()}
    assert {id(p) for p in net.backbone_weights()} == tuned | frozen
    for name, weight in net.named_parameters():
        if id(weight) in frozen:
            assert weight.grad is None, name
        else:
            assert weight.grad is not None, name
            assert weight.grad.isfinite().all(), name
    touched = [p for p in net.parameters() if id(p) in tuned and p.grad.abs().sum() > 0]
    assert len(touched) >= 0.8 * len(tuned)
    inside = [name for name, p in net.named_parameters() if id(p) in frozen]
    paths = {name.rpartition(".")[0] for name in inside}
    for name, x in net.state_dict().items():
        if name.rpartition(".")[0] in paths:
            assert torch.equal(x, before[name]), name


def test_all_weights_are_in_blocks_but_those_of_the_temporal_networks():
    for made, given in SMALL:
        backbone = on_meta(made)
        inside = {id(p) for block in backbone.blocks() for p in block.parameters()}
        outside = {n.split(".")[0] for n, p in backbone.named_parameters() if id(p) not in inside}
        assert outside <= {"tcn"}, (made, given.shape)
