"""What every fusion promises, present and future; a new file in fusion/ is tested by itself."""

import ast
import inspect

import pytest
import torch

from avfusion.config.modalities import MODALITIES, with_text
from avfusion.fusion.base import Fused
from avfusion.models.model import Model, build
from avfusion.registry import DERIVED, fusions
from support.fusions import model_settings

TEXT_DIM = 9
FORMS = {name: (name, {}) for name in fusions.names()} | {
    f"{name}_of_all": (name, {"modalities": list(MODALITIES)})
    for name in fusions.names()
    if "modalities" in fusions.options(name) and not with_text(name, {})
}
"""Every fusion with its defaults, and with text where text is an option."""
FORMS |= {
    "concat_blstm": ("concat", {"blstm": "both", "encode": 8}),
    "jca_blstm": ("jca", {"blstm": "both"}),
    "rjcma_dense": ("rjcma", {"operator": "dense", "project": False}),
    "tcn_centred": ("tcn", {"causal": False}),
}
"""Options that add or replace a part of the fusion."""

pytestmark = pytest.mark.parametrize("name", FORMS)

SIZES = [(8, 12, 12), (16, 12, 12), (7, 12, 20), (1, 5, 3), (16, 33, 8)]
"""(steps, audio width, video width): both published lengths, an odd one, a single clip."""


def fusion(name: str, steps: int = 8, audio_dim: int = 12, video_dim: int = 20, **options):
    torch.manual_seed(0)
    kind, form = FORMS[name]
    dims = [audio_dim, video_dim] + [TEXT_DIM] * with_text(*FORMS[name])
    return fusions.get(kind)(*dims, steps=steps, **{**options, **form}).eval()


def model(name: str, steps: int = 8) -> Model:
    torch.manual_seed(0)
    train = {"hidden": 16, "dropout": 0.5}
    kind, options = FORMS[name]
    return build(
        model_settings(kind, options, steps, train=train),
        12,
        20,
        *[TEXT_DIM] * with_text(kind, options),
    ).eval()


def learnt(net: Model, batch) -> torch.Tensor:
    """A scalar that every parameter has a part in, as in the loss of a run."""
    return net(*batch)[0].square().sum() + net.auxiliary_loss(*batch)


def clips(name: str, steps: int = 8, audio_dim: int = 12, video_dim: int = 20, windows: int = 5):
    """Audio, video and presence of some windows; about a fifth of the clips is absent.

    For a fusion that reads text, text and its presence follow.
    """
    draw = torch.Generator().manual_seed(1)
    audio = torch.randn(windows, steps, audio_dim, generator=draw)
    video = torch.randn(windows, steps, video_dim, generator=draw)
    heard, seen = (torch.rand(2, windows, steps, generator=draw) > 0.2).unbind()
    given = audio * heard[..., None], video * seen[..., None], heard, seen
    if not with_text(*FORMS[name]):
        return given
    spoken = torch.rand(windows, steps, generator=draw) > 0.2
    text = torch.randn(windows, steps, TEXT_DIM, generator=draw)
    return (*given, text * spoken[..., None], spoken)


@pytest.mark.parametrize("windows", [1, 5])
@pytest.mark.parametrize("size", SIZES)
def test_gives_one_row_of_out_dim_a_clip(name, size, windows):
    fuse = fusion(name, *size)
    fused = fuse(*clips(name, *size, windows=windows))
    assert isinstance(fused, Fused)
    assert fused.features.shape == (windows, size[0], fuse.out_dim)
    assert fused.features.isfinite().all()
    assert all(len(m) == windows and m.isfinite().all() for m in fused.maps.values())


def test_windows_of_300_clips_give_finite_features_and_gradients(name):
    """The longest published windows (RJCMA)."""
    size = (300, 12, 12)
    fuse = fusion(name, *size)
    features = fuse(*clips(name, *size, windows=2)).features
    assert features.shape == (2, 300, fuse.out_dim)
    assert features.isfinite().all()
    if features.requires_grad:
        features.square().sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in fuse.parameters())


