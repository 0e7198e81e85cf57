"""What each fusion of the attention family claims, as properties; its controls and its refusals."""

import pytest
import torch
from safetensors.torch import load, save

from avfusion.errors import ConfigError
from avfusion.fusion.base import Attention, Pair
from avfusion.fusion.layers.audio_guided import AudioGuided
from avfusion.fusion.layers.bilstm import ResidualBiLSTM
from avfusion.fusion.layers.gate import Gate
from avfusion.fusion.wrap import ABLE
from avfusion.registry import fusions
from support.fusions import AUDIO, STEPS, VIDEO, clips, count, make, same

GATED = ["dca", "iaca", "grjca", "hgrjca"]
INNER = {name: {"width": 8} if name == "dense_joint" else {} for name in ABLE}
VARIANTS = [
    *(("dca", {"wraps": name, "inner": INNER[name]}) for name in ABLE),
    *(("iaca", {"wraps": name, "inner": INNER[name], "stage2": "concat"}) for name in ABLE),
    ("iaca", {"wraps": "jca", "encode": 0}),
    *(
        (name, {"gate": gate})
        for name in GATED
        for gate in ("none", "fixed", "random", "relu_only")
    ),
    *(("rjca", {"blstm": blstm, "recursions": 4}) for blstm in ("none", "unimodal", "joint")),
    ("rjca", {"share": True, "recursions": 3}),
    ("rjca", {"encode": 0, "blstm": "none"}),
    *(("dense_joint", {"blstm": blstm, "depth": 2}) for blstm in ("none", "unimodal", "joint")),
    ("dense_joint", {"unit_length": False}),
    ("lstm", {"per_modality": True}),
    ("lstm", {"form": "residual"}),
    ("lstm", {"form": "residual", "per_modality": True, "layers": 1}),
    ("ca", {"stages": 2}),
    ("self_transformer", {"heads": 2, "memory": False, "pool": False}),
    ("mbt", {"fuse_from": 0, "layers": 2, "bottlenecks": 1}),
    ("mmlatch", {"feedback": False}),
]


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_every_option_keeps_the_contract(name, options):
    """Finite without both modalities, every parameter learns, windows stay apart, weights save."""
    known = fusions.options(name)
    small = {key: 8 for key in ("encode", "width", "hidden") if key in known}
    fuse = make(name, **small | options)
    a, v, _, _ = clips()
    heard, seen = torch.ones(2, len(a), STEPS, dtype=torch.bool).unbind()
    heard[0], seen[0], seen[1, 2:] = False, False, False
    a, v = a * heard[..., None], v * seen[..., None]
    features, maps = fuse(a, v, heard, seen)
    assert features.shape == (len(a), STEPS, fuse.out_dim)
    assert features.isfinite().all()
    assert all(m.isfinite().all() and len(m) == len(a) for m in maps.values())
    features.square().sum().backward()
    assert not [key for key, p in fuse.named_parameters() if p.grad is None or not p.grad.any()]
    alone = fuse(a[1:2], v[1:2], heard[1:2], seen[1:2]).features
    torch.testing.assert_close(features[1:2], alone, rtol=1e-4, atol=1e-5)
    fuse.load_state_dict(load(save(fuse.state_dict())))


def test_all_that_attends_can_be_wrapped():
    names = {name for name in fusions.names() if issubclass(fusions.get(name), Attention)}
    assert names == set(ABLE)


def test_one_recursion_without_memory_is_jca():
    rjca, jca = make("rjca", recursions=1, blstm="none"), make("jca")
    weights = {k.replace("blocks.0.", ""): v for k, v in rjca.state_dict().items()}
    jca.load_state_dict(weights)
    same(rjca(*clips()).features, jca(*clips()).features)


def test_sharing_makes_recursion_free_of_parameters():
    shared = {count(make("rjca", recursions=n, share=True)) for n in (1, 2, 4)}
    apart = [count(make("rjca", recursions=n)) for n in (1, 2, 4)]
    assert shared == {apart[0]}
    assert apart[0] < apart[1] < apart[2]


@pytest.mark.parametrize("wraps", ABLE)
def test_controls_of_dca_are_what_they_say(wraps):
    """relu_only: ReLU of the attended; fixed: of the mean, as is an infinite temperature."""
    batch, inner = clips(), {"blstm": "none"} if "blstm" in fusions.options(wraps) else {}
    plain = make(wraps, **inner)
    before, after, _ = plain.attend(*batch)
    audio, video = torch.relu(before.audio + after.audio), torch.relu(before.video + after.video)
    mean = plain.join(Pair(audio / 2, video / 2))
    attended = plain.join(Pair(torch.relu(after.audio), torch.relu(after.video)))
    expected = {"relu_only": attended, "fixed": mean, "learned": mean}
    for gate, features in expected.items():
        fuse = make("dca", wraps=wraps, inner=inner, gate=gate, temperature=1e9)
        fuse.attention.load_state_dict(plain.state_dict())
        same(fuse(*batch).features, features, 1e-5)


def test_without_relu_or_gate_dca_is_the_attention_it_wraps():
    plain = make("jca")
    fuse = make("dca", gate="relu_only", relu=False)
    fuse.attention.load_state_dict(plain.state_dict())
    assert torch.equal(fuse(*clips()).features, plain(*clips()).features)


