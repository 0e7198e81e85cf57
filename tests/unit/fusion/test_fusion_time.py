"""TCN and transformer over time: derivations, reach, padding, 300 steps, sizes and refusals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import erf

from avfusion.errors import ConfigError
from avfusion.layout import Layout
from avfusion.registry import fusions
from avfusion.runs.train import train_run
from support import derivations_family as by_hand
from support.derivations_transformers import layer_norm
from support.fusions import clips, count, make, same, scatter
from support.synthetic_features import Plan, run_settings, write_inputs

PAIR = ["tcn", "transformer"]
SMALL = {
    "tcn": {"channels": 6, "levels": 2, "kernel": 3},
    "transformer": {"width": 12, "heads": 3, "feedforward": 10},
}
each = pytest.mark.parametrize("name", PAIR)


def convolved(x, w, name, dilation, causal):
    """x (T, i) -> (T, c): the kernel is g v / |v|, each output channel by its own length."""
    g, v = (w[f"{name}.parametrizations.weight.original{n}"] for n in (0, 1))
    kernel = g * v / np.sqrt((v**2).sum((1, 2), keepdims=True))  # (c, i, k)
    reach = (kernel.shape[2] - 1) * dilation
    later = 0 if causal else (reach + (name == "second")) // 2
    out = np.tile(w[f"{name}.bias"], (len(x), 1))
    for t in range(len(x)):
        for k in range(kernel.shape[2]):
            at = t + k * dilation - (reach - later)
            if 0 <= at < len(x):
                out[t] += kernel[:, :, k] @ x[at]
    return out


def tcn(x, w, here, *, levels, causal):
    for i in range(levels):
        own, y = by_hand.under(w, f"levels.{i}"), x
        for name in ("first", "second"):
            y = by_hand.relu(convolved(y, own, name, 2**i, causal) * here)
        if "residual.weight" in own:
            x = x @ own["residual.weight"][:, :, 0].T + own["residual.bias"]
        x = by_hand.relu(y + x) * here
    return x


def transformer(x, w, here, *, heads):
    z = by_hand.affine(x, w, "encode")
    t, d = z.shape
    at = np.arange(t)[:, None] / 10000.0 ** (np.arange(0, d, 2) / d)
    z = z + np.stack([np.sin(at), np.cos(at)], -1).reshape(t, -1)[:, :d]
    for i in range(2):
        own = by_hand.under(w, f"layers.layers.{i}")
        u = layer_norm(z, own, "norm1")
        inside = own["self_attn.in_proj_weight"], own["self_attn.in_proj_bias"]
        q, k, v = np.split(u @ inside[0].T + inside[1], 3, axis=1)
        parts = []
        for one in np.split(np.arange(d), heads):
            scores = q[:, one] @ k[:, one].T / np.sqrt(len(one))
            parts.append(by_hand.softmax(np.where(here.T > 0, scores, -np.inf), 1) @ v[:, one])
        z = z + by_hand.affine(np.hstack(parts), own, "self_attn.out_proj")
        inner = by_hand.affine(layer_norm(z, own, "norm2"), own, "linear1")
        z = z + by_hand.affine(inner * (1 + erf(inner / np.sqrt(2))) / 2, own, "linear2")
    return layer_norm(z, w, "layers.norm")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tcn", {"causal": True}),
        ("tcn", {"causal": False}),
        ("tcn", {"causal": False, "kernel": 4}),
        ("tcn", {"channels": 12}),
        ("transformer", {}),
    ],
    ids=str,
)
def test_equals_its_derivation(name, options):
    """The third window lacks two clips of both modalities; 12 is also the width of the input."""
    options = SMALL[name] | options
    fuse = scatter(make(name, **options))
    a, v, heard, _ = clips()
    heard[2, 1:3] = False
    a, v = (x.double() * heard[..., None] for x in (a, v))
    found = fuse(a, v, heard, heard).features.detach().numpy()
    w = {key: p.detach().numpy() for key, p in fuse.named_parameters()}
    for n in range(3):
        x, here = np.hstack([v[n], a[n]]), heard[n, :, None].numpy()
        if name == "tcn":
            rule = {"levels": options["levels"], "causal": options.get("causal", True)}
            expected = tcn(x, w, here, **rule)
        else:
            expected = transformer(x, w, here, heads=options["heads"])
        np.testing.assert_allclose(found[n], expected, rtol=0, atol=1e-9)


def seen(fuse, steps: int, at: int) -> list[int]:
    """Clips on which row `at` of the features depends."""
    a, v, *here = clips(steps=steps, windows=1)
    a, v = a.double().requires_grad_(), v.double().requires_grad_()
    fuse(a, v, *here).features[0, at].sum().backward()
    return (a.grad[0].any(-1) | v.grad[0].any(-1)).nonzero().flatten().tolist()


def test_a_clip_of_the_tcn_sees_the_past_only_or_both_sides():
    """The published 4 levels of kernel 5 reach back over 120 clips."""
    fuse = scatter(make("tcn", channels=4))
    assert seen(fuse, 160, 150) == list(range(30, 151))
    assert seen(fuse, 160, 50) == list(range(51))
    centred = scatter(make("tcn", channels=4, causal=False))
    assert seen(centred, 160, 80) == list(range(20, 141))
    even = scatter(make("tcn", channels=4, causal=False, kernel=4))
    assert seen(even, 160, 80) == list(range(35, 126)), "as many later as earlier clips"


def test_a_clip_of_the_transformer_sees_the_whole_window_and_its_order():
    fuse = scatter(make("transformer"))
    assert seen(fuse, 300, 5) == list(range(300))
    a, v, *here = clips()
    a, v = a.double(), v.double()
    forward = fuse(a, v, *here).features
    backward = fuse(a.flip(1), v.flip(1), *here).features.flip(1)
    assert (forward - backward).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("name", "options"), [("tcn", {}), ("tcn", {"causal": False}), ("transformer", {})], ids=str
)
def test_absent_clips_at_the_end_change_nothing_before_them(name, options):
    """A window padded with absent clips gives the rows of the unpadded one."""
    fuse = scatter(make(name, steps=300, **options))
    a, v, *_ = clips(steps=300)
    a, v = a.double(), v.double()
    here = torch.ones(3, 300, dtype=torch.bool)
    here[:, 170:] = False
    padded = fuse(a * here[..., None], v * here[..., None], here, here).features
    short = fuse(a[:, :170], v[:, :170], here[:, :170], here[:, :170]).features
    same(padded[:, :170], short, 1e-9)


@each
def test_what_one_modality_lacks_the_other_has(name):
    """A clip is absent only if all modalities are."""
    fuse = scatter(make(name))
    a, v, here, _ = clips()
    gone = torch.zeros_like(here)
    both = fuse(a.double(), torch.zeros_like(v).double(), here, gone).features
    assert torch.equal(both, fuse(a.double(), torch.zeros_like(v).double(), here, here).features)
    assert both.any()


@each
def test_long_windows_need_no_parameter_more_and_train(name):
    """300 steps, one of the windows absent as a whole: finite output and gradient."""
    assert count(make(name, steps=300)) == count(make(name, steps=8))
    fuse = make(name, steps=300).train()
    a, v, *_ = clips(steps=300)
    here = torch.ones(3, 300, dtype=torch.bool)
    here[0] = False
    a, v = (x * here[..., None] for x in (a, v))
    features = fuse(a, v, here, here).features
    features.square().sum().backward()
    assert features.isfinite().all()
    assert not features[0].any()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in fuse.parameters())


@each
def test_prediction_without_gradients_is_the_same(name):
    """PyTorch has a second implementation of the encoder, which runs only without gradients."""
    fuse = make(name)
    a, v, heard, video_here = clips()
    heard[0], video_here[0], heard[1, 2:] = False, False, False
    batch = a * heard[..., None], v * video_here[..., None], heard, video_here
    with torch.no_grad():
        found = fuse(*batch).features
    assert found.isfinite().all()
    same(found, fuse(*batch).features.detach(), 1e-5)


@each
def test_text_is_read_if_asked_for(name):
    torch.manual_seed(0)
    fuse = fusions.get(name)(5, 7, 4, steps=6, modalities=["audio", "text"]).eval()
    a, v, *here = clips()
    t = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(4))
    first = fuse(a, v, *here, t, here[0]).features
    assert not torch.equal(first, fuse(a, v, *here, -t, here[0]).features)
    assert torch.equal(first, fuse(a, -v, *here, t, here[0]).features)


@pytest.mark.parametrize("name", PAIR)
def test_a_run_over_windows_of_300_clips_trains_the_same_twice(name, tmp_path):
    """Validation videos have 250 clips, so the end of their window is absent."""
    traces = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        plan, layout = Plan(duration_s=50.0), Layout(folder)
        plan = replace(plan, short={f"validation_0{n}": 40.0 for n in range(3)})
        write_inputs(layout, plan)
        settings = run_settings(plan, name, epochs=2).updated(options=SMALL[name])
        windows = settings.windows.model_copy(update={"clips": 300})
        train_run(settings.updated(windows=windows), layout)
        traces.append(pd.read_parquet(layout.run(plan.corpus, name, 0) / "traces.parquet"))
    pd.testing.assert_frame_equal(*traces, check_exact=True)
    assert np.isfinite(traces[0][["valence", "arousal"]].to_numpy()).all()
    assert len(traces[0].query("partition == 'validation'")) >= 3 * 240


def test_layers_of_the_transformer_start_from_different_weights():
    one, two = make("transformer").layers.layers
    assert not torch.equal(one.linear1.weight, two.linear1.weight)
    assert not torch.equal(one.self_attn.in_proj_weight, two.self_attn.in_proj_weight)


@pytest.mark.parametrize("c", [128, 512])
def test_size_of_the_tcn(c):
    """A convolution has a length and a bias per channel next to its kernel."""
    inner = 5 * c * c + 2 * c
    expected = (5 * 1024 * c + 2 * c) + (1024 * c + c) + 7 * inner
    assert count(make("tcn", 512, 512, channels=c)) == expected
    assert expected == {128: 1_362_048, 512: 12_329_472}[c]


def test_size_of_the_transformer():
    d, wide = 128, 256
    layer = 4 * (d * d + d) + (d * wide + wide) + (wide * d + d) + 4 * d
    assert count(make("transformer", 512, 512)) == 1025 * d + 2 * layer + 2 * d == 396_416


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("tcn", {"levels": 0}, "levels 0"),
        ("tcn", {"kernel": 1}, "kernel 1"),
        ("transformer", {"width": 10}, "width 10 cannot be cut into 4 heads"),
        ("transformer", {"layers": 0}, "layers is 0"),
        ("tcn", {"modalities": ["smell"]}, r"tcn: modalities is \['smell'\]"),
        ("transformer", {"modalities": []}, "transformer: modalities"),
    ],
)
def test_refusals_name_the_setting(name, options, says):
    with pytest.raises(ConfigError, match=says):
        make(name, **options)