@pytest.mark.parametrize("size", SIZES)
def test_a_window_does_not_see_its_neighbours(name, size):
    """Fusing windows together or one by one gives the same features."""
    fuse, batch = fusion(name, *size), clips(name, *size)
    together = fuse(*batch).features
    alone = [fuse(*(part[n : n + 1] for part in batch)).features for n in range(len(batch[0]))]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)


def test_every_parameter_learns(name):
    net = model(name)
    learnt(net, clips(name)).backward()
    idle = [key for key, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_what_lies_in_absent_clips_does_not_matter(name):
    net = model(name)
    audio, video, heard, seen, *text = clips(name)
    garbage = [
        x.masked_fill(~here[..., None], bad)
        for x, here, bad in ((audio, heard, torch.nan), (video, seen, 1e30))
    ]
    other = [text[0].masked_fill(~text[1][..., None], torch.nan), text[1]] if text else []
    actual = net(*garbage, heard, seen, *other)[0]
    expected = net(audio, video, heard, seen, *text)[0]
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)


@pytest.mark.parametrize("lost", ["audio", "video", "text", "all"])
def test_a_window_without_a_modality_has_a_finite_prediction_and_gradient(name, lost):
    net = model(name)
    audio, video, heard, seen, *text = clips(name)
    for modality, here in (("audio", heard), ("video", seen), ("text", (text or [0, seen])[1])):
        here[0] &= lost not in (modality, "all")
    prediction, maps = net(audio, video, heard, seen, *text)
    learnt(net, (audio, video, heard, seen, *text)).backward()
    assert prediction.isfinite().all()
    assert all(m.isfinite().all() for m in maps.values())
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_an_absent_clip_changes_no_other_window(name):
    net = model(name)
    audio, video, heard, seen, *text = clips(name)
    before = net(audio, video, heard, seen, *text)[0]
    for here in (heard, seen, *text[1:]):
        here[2, 3:] = False
    after = net(audio, video, heard, seen, *text)[0]
    others = torch.arange(len(audio)) != 2
    torch.testing.assert_close(after[others], before[others], rtol=1e-5, atol=1e-6)


def test_same_seed_same_weights_and_answer(name):
    first, second = model(name), model(name)
    weights = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)
    assert torch.equal(first(*clips(name))[0], second(*clips(name))[0])


def test_random_numbers_are_drawn_in_training_alone(name):
    fuse = fusion(name)
    state = torch.get_rng_state()
    fuse(*clips(name))
    assert torch.equal(torch.get_rng_state(), state)


def test_inputs_are_left_as_they_were(name):
    batch = clips(name)
    before = [part.clone() for part in batch]
    fusion(name)(*batch)
    assert all(torch.equal(a, b) for a, b in zip(batch, before, strict=True))


def test_listed_options_are_accepted_and_default_as_listed(name):
    kind, options = FORMS[name]
    listed = {key: ast.literal_eval(text) for key, text in fusions.options(kind).items()}
    given, default = fusion(name, **listed), fusion(name)
    assert given.out_dim == default.out_dim
    torch.testing.assert_close(given(*clips(name)).features, default(*clips(name)).features)
    known = {"self", "audio_dim", "video_dim", "steps", *listed}
    known |= {"text_dim"} if "modalities" in listed or with_text(kind, options) else set()
    accepted = set(inspect.signature(fusions.get(kind).__init__).parameters) - set(DERIVED)
    assert accepted == known


def test_the_file_says_its_source_and_equation(name):
    text = fusions.source(FORMS[name][0]).read_text()
    docstring = ast.get_docstring(ast.parse(text))
    assert "Source   " in docstring
    assert any(line.startswith("    ") and " = " in line for line in docstring.splitlines())
    assert len(text.splitlines()) <= 120
