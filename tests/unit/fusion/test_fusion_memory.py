"""BLSTMs around JCA and concatenation, which are those of RJCA: only the attention differs."""

import numpy as np
import pytest
import torch

from avfusion.errors import ConfigError
from avfusion.fusion.layers.bilstm import BLSTM
from avfusion.registry import fusions
from support import derivations_family as by_hand
from support.fusions import clips, count, make, same, scatter

WIDE = 24, 40  # audio, video; unequal
PLACES = [("none", 128), ("unimodal", 128), ("joint", 128), ("both", 128), ("both", 0)]
ALL = ["audio", "video", "text"]


def gaps(steps: int = 6):
    """Windows in which some clips are absent, in one modality or both."""
    a, v, *_ = clips(*WIDE, steps)
    heard, seen = (torch.ones(3, steps, dtype=torch.bool) for _ in range(2))
    heard[0, 2], heard[2], seen[0, 2:4], seen[1, 0] = False, False, False, False
    return a * heard[..., None], v * seen[..., None], heard, seen


def renamed(weights: dict, **names: str) -> dict:
    """Weights under the names of another module; names: old beginning -> new one."""
    out = {}
    for key, value in weights.items():
        for old, new in names.items():
            if key.startswith(old):
                key = new + key[len(old) :]
                break
        out[key] = value
    return out


@pytest.mark.parametrize(("blstm", "encode"), PLACES)
def test_jca_with_blstms_is_rjca_with_one_recursion(blstm, encode):
    """Bit for bit on copied weights: features, maps and gradients; and the same start."""
    jca = make("jca", *WIDE, blstm=blstm, encode=encode)
    rjca = make("rjca", *WIDE, blstm=blstm, encode=encode, recursions=1)
    moved = renamed(jca.state_dict(), **{"audio.": "blocks.0.audio.", "video.": "blocks.0.video."})
    assert moved.keys() == rjca.state_dict().keys()
    assert all(torch.equal(moved[key], p) for key, p in rjca.state_dict().items())
    for fuse in (jca, rjca):
        for p in fuse.parameters():
            p.data.mul_(1.1)
    found, expected = jca(*gaps()), rjca(*gaps())
    assert torch.equal(found.features, expected.features)
    assert torch.equal(found.maps["audio"], expected.maps["audio_1"])
    found.features.square().sum().backward()
    expected.features.square().sum().backward()
    gradients = renamed(
        {key: p.grad for key, p in jca.named_parameters()},
        **{"audio.": "blocks.0.audio.", "video.": "blocks.0.video."},
    )
    assert all(torch.equal(gradients[key], p.grad) for key, p in rjca.named_parameters())


@pytest.mark.parametrize(("blstm", "encode"), PLACES)
def test_concat_with_blstms_is_rjca_without_its_attention(blstm, encode):
    """On copied weights, where the attention of RJCA adds nothing to its input."""
    rjca = make("rjca", *WIDE, blstm=blstm, encode=encode)
    for block in rjca.blocks:
        for side in (block.audio, block.video):
            side.back.weight.data.zero_()
    concat = make("concat", *WIDE, blstm=blstm, encode=encode)
    outer = {k: p for k, p in rjca.state_dict().items() if not k.startswith("blocks")}
    names = {f"encode_{m}.": f"encode.{m}." for m in ("audio", "video")}
    names |= {f"{m}_memory.": f"memories.{m}." for m in ("audio", "video")}
    concat.load_state_dict(renamed(outer, **names))
    assert concat.out_dim == rjca.out_dim
    assert count(concat) == count(rjca) - count(rjca.blocks)
    assert torch.equal(concat(*gaps()).features, rjca(*gaps()).features)


def test_without_encoders_the_joint_blstm_is_as_wide_as_video_or_else_the_widest():
    options = {"blstm": "joint", "encode": 0}
    for name in ("concat", "jca", "rjca"):
        assert make(name, 40, 24, **options).out_dim == 24
    torch.manual_seed(0)
    pair = fusions.get("concat")(6, 7, 8, steps=6, blstm="joint", modalities=["audio", "text"])
    assert pair.out_dim == 8


