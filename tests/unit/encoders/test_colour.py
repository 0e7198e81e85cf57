"""Random brightness, contrast and mirroring of faces in a fit."""

import pytest
import torch

from avfusion.encoders import base, colour
from avfusion.encoders.examples import Examples
from avfusion.errors import ConfigError
from support import synthetic_media as media

NAMES = ("face_cnn", "face_tuned")
JITTER = {"brightness": 0.2, "contrast": 0.2}


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def faces(name: str, count: int = 400) -> torch.Tensor:
    if name == "face_cnn":
        return 20 * torch.randn(count, 56, 56, generator=draw(1))
    return torch.randint(60, 180, (count, 16, 16, 3), generator=draw(1), dtype=torch.uint8)


def changed(name: str, **options) -> torch.Tensor:
    return base.build(media.settings(name, **options)).augment(faces(name), draw())


def test_factors_are_uniform_around_one():
    result = colour.factors(20_000, 0.2, draw())
    assert result.min() >= 0.8
    assert result.max() <= 1.2
    assert result.mean().item() == pytest.approx(1, abs=0.005)
    assert result.std().item() == pytest.approx(0.4 / 12**0.5, abs=0.005)
    assert torch.equal(colour.factors(3, None, draw()), torch.ones(3))


def test_brightness_multiplies_a_face_by_one_draw():
    x = faces("face_tuned").float()
    ratio = colour.jitter(x, 0.2, None, draw()) / x  # below the ceiling of 255
    expected = colour.factors(len(x), 0.2, draw())
    torch.testing.assert_close(ratio, expected.view(-1, 1, 1, 1).expand_as(ratio))


def test_contrast_keeps_the_mean_grey_level():
    x = faces("face_tuned").float()
    result = colour.jitter(x, None, 0.2, draw())
    grey = torch.tensor(colour.GREY)
    torch.testing.assert_close((result @ grey).mean((1, 2)), (x @ grey).mean((1, 2)))
    expected = colour.factors(len(x), 0.2, draw())
    torch.testing.assert_close(
        result.std((1, 2, 3)) / x.std((1, 2, 3)), expected, rtol=0.01, atol=0
    )


def test_a_black_or_white_face_stays_in_range():
    x = torch.cat([torch.zeros(50, 4, 4, 3), torch.full((50, 4, 4, 3), 255.0)])
    result = colour.jitter(x, 0.2, 0.2, draw())
    assert result.min() == 0
    assert result.max() <= 255


@pytest.mark.parametrize("name", NAMES)
def test_the_options_are_followed(name):
    usual = changed(name)
    assert torch.equal(usual, changed(name, flip=0.5)), "the default"
    for options in (JITTER, {"brightness": 0.2}, {"contrast": 0.2}):
        assert not torch.equal(usual, changed(name, **options))
    assert torch.equal(changed(name, **JITTER), changed(name, **JITTER))


@pytest.mark.parametrize(("flip", "share"), [(0.0, 0.0), (0.25, 0.25), (1.0, 1.0)])
def test_so_many_faces_are_mirrored(flip, share):
    """Without other changes of light, a face is itself or its mirror image."""
    encoder = base.build(media.settings("face_tuned", brightness=0, contrast=0, flip=flip))
    x = faces("face_tuned")
    result = encoder.augment(x, draw())
    mirrored = (result - x.flip(2).float()).abs().amax((1, 2, 3)) < 1e-3
    same = (result - x.float()).abs().amax((1, 2, 3)) < 1e-3
    assert (mirrored ^ same).all()
    assert mirrored.float().mean().item() == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize(("flip", "side"), [(0.0, 1), (1.0, -1)])
def test_face_cnn_mirrors_all_or_none(flip, side):
    ramp = torch.linspace(-60, 60, 56).expand(40, 56, 56)
    result = base.build(media.settings("face_cnn", flip=flip)).augment(ramp, draw())
    slope = side * (result[:, :, 28:].mean((1, 2)) - result[:, :, :28].mean((1, 2)))
    assert (slope > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_an_epoch_draws_the_same_when_it_is_repeated(name):
    """A resumed fit repeats an epoch from its generator, with the order and all factors."""
    encoder = base.build(media.settings(name, batch=64, **JITTER))
    batches = encoder.batches(Examples(faces(name), torch.zeros(400, 2)))
    one, two = ([batch.inputs for batch in batches(draw(5))] for _ in range(2))
    other = next(iter(batches(draw(6)))).inputs
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not torch.equal(one[0], other)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("option", ["brightness", "contrast", "flip"])
def test_a_share_outside_its_range_is_refused(name, option):
    with pytest.raises(ConfigError, match=f"{name}: `{option}` must be 0 to 1, found 1.5"):
        base.build(media.settings(name, **{option: 1.5}))
