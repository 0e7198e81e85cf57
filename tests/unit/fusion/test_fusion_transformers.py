"""Fusions of multi-head attention: derivations in NumPy, published sizes, ideas and refusals."""

from functools import partial

import numpy as np
import pytest
import torch

from avfusion.errors import ConfigError
from avfusion.fusion.mbt import Block
from support import derivations_transformers as by_hand
from support.fusions import AUDIO, STEPS, VIDEO, clips, count, make, same, scatter

PAIR = ["self_transformer", "cross_transformer"]
SMALL = {"width": 12, "heads": 3}


def _selfcross(name, a, v, w, **options):
    across = name == "cross_transformer"
    return by_hand.selfcross({"audio": a, "video": v}, w, across=across, heads=3, **options)


BLOCKS = {**SMALL, "layers": 3}
DERIVATIONS = [
    *(
        (name, SMALL | options, partial(_selfcross, name, **options))
        for name in PAIR
        for options in ({}, {"memory": False}, {"pool": False})
    ),
    ("mbt", {**BLOCKS, "fuse_from": 1}, partial(by_hand.mbt, heads=3, layers=3, fuse_from=1)),
    ("mbt", {**BLOCKS, "fuse_from": 0}, partial(by_hand.mbt, heads=3, layers=3, fuse_from=0)),
    ("bbfn", BLOCKS, partial(by_hand.bbfn, heads=3, layers=3)),
    ("mmlatch", {"hidden": 6}, by_hand.mmlatch),
    ("mmlatch", {"hidden": 6, "encode": 0}, by_hand.mmlatch),
    ("mmlatch", {"hidden": 6, "feedback": False}, partial(by_hand.mmlatch, feedback=False)),
]


@pytest.mark.parametrize(("name", "options", "derive"), DERIVATIONS)
def test_equals_its_derivation(name, options, derive):
    fuse = scatter(make(name, **options))
    a, v, *here = clips()
    w = {key: p.detach().numpy() for key, p in fuse.named_parameters()}
    found = fuse(a.double(), v.double(), *here).features.detach().numpy()
    pairs = zip(a.double().numpy(), v.double().numpy(), strict=True)
    expected = np.stack([derive(x, y, w) for x, y in pairs])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


ASKED = [
    *(("self_transformer", "audio"), ("mbt", "audio")),
    *((name, "video") for name in ("cross_transformer", "bbfn", "mmlatch")),
]


@pytest.mark.parametrize(("name", "asks"), ASKED)
def test_absent_audio_clips_are_never_asked(name, asks):
    """asks: the modality whose weights lie over audio clips."""
    fuse, (a, v, here, _) = make(name), clips()
    heard = here.clone()
    heard[:, 2:4], heard[0] = False, False
    weights = fuse(a * heard[..., None], v, heard, here).maps[asks]
    assert not weights[..., 2:4].any()
    assert not weights[0, :, :STEPS].any()
    same(weights[1:].sum(-1), torch.ones(2, STEPS))


def test_published_blocks_have_their_sizes():
    """ViT-B/16's block; BBFN's gates, feed-forward and attention; MMLatch's mask and attention."""
    assert count(Block(768, 12)) + 768 == 7_087_872  # 768: the idle key bias
    layer = make("bbfn").audio[1]
    assert count(layer.retain, layer.take) == 6_480
    assert count(layer.ffn) == 13_000
    assert count(layer.attention) + 40 == 6_560
    latch = make("mmlatch", 74, 35, encode=0)
    assert count(latch.mask_audio) == 4 * 74 * (100 + 74 + 2)
    assert count(latch.hears, latch.sees) == 60_000


def test_mbt_passes_no_more_between_modalities_than_its_bottlenecks_hold():
    """Video answers audio through n D numbers, itself through more."""
    sizes = {"width": 4, "heads": 2, "layers": 2, "fuse_from": 0}
    a, v, *here = (part[:1] for part in clips())
    for bottlenecks in (1, 3):
        fuse = scatter(make("mbt", bottlenecks=bottlenecks, **sizes))

        def video(a, v, fuse=fuse):
            return fuse(a, v, *here).features[..., :4].flatten()

        inputs = a.double(), v.double()
        of_audio, of_video = torch.autograd.functional.jacobian(video, inputs)
        rank = torch.linalg.matrix_rank(of_audio.flatten(1), rtol=1e-9)
        assert 0 < rank <= bottlenecks * 4
        assert torch.linalg.matrix_rank(of_video.flatten(1), rtol=1e-9) > 4


@pytest.mark.parametrize(("open_", "shut"), [("retain", "take"), ("take", "retain")])
def test_gates_of_bbfn_choose_between_oneself_and_the_other(open_, shut):
    """Shut to the other, a stream is its own; shut to itself, only its questions remain of it."""
    fuse, (a, v, *here) = make("bbfn", layers=1), clips()
    for stream in (fuse.audio, fuse.video):
        for name, bias in ((open_, 1e3), (shut, -1e3)):
            getattr(stream[0], name).weight.data.zero_()
            getattr(stream[0], name).bias.data.fill_(bias)
    if open_ == "retain":
        first, second = fuse(a, v, *here), fuse(a, torch.randn_like(v), *here)
    else:  # every blank clip answers alike, so how audio asks does not matter
        blank = torch.zeros_like(v)
        first, second = fuse(a, blank, *here), fuse(torch.randn_like(a), blank, *here)
    same(first.features[..., 40:], second.features[..., 40:])
    maps = fuse(a, v, *here).maps
    assert (maps[f"{open_}_audio"] == 1).all()
    assert (maps[f"{shut}_audio"] == 0).all()


def test_feedback_of_mmlatch_dims_by_the_other_modality_and_never_shuts():
    fuse, (a, v, *here) = make("mmlatch"), clips()
    low, high = torch.tensor([-1.0, 1.0]).sigmoid()
    maps = fuse(a, v, *here).maps
    for mask in (maps["mask_audio"], maps["mask_video"]):
        assert ((mask > low) & (mask < high)).all()
    other = fuse(a, 9 * torch.randn_like(v), *here).maps
    assert torch.equal(other["mask_video"], maps["mask_video"])
    assert not torch.allclose(other["mask_audio"], maps["mask_audio"], atol=1e-3)


def test_without_video_mmlatch_reads_audio_as_if_there_were_no_feedback():
    fuse, once = make("mmlatch"), make("mmlatch", feedback=False)
    once.load_state_dict({k: p for k, p in fuse.state_dict().items() if "mask" not in k})
    a, v, heard, _ = clips()
    gone = torch.zeros_like(v), heard, torch.zeros_like(heard)
    found = fuse(a, *gone)
    assert (found.maps["mask_audio"] == 1).all()
    same(found.features, once(a, *gone).features)
    assert not torch.allclose(fuse(a, v, heard, heard).features, once(a, v, heard, heard).features)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("self_transformer", {"width": 10, "heads": 3}, "width 10 cannot be cut into 3 heads"),
        ("cross_transformer", {"heads": 0}, "into 0 heads"),
        ("cross_transformer", {"width": 9, "heads": 3}, "width is 9"),
        ("mbt", {"layers": 3}, "fuse_from is 2, layers 3"),
        ("mbt", {"bottlenecks": 0}, "bottlenecks 0"),
        ("bbfn", {"width": 42}, "width 42 cannot be cut into 5 heads"),
    ],
)
def test_refusals_name_the_setting_and_what_was_found(name, options, says):
    with pytest.raises(ConfigError, match=says):
        make(name, AUDIO, VIDEO, **options)
