"""The attention family by its NumPy derivations, golden examples and published sizes."""

import numpy as np
import pytest
import torch

from avfusion.fusion.layers.audio_guided import AudioGuided
from avfusion.fusion.layers.bilstm import ResidualBiLSTM
from avfusion.fusion.layers.dense import DenseJointAttention
from avfusion.fusion.layers.gate import Gate
from support import derivations_family as by_hand
from support.fusions import VIDEO, clips, count, make, same, scatter


def _self_attention(a, v, w, options):
    sides = [by_hand.self_attended(x, by_hand.under(w, m)) for x, m in ((v, "video"), (a, "audio"))]
    return np.hstack(sides)


def _ca(a, v, w, options):
    return np.hstack(by_hand.cross_attended(a, v, w)[::-1])


def _rjca(a, v, w, options):
    return by_hand.joined(*by_hand.passes(a, v, w, options["recursions"])[-1], w)


def _dense(a, v, w, options):
    pairs = by_hand.dense_passes(a, v, w, options["depth"], options.get("guided", "none"))
    return by_hand.joined(*pairs[-1], w)


def _dca(a, v, w, options):
    own = by_hand.under(w, "attention")
    pairs = by_hand.passes(a, v, own, options["inner"]["recursions"])
    return by_hand.joined(*by_hand.dca(pairs[0], pairs[-1], w, options["temperature"]), own)


def _iaca(a, v, w, options):
    return by_hand.iaca(a, v, w, options["stage2"], options["temperature"])


def _grjca(a, v, w, options):
    own, t = by_hand.under(w, "attention"), options["temperature"]
    sides = list(zip(*by_hand.passes(a, v, own, options["recursions"]), strict=True))
    gates = [by_hand.under(w, name) for name in ("gate_audio", "gate_video")]
    mixed = [by_hand.gated(x[-1], list(x), g, t) for x, g in zip(sides, gates, strict=True)]
    return by_hand.joined(*mixed, own)


def _hgrjca(a, v, w, options):
    own, t = by_hand.under(w, "attention"), options["temperature"]
    sides = list(zip(*by_hand.passes(a, v, own, options["recursions"]), strict=True))
    parts = [by_hand.under(w, name) for name in ("audio", "video")]
    mixed = [by_hand.hierarchy(list(x), p, t) for x, p in zip(sides, parts, strict=True)]
    return by_hand.joined(*mixed, own)


WARM = {"temperature": 0.7}
DERIVATIONS = [
    ("self_attention", _self_attention, {}),
    ("ca", _ca, {"stages": 1}),
    ("ca", _ca, {"stages": 2}),
    *(
        ("rjca", _rjca, {"recursions": n, "share": share, "blstm": blstm, "encode": 6})
        for n, share, blstm in [(1, False, "none"), (3, False, "both"), (4, True, "joint")]
    ),
    ("rjca", _rjca, {"recursions": 2, "blstm": "none", "encode": 0}),
    ("dense_joint", _dense, {"depth": 1, "blstm": "joint", "width": 4}),
    ("dense_joint", _dense, {"depth": 3, "blstm": "both", "width": 4}),
    ("dense_joint", _dense, {"depth": 1, "blstm": "joint", "width": 4, "guided": "spatial"}),
    ("dense_joint", _dense, {"depth": 2, "blstm": "both", "width": 4, "guided": "as_published"}),
    ("dca", _dca, {"wraps": "rjca", "inner": {"recursions": 2, "encode": 4}, **WARM}),
    ("iaca", _iaca, {"encode": 4, "stage2": "sum", **WARM}),
    ("iaca", _iaca, {"encode": 4, "stage2": "concat", **WARM}),
    ("grjca", _grjca, {"recursions": 3, "encode": 4, **WARM}),
    ("hgrjca", _hgrjca, {"recursions": 3, "encode": 4, **WARM}),
]


@pytest.mark.parametrize(("name", "derive", "options"), DERIVATIONS)
def test_equals_its_derivation(name, derive, options):
    video = 49 * 3 if options.get("guided") else VIDEO
    fuse = scatter(make(name, video=video, **options))
    a, v, *here = clips(video=video)
    w = {key: p.detach().numpy() for key, p in fuse.named_parameters()}
    found = fuse(a.double(), v.double(), *here).features.detach()
    expected = np.stack(
        [
            derive(x, y, w, options)
            for x, y in zip(a.double().numpy(), v.double().numpy(), strict=True)
        ]
    )
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-9)


def test_gate_golden_example():
    gate = Gate(2, 2)
    gate.layer.weight.data.zero_()
    gate.layer.bias.data = torch.tensor([0.2, 0.35])
    x, y = torch.tensor([[[1.0, -2.0]]]), torch.tensor([[[1.5, -1.0]]])
    mixed, chosen = gate(y, [x, y])
    same(chosen[0, 0], torch.tensor([0.182426, 0.817574]))
    same(mixed[0, 0], torch.tensor([1.408787, 0.0]))


HEADS = 2 * (512 * 128 + 128 + 128 + 1)
MAPS = 49 * 512


def test_published_blocks_have_their_sizes():
    assert count(DenseJointAttention(512, 512, 16)) == 2_625_056
    assert count(AudioGuided(512, MAPS)) == 838_193
    assert count(ResidualBiLSTM(1024, 512)) == 4_991_488
    assert count(ResidualBiLSTM(512, 512)) == 3_680_768
    assert count(Gate(512, 512)) == 1_026


GUIDED = {"guided": "as_published"}


@pytest.mark.parametrize(
    ("name", "options", "published"),
    [
        ("dense_joint", {"blstm": "joint", **GUIDED}, 8_586_323),
        ("dense_joint", {"blstm": "both", **GUIDED}, 15_947_859),
        ("dca", {"wraps": "dense_joint", "inner": {"depth": 2, **GUIDED}}, 18_574_967),
    ],
)
def test_published_models_have_their_sizes(name, options, published):
    assert count(make(name, 512, MAPS, 16, **options)) + HEADS == published


def test_jca_as_trained_ignores_attended_audio():
    fuse = make("jca", 512, 512, 8, raw_video=True)
    assert count(fuse) + 640 * 128 + 128 + 128 + 1 == 231_041
    fuse(*clips(512, 512, 8)).features.square().sum().backward()
    idle = [p for p in fuse.parameters() if p.grad is None or not p.grad.any()]
    assert sum(p.numel() for p in idle) == 8_768
    assert {id(p) for p in idle} == {id(p) for p in fuse.audio.parameters()}
