"""Multi-head attention within against across modalities: sizes, and what sets the two apart."""

import pytest
import torch

from avfusion.fusion._multihead import MultiHead
from test_fusion_family import AUDIO, STEPS, clips, count, make, same

PAIR = ["self_transformer", "cross_transformer"]
SMALL = {"width": 12, "heads": 3}
IDLE = 120  # the published attention's key bias, which a softmax does not feel
TEXT, RESAMPLING, HEAD = 130_320, 825 + 500_500, 14_460 + 427


@pytest.mark.parametrize(
    ("name", "attentions", "published"),
    [("self_transformer", 3, 1_645_892), ("cross_transformer", 6, 1_820_132)],
)
def test_with_the_parts_for_text_and_utterances_it_has_the_published_size(
    name, attentions, published
):
    """The published model has text, resamples time and answers seven classes."""
    assert count(MultiHead(120, 6)) + IDLE == 58_080
    others = (attentions - 2) * 58_080 + TEXT + RESAMPLING + HEAD
    assert count(make(name, 120, 2048)) + 2 * IDLE + others == published


def test_self_and_cross_differ_in_nothing_but_whom_they_ask():
    """The same weights; and where audio and video are one, the same answer."""
    own, cross = (make(name, AUDIO, AUDIO, **SMALL) for name in PAIR)
    cross.load_state_dict(own.state_dict())
    for fuse in (own, cross):
        fuse.encode_video.load_state_dict(fuse.encode_audio.state_dict())
    a, _, here, _ = clips()
    same(own(a, a, here, here).features, cross(a, a, here, here).features)


@pytest.mark.parametrize(("name", "asked"), [("self_transformer", 0), ("cross_transformer", 1)])
def test_attended_audio_is_made_of_what_is_asked_alone(name, asked):
    """Where all clips of what audio asks are alike, every audio clip gets one answer."""
    fuse = make(name, memory=False, **SMALL)
    batch = list(clips())
    batch[asked] = batch[asked][:, :1].expand(-1, STEPS, -1)
    audio = fuse.attend(*batch).after.audio
    same(audio, audio[:, :1].expand_as(audio))
    batch[1 - asked] = 3 * batch[1 - asked]
    same(fuse.attend(*batch).after.audio, audio)


@pytest.mark.parametrize("name", PAIR)
def test_attention_alone_does_not_know_the_order_of_clips(name):
    fuse, (a, v, here, _) = make(name, memory=False, **SMALL), clips()
    order = torch.randperm(STEPS, generator=torch.Generator().manual_seed(3))
    moved = fuse(a[:, order], v[:, order], here, here).features
    same(moved, fuse(a, v, here, here).features[:, order], 1e-5)
    fuse = make(name, **SMALL)
    moved = fuse(a[:, order], v[:, order], here, here).features
    assert not torch.allclose(moved, fuse(a, v, here, here).features[:, order], atol=1e-3)


@pytest.mark.parametrize(("name", "asks"), list(zip(PAIR, ("audio", "video"), strict=True)))
def test_nobody_to_ask_gives_zero(name, asks):
    fuse, (a, v, here, _) = make(name, **SMALL), clips()
    after = fuse.attend(torch.zeros_like(a), v, torch.zeros_like(here), here).after
    assert not getattr(after, asks).any()
