"""What every fusion promises, present and future; a new file in fusion/ is tested by itself."""

import ast
import inspect

import pytest
import torch

from avfusion.fusion.base import Fused
from avfusion.model import Model, build
from avfusion.registry import fusions

pytestmark = pytest.mark.parametrize("name", fusions.names())

SIZES = [(8, 12, 12), (16, 12, 12), (7, 12, 20), (1, 5, 3), (16, 33, 8)]
"""(steps, audio width, video width): both published lengths, an odd one, a single clip."""


def fusion(name: str, steps: int = 8, audio_dim: int = 12, video_dim: int = 20, **options):
    torch.manual_seed(0)
    return fusions.get(name)(audio_dim, video_dim, steps=steps, **options).eval()


def model(name: str, steps: int = 8) -> Model:
    torch.manual_seed(0)
    train = {"hidden": 16, "dropout": 0.5}
    own = {"class": name, "options": {}, "windows": {"clips": steps}, "train": train}
    return build(own, audio_dim=12, video_dim=20).eval()


def clips(steps: int = 8, audio_dim: int = 12, video_dim: int = 20, windows: int = 5):
    """Audio, video and presence of some windows; about a fifth of the clips is absent."""
    draw = torch.Generator().manual_seed(1)
    audio = torch.randn(windows, steps, audio_dim, generator=draw)
    video = torch.randn(windows, steps, video_dim, generator=draw)
    heard, seen = (torch.rand(2, windows, steps, generator=draw) > 0.2).unbind()
    return audio * heard[..., None], video * seen[..., None], heard, seen


@pytest.mark.parametrize("windows", [1, 5])
@pytest.mark.parametrize("size", SIZES)
def test_gives_one_row_of_out_dim_a_clip(name, size, windows):
    fuse = fusion(name, *size)
    fused = fuse(*clips(*size, windows=windows))
    assert isinstance(fused, Fused)
    assert fused.features.shape == (windows, size[0], fuse.out_dim)
    assert fused.features.isfinite().all()
    assert all(len(m) == windows and m.isfinite().all() for m in fused.maps.values())


@pytest.mark.parametrize("size", SIZES)
def test_a_window_does_not_see_its_neighbours(name, size):
    """Fusing windows together or one by one gives the same features."""
    fuse, batch = fusion(name, *size), clips(*size)
    together = fuse(*batch).features
    alone = [fuse(*(part[n : n + 1] for part in batch)).features for n in range(len(batch[0]))]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)


def test_every_parameter_learns(name):
    net = model(name)
    net(*clips())[0].square().sum().backward()
    idle = [key for key, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_what_lies_in_absent_clips_does_not_matter(name):
    net = model(name)
    audio, video, heard, seen = clips()
    garbage = [
        x.masked_fill(~here[..., None], bad)
        for x, here, bad in ((audio, heard, torch.nan), (video, seen, 1e30))
    ]
    found, expected = net(*garbage, heard, seen)[0], net(audio, video, heard, seen)[0]
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("lost", ["audio", "video", "both"])
def test_a_window_without_a_modality_has_a_finite_prediction_and_gradient(name, lost):
    net = model(name)
    audio, video, heard, seen = clips()
    heard[0] &= lost == "video"
    seen[0] &= lost == "audio"
    prediction, maps = net(audio, video, heard, seen)
    prediction.square().sum().backward()
    assert prediction.isfinite().all()
    assert all(m.isfinite().all() for m in maps.values())
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_an_absent_clip_changes_no_other_window(name):
    net = model(name)
    audio, video, heard, seen = clips()
    before = net(audio, video, heard, seen)[0]
    heard[2, 3:], seen[2, :4] = False, False
    after = net(audio, video, heard, seen)[0]
    others = torch.arange(len(audio)) != 2
    torch.testing.assert_close(after[others], before[others], rtol=1e-5, atol=1e-6)


def test_same_seed_same_weights_and_answer(name):
    first, second = model(name), model(name)
    weights = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)
    assert torch.equal(first(*clips())[0], second(*clips())[0])


def test_random_numbers_are_drawn_in_training_alone(name):
    fuse = fusion(name)
    state = torch.get_rng_state()
    fuse(*clips())
    assert torch.equal(torch.get_rng_state(), state)


def test_inputs_are_left_as_they_were(name):
    batch = clips()
    before = [part.clone() for part in batch]
    fusion(name)(*batch)
    assert all(torch.equal(a, b) for a, b in zip(batch, before, strict=True))


def test_listed_options_are_accepted_and_default_as_listed(name):
    listed = {key: ast.literal_eval(text) for key, text in fusions.options(name).items()}
    given, default = fusion(name, **listed), fusion(name)
    assert given.out_dim == default.out_dim
    torch.testing.assert_close(given(*clips()).features, default(*clips()).features)
    known = {"self", "audio_dim", "video_dim", "steps", *listed}
    assert set(inspect.signature(fusions.get(name).__init__).parameters) == known


def test_the_file_says_its_source_and_equation(name):
    text = fusions.source(name).read_text()
    told = ast.get_docstring(ast.parse(text))
    assert "Source   " in told
    assert any(line.startswith("    ") and " = " in line for line in told.splitlines())
    assert len(text.splitlines()) <= 120
