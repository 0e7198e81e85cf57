"""Multi-head attention within against across modalities: sizes, and what sets the two apart."""

import numpy as np
import pytest
import torch

from avfusion.errors import ConfigError
from avfusion.fusion.layers.multihead import MultiHead
from avfusion.models.model import build
from support import derivations_transformers as by_hand
from support.fusions import AUDIO, STEPS, VIDEO, clips, count, make, model_settings, same, scatter

PAIR = ["self_transformer", "cross_transformer"]
SMALL = {"width": 12, "heads": 3}
ALL, TEXT_DIM = ["audio", "video", "text"], 4
IDLE = 120  # the published attention's key bias, which a softmax does not feel
RESAMPLING, HEAD = 825 + 500_500, 14_460 + 427


@pytest.mark.parametrize(
    ("name", "attentions", "published"),
    [("self_transformer", 3, 1_645_892), ("cross_transformer", 6, 1_820_132)],
)
def test_with_the_parts_for_utterances_it_has_the_published_size(name, attentions, published):
    """The published model resamples time and answers seven classes."""
    assert count(MultiHead(120, 6)) + IDLE == 58_080
    fuse = make(name, 120, 2048, text_dim=300, modalities=ALL)
    assert len(fuse.attends) == attentions
    assert count(fuse) + attentions * IDLE + RESAMPLING + HEAD == published


def said(windows: int = 3):
    """Text (B, T, Dt) and its presence, next to `clips()`."""
    draw = torch.Generator().manual_seed(4)
    text = torch.randn(windows, STEPS, TEXT_DIM, generator=draw)
    return text, torch.ones(windows, STEPS, dtype=torch.bool)


@pytest.mark.parametrize("options", [{}, {"memory": False}, {"pool": False}], ids=str)
@pytest.mark.parametrize(
    ("name", "names"),
    [
        *((name, ALL) for name in PAIR),
        *((name, ["audio", "text"]) for name in PAIR),
        ("cross_transformer", ["text", "video"]),
        ("self_transformer", ["text"]),
        ("self_transformer", ["video"]),
    ],
    ids=str,
)
def test_with_any_modalities_it_equals_its_derivation(name, names, options):
    options = SMALL | options
    fuse = scatter(make(name, text_dim=TEXT_DIM, modalities=names, **options))
    (a, v, *here), (text, there) = clips(), said()
    given = {"audio": a.double(), "video": v.double(), "text": text.double()}
    found = fuse(given["audio"], given["video"], *here, given["text"], there).features
    w = {key: p.detach().numpy() for key, p in fuse.named_parameters()}
    own = {"heads": 3, "across": name == "cross_transformer"} | options
    own.pop("width")
    for i in range(len(a)):
        x = {m: given[m][i].numpy() for m in ALL if m in names}
        expected = by_hand.selfcross(x, w, **own)
        assert expected.shape[1] == fuse.out_dim
        np.testing.assert_allclose(found[i].detach().numpy(), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", [*PAIR, "late"])
def test_audio_and_video_spelt_out_are_the_default_weight_for_weight(name):
    plain = make(name).state_dict()
    spelt = make(name, text_dim=TEXT_DIM, modalities=["video", "audio"]).state_dict()
    assert list(plain) == list(spelt)
    assert all(torch.equal(plain[key], spelt[key]) for key in plain)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("cross_transformer", ["audio"]),
        ("self_transformer", []),
        ("self_transformer", ["audio", "smell"]),
        ("late", ["text", "text"]),
    ],
)
def test_too_few_or_unknown_modalities_are_refused(name, wrong):
    with pytest.raises(ConfigError, match=f"{name}: modalities is"):
        make(name, text_dim=TEXT_DIM, modalities=wrong)


def test_late_fusion_is_the_mean_of_the_votes_that_are_there():
    fuse = make("late", text_dim=TEXT_DIM, modalities=ALL, hidden=3)
    (a, v, heard, seen), (text, there) = clips(), said()
    there = there.clone()
    there[0, 2] = False
    found = fuse(a, v, heard, seen, text, there).features
    votes = fuse.audio(a), fuse.video(v), fuse.text(text)
    same(found[1], sum(votes)[1] / 3)
    same(found[0, 2], (votes[0] + votes[1])[0, 2] / 2)


@pytest.mark.parametrize("name", PAIR)
def test_for_one_label_a_video_what_is_said_is_averaged_over_time_before_it_is_pooled(name):
    task = {"task": "classes", "classes": ("calm", "glad", "sad")}
    train = {"hidden": 5, "dropout": 0.0}
    settings = model_settings(name, {"modalities": ALL, **SMALL}, train=train, **task)
    torch.manual_seed(0)
    model = build(settings, AUDIO, VIDEO, TEXT_DIM).eval()
    (a, v, *here), (text, there) = clips(windows=2), said(2)
    there = there.clone()
    there[0, 3:] = False
    used = torch.ones_like(there)
    given = a, v, *here, text * there[..., None], there
    found = model.classify(given, used, torch.zeros(2, dtype=torch.long))
    rows, known = (
        {"audio": a, "video": v, "text": given[4]},
        dict(zip(ALL, (*here, there), strict=True)),
    )
    _, y, _ = model.fusion.attend_all(rows, known)
    means = [
        np.concatenate(
            [part[i][known[k.split("_")[0]][i]].detach().numpy() for i in range(2)]
        ).mean(0)
        for k, part in y.items()
    ]
    pooled = np.concatenate([np.std(means, 0, ddof=1), np.mean(means, 0)])
    same(found[0], model.head(torch.from_numpy(pooled)), 1e-5)


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
