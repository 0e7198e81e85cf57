"""Embeddings of videos: every fusion gives them, and absent steps do not count."""

import math

import numpy as np
import pytest
import torch

from avfusion.config import modalities
from avfusion.config.sections import VerificationSettings
from avfusion.models.model import ClassModel, VerificationModel, build
from avfusion.models.speakers import StatisticsPooling, margin_at, margin_loss
from avfusion.registry import fusions
from support.fusions import AUDIO, STEPS, VIDEO, clips, model_settings

PEOPLE = ("ann", "bob", "cay")
SIZES = VerificationSettings(embedding=9, bottleneck=4, scale=10)
TEXT = 6


def model(
    name: str, task: str = "verification"
) -> tuple[VerificationModel, tuple[torch.Tensor, ...]]:
    """A model of a fusion, and the input of four windows of three videos."""
    torch.manual_seed(0)
    sizes = SIZES if task == "verification" else None
    changes = {"task": task, "verification": sizes, "classes": PEOPLE}
    changes["train"] = {"baseline": "none"}
    text = modalities.with_text(name, {})
    dims = (AUDIO, VIDEO, TEXT)[: 3 if text else 2]
    net = build(model_settings(name, {}, **changes), *dims)
    assert isinstance(net, ClassModel)
    inputs = clips(windows=4)
    words = torch.randn(4, STEPS, TEXT)
    return net, (*inputs, *([words, inputs[2]] if text else []))


OWNER = torch.tensor([0, 0, 1, 2])


@pytest.mark.parametrize("name", fusions.names())
def test_every_fusion_gives_one_embedding_per_video(name):
    """Without an edit of the fusion; those with weights also get gradients."""
    net, inputs = model(name)
    used = torch.ones(4, STEPS, dtype=torch.bool)
    found = net.embeddings(inputs, used, OWNER)
    closed = getattr(net.fusion, "closed_form", False)
    assert found.shape == (3, len(PEOPLE) if closed else 9)
    assert found.isfinite().all()
    if closed:
        return
    cosines = net.head.cosines(found)
    margin_loss(cosines, torch.tensor([0, 1, 2]), torch.tensor(0.2), 10.0).backward()
    given = [w.grad for w in net.parameters() if w.grad is not None]
    assert all(grad.isfinite().all() for grad in given)
    assert net.head.directions.grad.abs().sum() > 0


def test_steps_without_a_modality_do_not_count():
    """What stands in an absent or unused step changes no embedding."""
    net, (audio, video, heard, seen) = model("concat")
    net.eval()
    heard, seen = heard.clone(), seen.clone()
    heard[0, 4:] = seen[0, 4:] = False
    used = torch.ones(4, STEPS, dtype=torch.bool)
    used[1, 0] = False
    first = net.embeddings((audio, video, heard, seen), used, OWNER)
    audio, video = audio.clone(), video.clone()
    audio[0, 4:], video[0, 4:], video[1, 0] = 7.0, 7.0, -7.0
    torch.testing.assert_close(net.embeddings((audio, video, heard, seen), used, OWNER), first)


@pytest.mark.parametrize("task", ["verification", "classes"])
@pytest.mark.parametrize(("name", "other"), [("audio", 3), ("video", 2)])
def test_a_modality_that_is_not_read_changes_nothing_by_its_presence(name, other, task):
    """Its steps may be there or not, where the modality that is read is absent or present."""
    net, inputs = model(name, task)
    net.eval()
    of = net.embeddings if task == "verification" else net.classify
    inputs = [*inputs]
    inputs[5 - other] = inputs[5 - other].clone()
    inputs[5 - other][:, 4:] = False
    used = torch.ones(4, STEPS, dtype=torch.bool)
    first = of(tuple(inputs), used, OWNER)
    inputs[other] = torch.zeros_like(inputs[other])
    assert torch.equal(of(tuple(inputs), used, OWNER), first)


def test_pooling_equals_a_plain_loop():
    """Weighted mean and deviation of each video, by the equations."""
    torch.manual_seed(1)
    pool = StatisticsPooling(5, 3).double().eval()
    x, owner = torch.randn(7, 5).double(), torch.tensor([0, 0, 0, 1, 1, 2, 2])
    rows = []
    for video in range(3):
        part = x[owner == video]
        scores = pool.last(pool.norm(pool.first(part).relu()).tanh())
        weights = scores.exp() / scores.exp().sum(0)
        mean = (weights * part).sum(0)
        rows.append(torch.cat([mean, ((weights * (part - mean) ** 2).sum(0)).sqrt()]))
    torch.testing.assert_close(pool(x, owner, 3), torch.stack(rows), rtol=0, atol=1e-9)


def test_the_margin_is_added_to_the_angle_of_the_own_person():
    """The logit of the own person is that of an angle larger by the margin."""
    angles = np.array([[0.3, 1.2], [2.0, 0.9]])
    cosines = torch.from_numpy(np.cos(angles))
    label = torch.tensor([0, 1])
    logits = 8 * np.cos(angles + np.array([[0.25, 0], [0, 0.25]]))
    expected = np.log(np.exp(logits).sum(1)) - logits[[0, 1], [0, 1]]
    margin = torch.tensor(0.25, dtype=torch.float64)
    found = float(margin_loss(cosines, label, margin, 8.0))
    assert found == pytest.approx(expected.mean(), abs=1e-9)


def test_the_loss_reads_no_number_from_the_device():
    """A tensor of `meta` has a shape only; reading its number is an error."""
    cosines, margin = torch.empty(4, 3, device="meta"), torch.empty((), device="meta")
    label = torch.empty(4, dtype=torch.long, device="meta")
    assert margin_loss(cosines, label, margin, 8.0).shape == ()


def test_the_loss_never_falls_with_the_angle():
    """Also where angle and margin together pass pi."""
    angles = torch.linspace(0, math.pi, 200, dtype=torch.float64)
    losses = [
        float(
            margin_loss(
                torch.stack([a.cos(), torch.zeros_like(a)])[None], torch.tensor([0]), m, 5.0
            )
        )
        for m in (torch.tensor(0.4),)
        for a in angles
    ]
    assert (np.diff(losses) > -1e-9).all()


def test_the_margin_rises_to_its_value_and_stays():
    assert margin_at(3, 0.4, 0) == 0.4
    assert [margin_at(e, 0.4, 2) for e in (0, 1, 2, 9)] == pytest.approx([0, 0.2, 0.4, 0.4])
