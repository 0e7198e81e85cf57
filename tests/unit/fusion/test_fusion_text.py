"""Fusions that read text: RJCMA in plain NumPy, its size, and what text may and may not change."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from avfusion.config import match, modalities
from avfusion.config.jobs import RobustSettings
from avfusion.config.load import load
from avfusion.config.sections import CorpusEntry, FeatureSettings
from avfusion.config.study import Study
from avfusion.errors import ConfigError
from avfusion.layout import Layout
from avfusion.registry import fusions
from avfusion.robustness.attention import write_attention
from avfusion.runs.train import train_run
from support import derivations_family as by_hand
from support.synthetic_features import Plan, run_settings, write_inputs

STEPS, DIMS = 6, (5, 7, 4)
ALL = ["audio", "video", "text"]


def rjcma(**options):
    torch.manual_seed(0)
    names = options.get("modalities", ALL)
    dims = DIMS if "text" in names else DIMS[:2]
    fuse = fusions.get("rjcma")(*dims, steps=STEPS, **{"hidden": 3, "encode": 8, **options})
    return fuse.double().eval()


def clips(windows: int = 2):
    draw = torch.Generator().manual_seed(1)
    a, v, t = (torch.randn(windows, STEPS, d, generator=draw).double() for d in DIMS)
    here = torch.ones(windows, STEPS, dtype=torch.bool)
    return a, v, here, here.clone(), t, here.clone()


def derived(x: dict, w: dict, recursions: int) -> np.ndarray:
    """The docstring's equations for one window; x: modality -> (T, d)."""
    x = {m: by_hand.affine(part, w, f"encode.{m}") for m, part in x.items()}
    x = {m: by_hand.memory_if(part, w, f"memories.{m}") for m, part in x.items()}
    blocks = len({key.split(".")[1] for key in w if key.startswith("blocks.")})
    for n in range(recursions):
        own = by_hand.under(w, f"blocks.{n % blocks}")
        j = np.hstack(list(x.values()))
        if "project.weight" in own:
            j = by_hand.affine(j, own, "project")
        after = {}
        for m, part in x.items():
            a = by_hand.under(own, f"attend.{m}")
            c = np.tanh(part.T @ (a["mix.weight"] @ j) / np.sqrt(j.shape[1]))
            h = by_hand.relu(part.T @ a["from_self.weight"].T + c @ a["from_map.weight"].T)
            after[m] = (h @ a["back.weight"].T).T + part
        x = after
    y = np.hstack([x[m] for m in ("video", "audio", "text") if m in x])
    return by_hand.memory_if(y, w, "memory")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"recursions": 1},
        {"recursions": 3, "share": True},
        {"project": False},
        {"blstm": "both"},
        {"modalities": ["audio", "video"]},
        {"modalities": ["text", "video"]},
    ],
    ids=str,
)
def test_rjcma_in_numpy(options):
    fuse, batch = rjcma(**options), clips()
    names = [m for m in ALL if m in options.get("modalities", ALL)]
    given = batch if "text" in names else batch[:4]
    with torch.no_grad():
        found = fuse(*given).features[0].numpy()
    w = {name: p.detach().numpy() for name, p in fuse.named_parameters()}
    x = dict(zip(ALL, (batch[0], batch[1], batch[4]), strict=True))
    expected = derived({m: x[m][0].numpy() for m in names}, w, options.get("recursions", 2))
    within = 1e-5 if "blstm" in options else 1e-6
    np.testing.assert_allclose(found, expected, atol=within)


def test_rjcma_has_the_size_that_its_equations_give():
    """Three maps along time and one of the joint a modality, and the joint's projection."""
    d, k, length = 16, 4, 8
    fuse = fusions.get("rjcma")(d, d, d, steps=length, hidden=k, encode=0)
    one = 3 * (length**2 + 2 * k * length + 3 * d * k) + (3 * d) ** 2 + 3 * d
    assert sum(p.numel() for p in fuse.parameters()) == 2 * one
    shared = fusions.get("rjcma")(d, d, d, steps=length, hidden=k, encode=0, share=True)
    assert sum(p.numel() for p in shared.parameters()) == one


@pytest.mark.parametrize(
    "wrong", [["audio"], ["audio", "smell"], ["audio", "audio", "video"], "text"]
)
def test_rjcma_refuses_modalities_it_cannot_join(wrong):
    with pytest.raises(ConfigError, match="modalities"):
        rjcma(modalities=wrong)


def study(text=(), **entries) -> Study:
    return Study(
        corpora={"toy": CorpusEntry(root="data/toy")},
        features=FeatureSettings(audio=["ear"], video=["eye"], text=list(text)),
        fusions=entries,
    )


def test_settings_of_a_run_know_of_text_only_if_its_fusion_reads_it():
    without = study(concat={}, ca={})
    having = study(["say"], concat={}, ca={}, rjcma={}, more={"is": "concat", "modalities": ALL})
    for name in ("concat", "ca"):
        assert having.run_settings("toy", name, 0) == without.run_settings("toy", name, 0)
    assert not without.features.text
    for name in ("rjcma", "more"):
        assert having.run_settings("toy", name, 0).features.text == ["say"]
    assert not modalities.with_text("rjcma", {"modalities": ["audio", "video"]})


@pytest.mark.parametrize(
    "entry", [{"rjcma": {}}, {"text": {}}, {"c": {"is": "concat", "modalities": ALL}}]
)
def test_a_study_without_text_features_is_told_the_line_to_add(entry):
    with pytest.raises(ConfigError, match=r"Add `text: \[words\]` under features"):
        load({"corpora": {"demo": {"root": "data/demo"}}, "fusions": entry})


def test_a_form_is_found_whether_modalities_are_default_or_spelt_out():
    entries = {"concat": {}, "rjcma_av": {"is": "rjcma", "modalities": ["audio", "video"]}}
    own = study(**entries)
    assert match.find({"is": "concat", "modalities": ["audio", "video"]}, own) == "concat"
    assert match.find({"is": "rjcma", "modalities": ["audio", "video"]}, own) == "rjcma_av"
    assert match.find({"is": "rjcma"}, own) is None


def trained(folder, fusion, plan) -> tuple:
    """Traces and settings of a run on features of which `eye` serves as text too."""
    layout = Layout(folder)
    if not layout.manifest(plan.corpus).is_file():
        write_inputs(layout, plan)
    own = run_settings(plan, fusion, epochs=2)
    if modalities.with_text(fusion, {}):
        own = own.updated(features=FeatureSettings(audio=["ear"], text=["eye"], video=["eye"]))
    train_run(own, layout)
    return layout.run(plan.corpus, fusion, 0)


def test_a_run_with_text_trains_and_predicts_whatever_the_order_of_its_settings(tmp_path):
    """The text of some clips is absent; every prediction is finite, and its maps can be read."""
    import pandas as pd

    plan = replace(Plan(), duration_s=12.0, absent_share=0.4)
    table = pd.read_parquet(trained(tmp_path, "rjcma", plan) / "traces.parquet")
    assert np.isfinite(table[["valence", "arousal"]].to_numpy()).all()
    settings = RobustSettings(
        fusions=["rjcma"], headline="pooled", robustness={}, seeds=[0], draw=0, code=""
    )
    write_attention(plan.corpus, settings, Layout(tmp_path))
