"""Fusions from other tasks: MEME and DDAG against derivations in NumPy, and what they promise."""

from functools import partial

import numpy as np
import pytest
import torch

from avfusion.errors import ConfigError
from avfusion.models.model import build
from avfusion.training.losses import ccc_loss
from support import derivations_other_tasks as by_hand
from support.derivations_family import under
from support.fusions import AUDIO, STEPS, VIDEO, clips, make, model_settings, same, scatter

SMALL = {"latent": 3, "hidden": 5, "samples": 4, "pseudo": 6}


def partly(windows: int = 3):
    """Windows of clips with both modalities, with one, and with none."""
    a, v, *_ = clips(windows=windows)
    heard, seen = torch.ones(2, windows, STEPS, dtype=torch.bool).unbind()
    heard[0, 2:4], seen[0, 3:5], heard[1], seen[2] = False, False, False, False
    return a.double() * heard[..., None], v.double() * seen[..., None], heard, seen


def named(fuse) -> dict[str, np.ndarray]:
    return {key: p.detach().numpy() for key, p in fuse.named_parameters()}


def by_clip(a, v, heard, seen, latent: int, weights, seed: int) -> np.ndarray:
    """The bound of every clip with a modality, from the draws that follow a seed."""
    torch.manual_seed(seed)
    sizes = [(1 + SMALL["samples"], *a.shape[:2], latent)] * 2 + [(1, *a.shape[:2], latent)] * 2
    noise = [torch.randn(size, dtype=torch.float64).numpy() for size in sizes]
    hear, see = under(weights, "audio"), under(weights, "video")
    bounds = []
    for b, t in np.argwhere((heard | seen).numpy()):
        x, y = a[b, t].numpy(), v[b, t].numpy()
        if heard[b, t] and seen[b, t]:
            one = by_hand.mutual_bound(x, y, noise[0][:, b, t], hear, see)
            other = by_hand.mutual_bound(y, x, noise[1][:, b, t], see, hear)
            bounds.append((one + other) / 2)
        elif heard[b, t]:
            bounds.append(by_hand.alone_bound(x, noise[2][0, b, t], hear, see))
        else:
            bounds.append(by_hand.alone_bound(y, noise[3][0, b, t], see, hear))
    return np.array(bounds)


@pytest.mark.parametrize("weight", [1.0, 0.5])
def test_the_loss_of_meme_equals_its_derivation(weight):
    fuse, given = scatter(make("meme", **SMALL, weight=weight)), partly()
    bounds = by_clip(*given, 3, named(fuse), seed=5)
    assert 0 < len(bounds) < 3 * STEPS
    torch.manual_seed(5)
    found = fuse.auxiliary_loss(*given).item()
    assert found == pytest.approx(-weight * bounds.mean() / (AUDIO + VIDEO), rel=1e-9)


def test_meme_answers_from_the_latent_of_either_modality():
    fuse, given = scatter(make("meme", **SMALL)), partly()
    w = named(fuse)
    a, v, heard, seen = (x.numpy() for x in given)
    z_a, _ = by_hand.posterior(a, under(w, "audio.encode"))
    z_v, _ = by_hand.posterior(v, under(w, "video.encode"))
    found = fuse(*given).features.detach().numpy()
    for b, t in np.ndindex(heard.shape):
        if not heard[b, t] and not seen[b, t]:
            expected = np.zeros(6)
        else:
            first = z_v[b, t] if seen[b, t] else z_a[b, t]
            second = z_a[b, t] if heard[b, t] else z_v[b, t]
            expected = np.concatenate([first, second])
        np.testing.assert_allclose(found[b, t], expected, rtol=0, atol=1e-9)


def test_the_bound_of_a_clip_with_one_modality_is_below_its_log_evidence():
    """Jensen: the mean over draws is below log p(x), which importance sampling estimates."""
    fuse = make("meme", **SMALL).double()
    a, v, heard, _ = (x[:1, :1].expand(2000, 1, *x.shape[2:]) for x in partly())
    x, hear, see = a[0, 0].numpy(), under(named(fuse), "audio"), under(named(fuse), "video")
    noise = np.random.default_rng(0).normal(size=(1000, 3))
    bounds = np.array([by_hand.alone_bound(x, n, hear, see) for n in noise])
    evidence = np.log(np.mean(np.exp(bounds)))
    torch.manual_seed(0)
    found = -fuse.auxiliary_loss(a, v, heard, ~heard).item() * (AUDIO + VIDEO)
    assert found == pytest.approx(bounds.mean(), abs=0.3)
    assert bounds.mean() < evidence


def test_draws_of_meme_follow_the_seed_and_only_training_draws():
    fuse, given = make("meme").double(), partly()
    torch.manual_seed(3)
    first = fuse.auxiliary_loss(*given)
    other = fuse.auxiliary_loss(*given)
    torch.manual_seed(3)
    assert torch.equal(first, fuse.auxiliary_loss(*given))
    assert not torch.equal(first, other)
    assert torch.equal(fuse(*given).features, fuse(*given).features)


