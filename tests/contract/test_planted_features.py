"""Every fusion, present and future, trains on features with the faults of real encoders."""

import numpy as np
import pandas as pd
import pytest

from avfusion.config.modalities import read
from avfusion.config.sections import CorpusEntry, FeatureSettings
from avfusion.config.study import Study
from avfusion.errors import TrainError
from avfusion.layout import Layout
from avfusion.registry import fusions
from avfusion.runs.train import train_run
from support.planted_features import FAULTS, append, plant, rectified, ridge_ccc, scored
from support.synthetic_features import Plan, write_inputs

FAST = ("concat",)
SEEDS = tuple(range(4))
CLOSE = 0.02
IN_CI = ("audio", "ca", "jca", "late", "lstm", "ridge", "video")
"""Fusions that CI trains; `make test-long` trains all others."""


def marked(names):
    """Return the names with the marks of their cost."""
    marks = {n: [pytest.mark.slow, pytest.mark.long] for n in names}
    marks |= {n: [pytest.mark.slow] for n in IN_CI} | {n: [] for n in FAST}
    return [pytest.param(n, marks=marks[n]) for n in names]


WIDTHS = {"ear": 6, "eye": 8, "word": 5}
WIDE = {"ear": 20, "eye": 28, "word": 16}
SMALL = {"width": 32, "heads": 4, "hidden": 32, "channels": 32, "levels": 2}
"""Options of the fusions that have them; published sizes take minutes."""

SETTINGS = {
    "features": FeatureSettings(audio=["ear"], video=["eye"], text=["word"]),
    "windows": {"clip_s": 0.64, "hop_s": 0.64, "clips": 8},
}


def study(**train) -> Study:
    """All fusions on one corpus; small windows, and few epochs with a high rate."""
    rule = {"epochs": 8, "lr": 0.003, "patience": 8, "batch": 16, "dropout": 0.2} | train
    corpora = {"toy": CorpusEntry(root="data/toy")}
    sizes = {n: {o: SMALL[o] for o in fusions.options(n) if o in SMALL} for n in fusions.names()}
    return Study(corpora=corpora, fusions=sizes, train=rule, **SETTINGS)


def ccc_of(layout: Layout, plan: Plan, name: str, seed: int, **train) -> float:
    """Train one run and return its CCC on test."""
    train_run(study(**train).run_settings("toy", name, seed), layout)
    traces = pd.read_parquet(layout.run("toy", name, seed) / "traces.parquet")
    return scored(layout, plan, traces)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Features with all faults, and with columns of zeros in their place."""
    layouts = {}
    for kind in ("clean", "planted"):
        layout = layouts[kind] = Layout(tmp_path_factory.mktemp(kind))
        videos = {"train": 12, "validation": 4, "test": 6}
        plan = Plan(videos=videos, widths=WIDE, hop_s=0.64, duration_s=36, seed=41)
        write_inputs(layout, plan)
        plant(layout, plan, *FAULTS, blank=kind == "clean")
    return layouts, plan


@pytest.mark.parametrize("name", marked(fusions.names()))
def test_planted_features_do_not_change_the_score(corpora, name):
    """The score stays within 0.02 or two deviations over seeds of that without the faults."""
    layouts, plan = corpora
    clean, planted = (
        np.array([ccc_of(layouts[kind], plan, name, seed) for seed in SEEDS])
        for kind in ("clean", "planted")
    )
    spread = max(clean.std(ddof=1), planted.std(ddof=1))
    assert abs(planted.mean() - clean.mean()) <= max(CLOSE, 2 * spread), (clean, planted)


@pytest.mark.parametrize("fault", ["dead", "factor"])
def test_the_faults_do_harm_without_robust_scaling(corpora, fault):
    """The counterpart, so that the test above can fail."""
    layouts, plan = corpora
    rule = {"standardise": "standard"}
    clean, planted = (ccc_of(layouts[kind], plan, "concat", 0, **rule) for kind in layouts)
    assert planted < clean - 0.2


@pytest.mark.parametrize("encoder", ["ear", "eye"])
def test_a_feature_that_train_never_has_is_named(tmp_path, encoder):
    layout = Layout(tmp_path)
    plan = write_inputs(layout, Plan(widths=WIDTHS, hop_s=0.64))

    def column(draw, rows, train):
        return np.full((len(rows), 1), np.nan if train else 1.0)

    append(layout, plan, encoder, column)
    message = rf"feature {WIDTHS[encoder]} of encoder '{encoder}' is NaN in every row of 6 train"
    with pytest.raises(TrainError, match=rf"{message}.*avf encode toy {encoder}"):
        ccc_of(layout, plan, "concat", 0)


def test_an_infinite_feature_is_named(tmp_path):
    layout = Layout(tmp_path)
    plan = write_inputs(layout, Plan(widths=WIDTHS, hop_s=0.64))
    append(layout, plan, "eye", lambda draw, rows, train: np.full((len(rows), 1), np.inf))
    with pytest.raises(TrainError, match=r"feature 8 of encoder 'eye' is infinite in video 't"):
        ccc_of(layout, plan, "concat", 0)


EPOCHS = {"cross_transformer": 40}
"""Fusions that still improve after 20 epochs, where they are 0.03 to 0.12 below the regression."""

BOTH = [n for n in fusions.names() if {"audio", "video"} <= set(read(n, {}))]
"""Fusions that read both modalities."""


@pytest.fixture(scope="module")
def relu(tmp_path_factory):
    """64 rectified units per encoder that fire in 2 % of the rows."""
    layout = Layout(tmp_path_factory.mktemp("relu"))
    widths = dict.fromkeys(WIDTHS, 64)
    videos = {"train": 32, "validation": 8, "test": 8}
    plan = Plan(videos=videos, widths=widths, hop_s=0.64, duration_s=48, seed=42)
    write_inputs(layout, plan)
    rectified(layout, plan)
    return layout, plan, ridge_ccc(layout, plan, ["ear", "eye"])


@pytest.mark.parametrize("name", marked(BOTH))
def test_units_that_fire_rarely_are_used_as_well_as_by_ridge_regression(relu, name):
    layout, plan, ridge = relu
    assert ridge > 0.3
    epochs = EPOCHS.get(name, 20)
    score = ccc_of(layout, plan, name, 0, epochs=epochs, patience=epochs, batch=32)
    assert score >= ridge - 0.03
