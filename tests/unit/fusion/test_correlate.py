"""Blockwise attention with tanh: the same numbers and gradients as the plain form, and lean."""

from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from avfusion.fusion.layers import correlation
from avfusion.fusion.layers.correlation import attend, correlations
from avfusion.fusion.layers.dense import DenseJointAttention
from avfusion.registry import fusions

BLOCKS = [1, 40, 90, 10_000]
"""Scores in a block: less than a row, parts of windows, parts of the batch, everything."""
EITHER = list(product([False, True], BLOCKS))


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny products on several threads mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=["scores are kept", "scores are computed again"])
def kept(request, monkeypatch):
    """Whether the backward pass reads the scores of the forward pass or computes them again."""
    if request.param != "scores are kept":
        monkeypatch.setattr(correlation, "KEPT", 0)


def case(shared: bool, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Keys (6, 5, 4), queries (6, 4, 7), values (7, 3) or (6, 7, 3), all with gradients."""
    draw = torch.Generator().manual_seed(0)
    sizes = (6, 5, 4), (6, 4, 7), (7, 3) if shared else (6, 7, 3)
    drawn = (torch.randn(size, generator=draw, dtype=torch.float64) for size in sizes)
    keys, queries, values = (x.to(dtype).requires_grad_() for x in drawn)
    return keys, queries, values


@pytest.mark.parametrize(("shared", "block"), EITHER)
def test_equals_the_plain_form_in_any_block(shared, block):
    keys, queries, values = case(shared)
    found = attend(keys, queries, values, block=block)
    torch.testing.assert_close(found, torch.tanh(keys @ queries) @ values)


@pytest.mark.parametrize("dropout", [0.0, 0.6])
@pytest.mark.parametrize(("shared", "block"), EITHER)
def test_gradients_are_those_of_its_own_output(kept, shared, block, dropout):
    """By finite differences; with dropout, backward drops what forward dropped."""

    def drawn(*inputs: Tensor) -> Tensor:
        torch.manual_seed(3)
        return attend(*inputs, dropout, block)

    assert torch.autograd.gradcheck(drawn, case(shared), fast_mode=True)


@pytest.mark.parametrize("shared", [False, True])
def test_kept_scores_give_the_same_bits(shared, monkeypatch):
    grads = []
    for most in (correlation.KEPT, 0):
        monkeypatch.setattr(correlation, "KEPT", most)
        inputs = case(shared, torch.float32)
        attend(*inputs, block=40).square().sum().backward()
        grads.append([x.grad for x in inputs])
    assert all(torch.equal(x, y) for x, y in zip(*grads, strict=True))


@pytest.mark.parametrize("shared", [False, True])
def test_float32_is_near_float64(shared):
    found = attend(*case(shared, torch.float32), block=40)
    expected = attend(*case(shared)).float()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shared", [False, True])
def test_bfloat16_autocast_is_near_float64_with_its_gradients(kept, shared):
    inputs, exact = case(shared, torch.float32), case(shared)
    with torch.autocast("cpu", torch.bfloat16):
        found = attend(*inputs, block=40)
    assert found.dtype == torch.bfloat16
    expected = attend(*exact)
    torch.testing.assert_close(found.double(), expected, rtol=0.03, atol=0.05)
    found.float().sum().backward()
    expected.sum().backward()
    for x, y in zip(inputs, exact, strict=True):
        assert x.grad.dtype == torch.float32
        torch.testing.assert_close(x.grad.double(), y.grad, rtol=0.05, atol=0.1)


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_dropout_drops_its_share_and_keeps_the_mean(share):
    keys, queries = torch.full((50, 20, 1), 50.0), torch.ones(50, 1, 40)  # all scores are 1
    torch.manual_seed(0)
    kept = attend(keys, queries, torch.eye(40), share)  # (50, 20, 40): the scores themselves
    dropped = (kept == 0).double().mean().item()
    assert dropped == pytest.approx(share, abs=5 * (share * (1 - share) / kept.numel()) ** 0.5)
    assert kept[kept != 0].unique().tolist() == pytest.approx([1 / (1 - share)], rel=1e-4)


def test_dropout_is_new_each_time_and_repeats_with_its_seed():
    inputs = case(shared=True)
    torch.manual_seed(0)
    first, second = attend(*inputs, 0.5), attend(*inputs, 0.5)
    torch.manual_seed(0)
    assert not torch.equal(first, second)
    assert torch.equal(first, attend(*inputs, 0.5))


class _Largest(TorchDispatchMode):
    """The most entries of any tensor that an operation gives."""

    entries = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for x in out if isinstance(out, tuple | list) else [out]:
            self.entries = max(self.entries, x.numel() if isinstance(x, Tensor) else 0)
        return out


def _jca() -> nn.Module:
    return fusions.get("jca")(256, 256, steps=4, encode=0)


def _dense() -> nn.Module:
    return DenseJointAttention(256, 256, steps=4)


@pytest.mark.parametrize("make", [_jca, _dense])
def test_a_training_step_never_holds_all_scores(make):
    """40 windows of 256 x 512 scores a modality, which are too many to be kept."""
    windows, x = 40, torch.randn(40, 4, 256, requires_grad=True)
    assert windows * 256 * 512 > correlation.KEPT
    here, module = torch.ones(windows, 4, dtype=torch.bool), make()
    with _Largest() as watched:
        torch.cat(module.attend(x, x, here, here).after).sum().backward()
    assert 0 < watched.entries < windows * 256 * 512 / 2
    assert all(p.grad is not None and p.grad.any() for p in module.parameters())


def test_maps_are_the_scores_when_they_are_read():
    fuse, x = fusions.get("rjca")(6, 6, steps=4, encode=0, recursions=2), torch.randn(3, 4, 6)
    here = torch.ones(3, 4, dtype=torch.bool)
    maps = fuse(x, x, here, here).maps
    assert list(maps) == ["audio_1", "video_1", "audio_2", "video_2"]
    assert maps["video_2"].shape == (3, 6, 12)
    assert all(0 < m.abs().max() < 1 for m in maps.values())


def test_correlations_are_what_attend_sums():
    keys, queries, values = case(shared=True)
    torch.testing.assert_close(
        correlations(keys, queries) @ values, attend(keys, queries, values, block=40)
    )