@pytest.mark.parametrize("name", GATED)
def test_the_ungated_control_has_as_many_parameters(name):
    learned, ungated = make(name), make(name, gate="none")
    assert count(ungated) == count(learned) > count(make(name, gate="fixed"))


@pytest.mark.parametrize("name", GATED)
def test_gate_weights_are_shares_and_a_random_gate_follows_its_own_seed(name):
    maps = [
        make(name, gate=gate, seed=seed)(*clips()).maps
        for gate, seed in [("learned", 0), ("random", 0), ("random", 0), ("random", 1)]
    ]
    gates = [{k: m for k, m in found.items() if k.startswith(("gate", "high"))} for found in maps]
    for found in gates:
        assert all(m.shape == (3, STEPS) for m in found.values())
        assert all(((m >= 0) & (m <= 1)).all() for m in found.values())
    assert all(torch.equal(gates[1][k], gates[2][k]) for k in gates[1])
    assert any(not torch.allclose(gates[1][k], gates[3][k]) for k in gates[1])


def test_a_cold_gate_picks_and_a_closed_gate_gives_no_gradient_to_the_other():
    gate = Gate(4, 4, temperature=1e-4)
    versions = [torch.rand(2, 3, 4).requires_grad_() for _ in range(2)]
    mixed, chosen = gate(torch.randn(2, 3, 4), versions)
    assert ((chosen < 1e-3) | (chosen > 1 - 1e-3)).float().mean() > 0.9
    best = torch.stack(versions, -1).gather(
        -1, chosen.argmax(-1)[..., None, None].expand(-1, -1, 4, 1)
    )[..., 0]
    same(mixed, best, 1e-3)


@pytest.mark.parametrize("modality", ["audio", "video"])
def test_a_one_hot_second_stage_of_iaca_returns_that_modality(modality):
    fuse = make("iaca")
    kept = {}
    for name in ("audio", "video"):
        gate = getattr(fuse, f"gate_{name}")
        gate.register_forward_hook(lambda _, __, out, name=name: kept.update({name: out[0]}))
    fuse.gate.layer.weight.data.zero_()
    fuse.gate.layer.bias.data = torch.tensor([9.0, -9.0] if modality == "audio" else [-9.0, 9.0])
    same(fuse(*clips()).features, kept[modality])


def test_an_absent_modality_has_no_vote_in_late_fusion():
    fuse, (a, v, here, _) = make("late"), clips()
    gone = torch.zeros_like(here)
    same(fuse(a, v, here, gone).features, fuse.audio(a))
    same(fuse(a, v, gone, here).features, fuse.video(v))
    same(fuse(a, v, here, here).features, (fuse.audio(a) + fuse.video(v)) / 2)
    assert not fuse(a, v, gone, gone).features.any()


def test_memory_stays_bounded_over_a_long_absence():
    block = ResidualBiLSTM(AUDIO, 8).eval()
    x = torch.randn(2, 400, AUDIO)
    x[:, 50:350] = 0
    found = block(x)
    same(found.norm(dim=-1), torch.ones(2, 400), 1e-5)
    assert found.isfinite().all()


@pytest.mark.parametrize(("layout", "follows"), [("spatial", True), ("as_published", False)])
def test_guided_attention_weighs_places_only_in_the_spatial_layout(layout, follows):
    """Moving what is seen moves the weights with it and leaves the output, if rows are places."""
    torch.manual_seed(0)
    block = AudioGuided(AUDIO, 49 * 4, layout=layout)
    audio, faces = torch.zeros(2, 3, AUDIO), torch.randn(2, 3, 4, 49)
    order = torch.randperm(49)
    out, weights = block(audio, faces.flatten(2))
    moved, moved_weights = block(audio, faces[..., order].flatten(2))
    assert torch.allclose(moved, out, atol=1e-5) == follows
    assert torch.allclose(moved_weights, weights[..., order], atol=1e-5) == follows


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("dca", {"wraps": "concat"}, "cannot wrap 'concat'"),
        ("dca", {"inner": {"hiden": 4}}, "no option 'hiden'"),
        ("dca", {"inner": {"raw_video": True}}, "raw_video"),
        ("dca", {"gate": "soft"}, "gate is 'soft'"),
        ("dca", {"temperature": 0.0}, "temperature is 0.0"),
        ("iaca", {"stage2": "max"}, "stage2 is 'max'"),
        ("iaca", {"encode": 0}, "equal widths"),
        ("iaca", {"wraps": "rjca"}, "no joint BLSTM"),
        ("hgrjca", {"recursions": 1}, "recursions is 1"),
        ("rjca", {"blstm": "all"}, "blstm is 'all'"),
        ("rjca", {"encode": 7}, "even width, found 7"),
        ("dense_joint", {"guided": "spatial"}, f"found {VIDEO}"),
        ("ca", {"stages": 3}, "stages is 3"),
        ("lstm", {"form": "gru"}, "form is 'gru'"),
    ],
)
def test_refusals_name_the_setting_and_what_was_found(name, options, says):
    with pytest.raises(ConfigError, match=says.replace("(", r"\(")):
        make(name, **options)