def test_a_window_with_neither_modality_adds_nothing_to_the_loss_of_meme():
    fuse, (a, v, here, _) = make("meme"), clips()
    loss = fuse.auxiliary_loss(0 * a, 0 * v, ~here, ~here)
    loss.backward()
    assert loss == 0
    assert not any(p.grad.any() for p in fuse.parameters() if p.grad is not None)


DIMS = 20, 28
WINDOWS = 8
"""Steps in a window."""


def planted(count: int, seed: int, lost: float):
    """Both modalities are noisy views of 4 factors that the gold follows; some clips lack one."""
    draw, views = (torch.Generator().manual_seed(n) for n in (seed, 99))
    mixes = [torch.randn(4, width, generator=views) for width in DIMS]
    s = torch.randn(count, WINDOWS, 4, generator=draw)
    a, v = (s @ mix + 2 * torch.randn(*s.shape[:2], mix.shape[1], generator=draw) for mix in mixes)
    gold = torch.stack([torch.tanh(s[..., 0] + s[..., 1]), torch.tanh(s[..., 2] - s[..., 3])], -1)
    pick = torch.rand(s.shape[:2], generator=draw)
    return (a, v, pick >= lost / 2, pick < 1 - lost / 2), gold


def scores(weight: float, seed: int) -> np.ndarray:
    """Mean CCC on new windows with both modalities, without video, and without audio."""
    torch.manual_seed(seed)
    options = {"latent": 16, "hidden": 32, "samples": 4, "weight": weight}
    rule = {"hidden": 32, "dropout": 0.2}
    model = build(model_settings("meme", options, WINDOWS, train=rule), *DIMS)
    inputs, gold = planted(16, 1 + seed, lost=0.3)
    model.audio.measure(inputs[0].flatten(0, 1))
    model.video.measure(inputs[1].flatten(0, 1))
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(40):
        for rows in torch.randperm(len(gold)).split(8):
            batch = tuple(part[rows] for part in inputs)
            loss = ccc_loss(model(*batch)[0], gold[rows]) + model.auxiliary_loss(*batch)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    (a, v, *_), gold = planted(64, 77, lost=0.0)
    on = torch.ones(gold.shape[:2], dtype=torch.bool)
    model.eval()
    with torch.no_grad():
        answers = [model(a, v, *here)[0] for here in ((on, on), (on, ~on), (~on, on))]
    return np.array([1 - ccc_loss(answer, gold).item() / 2 for answer in answers])


def test_mutual_supervision_helps_where_a_modality_is_missing():
    """The same network, clips and draws of the start, with and without the supervision."""
    gain = np.array([scores(3.0, seed) - scores(0.0, seed) for seed in (0, 1)])
    assert (gain[:, 1:] > 0).all(), gain
    assert gain[:, 1:].mean() > 0.01, gain
    assert gain[:, 0].mean() > -0.01, gain


FORMS = [{}, {"reach": 1}, {"reach": 0, "parts": 4}, {"heads": 1, "parts": 1}]


@pytest.mark.parametrize("options", FORMS)
def test_ddag_equals_its_derivation(options):
    settings = {"width": 12, "heads": 3, "parts": 3} | options
    fuse, given = scatter(make("ddag", **settings)), partly()
    kept = {key: settings[key] for key in settings if key != "width"}
    derive = partial(by_hand.ddag, **kept)
    a, v, heard, seen = (x.numpy() for x in given)
    w = named(fuse)
    expected = [derive(x, y, w, h, s) for x, y, h, s in zip(a, v, heard, seen, strict=True)]
    found = fuse(*given).features.detach().numpy()
    np.testing.assert_allclose(found, np.stack(expected), rtol=0, atol=1e-9)


def test_weights_of_ddag_are_over_present_parts_and_neighbours():
    fuse, given = make("ddag", reach=1), partly()
    maps = fuse.double()(*given).maps
    assert maps["parts_audio"].shape == (3, 3, 3)
    assert not maps["parts_audio"][1].any(), "no audio in this window"
    graph = maps["graph"]
    assert not graph[1, :, :STEPS].any()
    assert not graph[0, :, 2:4].any()
    assert not graph[2, 0, 2:STEPS].any(), "two clips apart"
    linked = graph.sum(-1)
    same(linked[1:], torch.ones_like(linked[1:]), 1e-9)


def test_a_noisy_modality_of_ddag_borrows_from_the_other():
    """The graph gives an absent audio clip features from video; part attention cannot."""
    fuse, (a, v, heard, seen) = make("ddag"), clips()
    off = torch.zeros_like(heard)
    first, second = fuse(0 * a, v, off, seen), fuse(0 * a, v.flip(0), off, seen)
    width = fuse.out_dim // 4
    within, across = slice(width, 2 * width), slice(3 * width, None)
    same(first.features[..., within], second.features[..., within])
    assert not torch.allclose(first.features[..., across], second.features[..., across], atol=1e-3)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"parts": 0}, "parts is 0"),
        ({"reach": -1}, "reach -1"),
        ({"width": 10}, "width 10 cannot be cut into 4 heads"),
    ],
)
def test_ddag_refuses_what_it_cannot_build(options, says):
    with pytest.raises(ConfigError, match=says):
        make("ddag", **options)
