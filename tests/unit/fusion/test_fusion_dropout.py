"""Dropout where the published code has it: MMLatch's masks and output, SelfCrossAttn's text."""

import pytest
import torch

from avfusion.registry import fusions
from support.fusions import clips, make

TEXT = ["audio", "video", "text"]


def zeros(x: torch.Tensor) -> float:
    return float((x == 0).double().mean())


def test_mmlatch_drops_a_tenth_before_the_sigmoid_and_of_its_output():
    """0 before the sigmoid is 0.5 after it."""
    torch.manual_seed(0)
    fuse = make("mmlatch", steps=200)
    a, v, *_ = clips(steps=200, windows=4)
    here = [torch.ones(4, 200, dtype=torch.bool)] * 2
    still = fuse(a, v, *here)
    assert not (still.maps["mask_audio"] == 0.5).any()
    assert zeros(still.features) == 0
    moving = fuse.train()(a, v, *here)
    for name in ("mask_audio", "mask_video"):
        share = float((moving.maps[name] == 0.5).double().mean())
        assert share == pytest.approx(0.1, abs=0.01)
    assert zeros(moving.features) == pytest.approx(0.1, abs=0.01)


def test_dropout_0_turns_all_of_it_off():
    fuse = make("mmlatch", dropout=0.0)
    a, v, *here = clips()
    assert torch.equal(fuse(a, v, *here).features, fuse.train()(a, v, *here).features)


@pytest.mark.parametrize("name", ["self_transformer", "cross_transformer"])
def test_only_text_is_dropped_by_a_quarter_in_training(name):
    torch.manual_seed(0)
    fuse = fusions.get(name)(5, 7, 9, steps=6, modalities=TEXT)
    read = {}
    for m in TEXT:
        encoder = fuse.get_submodule(f"encode_{m}")
        encoder.register_forward_pre_hook(lambda _, given, m=m: read.update({m: given[0]}))
    ones = {m: torch.ones(400, 6, d) for m, d in zip(TEXT, (5, 7, 9), strict=True)}
    here = torch.ones(400, 6, dtype=torch.bool)
    given = ones["audio"], ones["video"], here, here, ones["text"], here
    fuse.train()(*given)
    assert zeros(read["text"]) == pytest.approx(0.25, abs=0.01)
    assert zeros(read["audio"]) == zeros(read["video"]) == 0
    fuse.eval()(*given)
    assert torch.equal(read["text"], ones["text"])
    assert torch.equal(given[4], torch.ones(400, 6, 9)), "the input is left as it was"


def test_text_dropout_is_an_option():
    torch.manual_seed(0)
    options = {"modalities": TEXT, "text_dropout": 0.0, "dropout": 0.0}
    fuse = fusions.get("self_transformer")(5, 7, 9, steps=6, **options)
    a, v, *here = clips()
    given = a, v, *here, torch.ones(3, 6, 9), here[0]
    assert torch.equal(fuse.train()(*given).features, fuse.eval()(*given).features)


def test_without_text_it_draws_nothing():
    fuse = make("self_transformer", dropout=0.0).train()
    a, v, *here = clips()
    before = torch.get_rng_state()
    fuse(a, v, *here)
    assert torch.equal(torch.get_rng_state(), before)