def test_the_controls_have_the_parameters_that_their_parts_have():
    """512 + 512 features, 16 clips: encoders, BLSTMs, and two or one or no joint attentions."""
    encoders, start = 2 * 513 * 128, 8 * 64
    first, joint, second = (2 * 4 * 64 * (inputs + 64 + 2) for inputs in (128, 256, 128))
    one_lstm = first + second + start + (2 * 128 + 1) * 128
    joint_lstm = joint + second + start + (3 * 128 + 1) * 128
    attention = 2 * (16 * 16 + 256 * 32 + 2 * 16 * 32)
    around = encoders + 2 * one_lstm + joint_lstm
    both = {"steps": 16, "blstm": "both"}
    assert count(make("concat", 512, 512, encode=128, **both)) == around
    assert count(make("jca", 512, 512, **both)) == around + attention
    assert count(make("rjca", 512, 512, **both)) == around + 2 * attention


@pytest.mark.parametrize("name", ["jca", "concat"])
def test_without_options_there_is_neither_encoder_nor_blstm_to_train(name):
    fuse = make(name, *WIDE)
    assert not [key for key in fuse.state_dict() if "memor" in key]
    a, v, *here = clips(*WIDE)
    if name == "concat":
        assert not [*fuse.parameters()]
        assert torch.equal(fuse(a, v, *here).features, torch.cat([v, a], dim=-1))


@pytest.mark.parametrize("blstm", BLSTM)
def test_concat_of_three_in_numpy(blstm):
    torch.manual_seed(0)
    dims = 5, 7, 4
    options = {"modalities": ALL, "encode": 6, "blstm": blstm}
    fuse = scatter(fusions.get("concat")(*dims, steps=6, **options).eval())
    draw = torch.Generator().manual_seed(3)
    x = {m: torch.randn(1, 6, d, generator=draw).double() for m, d in zip(ALL, dims, strict=True)}
    here = torch.ones(1, 6, dtype=torch.bool)
    found = fuse(x["audio"], x["video"], here, here, x["text"], here).features[0]
    w = {key: p.detach().numpy() for key, p in fuse.named_parameters()}
    rows = {m: by_hand.affine(x[m][0].numpy(), w, f"encode.{m}") for m in ALL}
    rows = {m: by_hand.memory_if(r, w, f"memories.{m}") for m, r in rows.items()}
    joined = np.hstack([rows[m] for m in ("video", "audio", "text")])
    expected = by_hand.memory_if(joined, w, "memory")
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("wraps", ["dca", "iaca"])
def test_gates_wrap_jca_with_blstms(wraps):
    """A gate has the joint BLSTM after it; the sum of IACA has no place for one and refuses it."""
    inner = {"blstm": "unimodal" if wraps == "iaca" else "both"}
    fuse = make(wraps, *WIDE, wraps="jca", inner=inner)
    assert fuse(*gaps()).features.shape == (3, 6, 128)
    if wraps == "iaca":
        with pytest.raises(ConfigError, match=r"inner: \{blstm: unimodal\}"):
            make("iaca", *WIDE, wraps="jca", inner={"blstm": "both"})


def test_dca_around_jca_with_blstms_is_dca_around_one_recursion():
    around = {"wraps": "jca", "inner": {"blstm": "both"}}
    once = {"wraps": "rjca", "inner": {"recursions": 1}}
    same(
        make("dca", *WIDE, **around)(*gaps()).features, make("dca", *WIDE, **once)(*gaps()).features
    )


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("jca", {"blstm": "double"}, "jca: blstm is 'double'; set one of none, unimodal"),
        ("concat", {"blstm": "double"}, "concat: blstm is 'double'"),
        ("jca", {"blstm": "both", "raw_video": True}, "nothing is joined for `blstm: both`"),
        ("concat", {"blstm": "joint", "encode": 9}, "needs an even width, found 9"),
    ],
)
def test_refusals_name_the_setting(name, options, says):
    with pytest.raises(ConfigError, match=says):
        make(name, *WIDE, **options)


def test_jca_as_trained_may_still_have_blstms_before_its_attention():
    fuse = make("jca", *WIDE, blstm="unimodal", raw_video=True)
    assert fuse(*gaps()).features.shape == (3, 6, 40 + 128) == (3, 6, fuse.out_dim)


def test_a_study_offers_the_places_that_the_layer_knows():
    """They are written out in each fusion, because a check of a study reads them as text."""
    with_places = [name for name in fusions.names() if "blstm" in fusions.options(name)]
    assert len(with_places) > 5
    for name in with_places:
        assert fusions.annotations(name)["blstm"] == f"Literal{list(BLSTM)}", name
