"""The dense joint operator over any modalities, and the sizes of published models that use it."""

import numpy as np
import pytest
import torch
from torch import nn

from avfusion.errors import ConfigError
from avfusion.fusion.layers.dense import DenseBlock, DenseJointAttention
from avfusion.registry import fusions
from support import derivations_family as by_hand
from support.fusions import clips, count, make, scatter

ALL = ("audio", "video", "text")
DIMS = {"audio": 5, "video": 7, "text": 4}
DENSE = {"operator": "dense", "encode": 0, "blstm": "none"}


def rjcma(dims: dict = DIMS, steps: int = 6, **options) -> nn.Module:
    torch.manual_seed(0)
    given = {"modalities": list(dims), **DENSE, **options}
    wide = [dims.get(m, 1) for m in ALL][: 3 if "text" in dims else 2]
    return fusions.get("rjcma")(*wide, steps=steps, **given).eval()


def rows(dims: dict = DIMS) -> dict:
    draw = np.random.default_rng(0)
    return {m: draw.normal(size=(6, d)) for m, d in dims.items()}


def fused(fuse: nn.Module, x: dict):
    here = torch.ones(1, 6, dtype=torch.bool)
    given = {m: torch.from_numpy(x.get(m, np.zeros((6, 1))))[None] for m in ALL}
    text = (given["text"], here) if "text" in x else ()
    return fuse(given["audio"], given["video"], here, here, *text)


def dense(x: dict, w: dict) -> dict:
    """One block from the equations of layers/dense.py; the joint is [video; audio; text]."""
    joint = np.hstack([x[m] for m in ("video", "audio", "text") if m in x])
    q = by_hand.affine(joint, w, "query") if "query.weight" in w else joint
    after = {}
    for m, part in x.items():
        own = by_hand.under(w, m)
        k = (own["key.weight"] @ part + own["key.bias"][:, None]).T
        s = np.tanh(k @ q / np.sqrt(q.shape[1]))
        u = by_hand.relu(np.tanh(by_hand.affine(part, own, "value") @ s))
        after[m] = part + by_hand.relu(by_hand.affine(u, own, "back"))
    return after


@pytest.mark.parametrize("project", [False, True])
@pytest.mark.parametrize("names", [ALL, ("audio", "video"), ("audio", "text")], ids=str)
@pytest.mark.parametrize(("recursions", "share"), [(1, False), (2, False), (3, True)])
def test_rjcma_of_dense_operators_in_numpy(names, project, recursions, share):
    dims = {m: DIMS[m] for m in names}
    fuse = scatter(rjcma(dims, project=project, recursions=recursions, share=share))
    w = {key: p.detach().numpy() for key, p in fuse.named_parameters()}
    x = rows(dims)
    found = fused(fuse, x)
    for n in range(recursions):
        x = dense(x, by_hand.under(w, f"blocks.{0 if share else n}"))
    expected = np.hstack([x[m] for m in ("video", "audio", "text") if m in x])
    np.testing.assert_allclose(found.features[0].detach().numpy(), expected, rtol=0, atol=1e-9)
    assert {f"{m}_{recursions}" for m in names} <= found.maps.keys()
    total = sum(dims.values())
    assert found.maps[f"audio_{recursions}"].shape == (1, 5, total)


def test_rjcma_has_the_published_parameters():
    """Widths 256, 128, 128 and 300 steps; its code has 2 projections of the joint, which are idle.

    Its head: 512 -> 256, batch normalisation, 256 -> 1.
    """
    dims = {"audio": 128, "video": 256, "text": 128}
    idle, head = 2 * (512 * 512 + 512), (512 * 256 + 256) + 2 * 256 + (256 + 1)
    assert count(rjcma(dims, 300, project=False)) == 1_922_153 - idle - head == 1_264_744
    assert count(rjcma(dims, 300)) == 1_922_153 - head


def test_two_modalities_are_the_operator_of_dense_joint():
    """The same weights from the same seed, and the same output, as the block of audio and video."""
    torch.manual_seed(0)
    pair = DenseJointAttention(5, 7, 6)
    torch.manual_seed(0)
    block = DenseBlock({"audio": 5, "video": 7}, 6)
    assert list(pair.state_dict()) == list(block.state_dict())
    a, v, heard, seen = clips()
    heard[0, 2], seen[1] = False, False
    found = pair.eval().attend(a, v, heard, seen).after
    x, present = {"audio": a, "video": v}, {"audio": heard[..., None], "video": seen[..., None]}
    expected, _ = block.eval()(x, present)
    assert torch.equal(found.audio, expected["audio"])
    assert torch.equal(found.video, expected["video"])


def test_a_clip_absent_in_all_modalities_has_no_query():
    """Biases of the projection have no effect where nothing is present."""
    fuse = scatter(rjcma())
    a, v, heard, _ = clips()
    heard[:, 3] = False
    t = torch.randn(3, 6, 4, dtype=torch.float64)
    batch = [x.double() * heard[..., None] for x in (a, v, t)]
    first = fuse(batch[0], batch[1], heard, heard, batch[2], heard).features
    for block in fuse.blocks:
        block.query.bias.data += 5.0
    second = fuse(batch[0], batch[1], heard, heard, batch[2], heard)
    correlations = second.maps["audio_1"]
    assert (first - second.features).abs().max() > 1e-3
    assert correlations.isfinite().all()
    alone = [torch.zeros_like(x) for x in batch]
    gone = torch.zeros_like(heard)
    nothing = fuse(alone[0], alone[1], gone, gone, alone[2], gone).maps["audio_1"]
    assert not nothing.any(), "S is tanh(K 0)"


def test_dropout_of_the_dense_operator_is_an_option_and_only_in_training():
    x = rows()
    for share, differ in ((0.6, True), (0.0, False)):
        fuse = rjcma(dropout=share).double()
        still = fused(fuse, x).features
        torch.manual_seed(3)
        moved = fused(fuse.train(), x).features
        assert torch.equal(still, moved) != differ


HEADS = 2 * (512 * 128 + 128 + 128 + 1)


def test_dca_has_its_size_without_audio_guided_attention():
    """18,574,967 with it (test_fusion_family.py); the pooled features are 512 wide."""
    inner = {"depth": 2}
    fuse = make("dca", 512, 512, 16, wraps="dense_joint", inner=inner)
    assert count(fuse) + HEADS == 17_736_774 == 18_574_967 - 838_193


def test_refuses_an_unknown_operator():
    with pytest.raises(ConfigError, match="rjcma: operator is 'tanh'; set `joint` or `dense`"):
        rjcma(operator="tanh")
