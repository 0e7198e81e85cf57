"""Blocks of the speaker and face networks give the numbers of their equations, in plain NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from avfusion.encoders.backbones import ecapa, iresnet

CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def with_random_weights(net: nn.Module) -> nn.Module:
    """The network in float64, whose norms and slopes are not those of its start."""
    torch.manual_seed(0)
    for name, tensor in net.double().state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.randn_like(tensor) * 0.5)
            if name.endswith("running_var"):
                tensor.abs_().add_(0.2)
    return net.eval()


def numbers(net: nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in net.state_dict().items()}


def normed(w: dict[str, np.ndarray], path: str, x: np.ndarray) -> np.ndarray:
    """Batch norm with running moments; channels are the first axis."""
    mean, variance, factor, shift = (
        w[f"{path}.{name}"].reshape(-1, *[1] * (x.ndim - 1))
        for name in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * factor + shift


def over_time(w: dict[str, np.ndarray], path: str, x: np.ndarray, dilation: int = 1) -> np.ndarray:
    """Convolution of x (C, T) that is mirrored at its ends."""
    weight, bias = w[f"{path}.conv.weight"], w[f"{path}.conv.bias"]
    reach = dilation * (weight.shape[2] - 1) // 2
    padded = np.pad(x, ((0, 0), (reach, reach)), mode="reflect")
    found = np.empty((len(weight), x.shape[1]))
    for t in range(x.shape[1]):
        taps = padded[:, t : t + 2 * reach + 1 : dilation]  # (C, kernel)
        found[:, t] = np.einsum("oik,ik->o", weight, taps) + bias
    return found


def tdnn(w: dict[str, np.ndarray], path: str, x: np.ndarray, dilation: int = 1) -> np.ndarray:
    found = np.maximum(over_time(w, f"{path}.conv", x, dilation), 0)
    return normed(w, f"{path}.norm.norm", found)


@pytest.mark.parametrize("dilation", [2, 4])
def test_a_squeeze_excitation_res2net_block(dilation):
    block = with_random_weights(ecapa._SqueezedRes2Net(16, 3, dilation))
    x, w = torch.randn(2, 16, 13).double(), numbers(block)
    with torch.no_grad():
        found = block(x).numpy()
    for given, output in zip(x.numpy(), found, strict=True):
        parts = np.split(tdnn(w, "tdnn1", given), 8)
        results = [parts[0], tdnn(w, "res2net_block.blocks.0", parts[1], dilation)]
        for number in range(2, 8):
            path = f"res2net_block.blocks.{number - 1}"
            results.append(tdnn(w, path, parts[number] + results[-1], dilation))
        y = tdnn(w, "tdnn2", np.concatenate(results))
        hidden = np.maximum(over_time(w, "se_block.conv1", y.mean(1, keepdims=True)), 0)
        gate = 1 / (1 + np.exp(-over_time(w, "se_block.conv2", hidden)))
        np.testing.assert_allclose(output, gate * y + given, **CLOSE)


def test_attentive_statistics_pooling():
    pool = with_random_weights(ecapa._StatisticsPooling(6, 4))
    x, w = torch.randn(2, 6, 9).double(), numbers(pool)
    with torch.no_grad():
        found = pool(x).numpy()
    for given, output in zip(x.numpy(), found, strict=True):
        mean, deviation = (
            np.repeat(one[:, None], 9, axis=1) for one in (given.mean(1), given.std(1))
        )
        hidden = np.tanh(tdnn(w, "tdnn", np.concatenate([given, mean, deviation])))
        weights = np.exp(over_time(w, "conv", hidden))
        weights /= weights.sum(1, keepdims=True)
        mean = (weights * given).sum(1)
        deviation = np.sqrt((weights * given**2).sum(1) - mean**2)
        np.testing.assert_allclose(output[:, 0], np.concatenate([mean, deviation]), **CLOSE)


def over_plane(weight: np.ndarray, x: np.ndarray, stride: int = 1) -> np.ndarray:
    """Convolution of x (C, h, w) with zeros around it that keep its size at stride 1."""
    edge, kernel = weight.shape[2] // 2, weight.shape[2]
    padded = np.pad(x, ((0, 0), (edge, edge), (edge, edge)))
    rows, columns = range(0, x.shape[1], stride), range(0, x.shape[2], stride)
    found = np.empty((len(weight), len(rows), len(columns)))
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            patch = padded[:, top : top + kernel, left : left + kernel]
            found[:, i, j] = np.einsum("ocyx,cyx->o", weight, patch)
    return found


@pytest.mark.parametrize(("outputs", "stride"), [(3, 1), (5, 2)])
def test_a_unit_of_the_face_network(outputs, stride):
    unit = with_random_weights(iresnet._Unit(3, outputs, stride))
    x, w = torch.randn(2, 3, 6, 8).double(), numbers(unit)
    with torch.no_grad():
        found = unit(x).numpy()
    for given, output in zip(x.numpy(), found, strict=True):
        y = normed(w, "bn2", over_plane(w["conv1.weight"], normed(w, "bn1", given)))
        y = np.where(y > 0, y, w["prelu.weight"][:, None, None] * y)
        y = normed(w, "bn3", over_plane(w["conv2.weight"], y, stride))
        shortcut = given
        if stride == 2:
            shortcut = normed(w, "downsample.1", over_plane(w["downsample.0.weight"], given, 2))
        np.testing.assert_allclose(output, y + shortcut, **CLOSE)
