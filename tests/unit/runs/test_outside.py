"""A fusion and a loss from outside the package are trained, opened and served like any other."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from avfusion.config.jobs import SCHEMA_VERSION
from avfusion.config.sections import CorpusEntry, FeatureSettings
from avfusion.config.study import Study
from avfusion.errors import DamagedError
from avfusion.io import source
from avfusion.io.stamped import write_sealed
from avfusion.layout import Layout
from avfusion.runs.files import read_settings, run_folder
from avfusion.runs.predictor import Trained
from avfusion.runs.serve import Served
from avfusion.runs.train import train_run
from avfusion.training.checkpoint import load_weights, save_weights
from support.recorded_study import features_table
from support.synthetic_features import run_settings, write_inputs

LAB = """
from torch import nn

from avfusion.fusion.base import Fused
from avfusion.training.losses import ccc_loss


class Sum(nn.Module):
    def __init__(self, audio_dim, video_dim, *, steps, width: int = 3):
        super().__init__()
        self.audio, self.video = nn.Linear(audio_dim, width), nn.Linear(video_dim, width)
        self.out_dim = width

    def forward(self, audio, video, audio_present, video_present):
        return Fused(self.audio(audio) + self.video(video), {})


def loss(prediction, gold):
    return ccc_loss(prediction, gold)


def squares(prediction, gold):
    rated = ~gold.isnan()
    return (prediction[rated] - gold[rated]).square().mean()
"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab_runs.py").write_text(LAB)
    yield Layout(tmp_path / "results")
    sys.modules.pop("lab_runs", None)
    source.module_file.cache_clear()


def study(loss: str) -> Study:
    return Study(
        corpora={"toy": CorpusEntry(root="data/toy")},
        fusions={"sum": {"is": "lab_runs:Sum", "width": 5}},
        features=FeatureSettings(audio=["ear"], video=["eye"]),
        train={"epochs": 2, "hidden": 8, "loss": loss},
    )


def test_a_fusion_outside_the_package_is_trained_opened_and_served(lab):
    write_inputs(lab)
    settings = study("lab_runs:squares").run_settings("toy", "sum", 0)
    train_run(settings, lab)
    folder = run_folder(settings, lab)
    assert set(read_settings(folder).outside) == {"fusion sum", "loss lab_runs:squares"}
    traces = pd.read_parquet(folder / "traces.parquet")
    again = Trained.open(folder, lab).traces("test")
    names = ["valence", "arousal"]
    expected = traces[traces["partition"] == "test"][names].to_numpy()
    np.testing.assert_array_equal(again[names].to_numpy(), expected)
    served = Served.open(folder / "best.safetensors")
    table = features_table(lab, settings)
    merged = table[["video", "time_s"]].join(served.predict(table))
    merged = merged.merge(traces, on=["video", "time_s"], suffixes=("", "_traced"))
    assert len(merged) == len(traces)
    for name in names:
        np.testing.assert_allclose(merged[name], merged[f"{name}_traced"], atol=1e-5)


def test_a_loss_outside_the_package_that_equals_ours_gives_the_same_bits(lab):
    write_inputs(lab)
    fitted = []
    for loss in ("pooled", "lab_runs:loss", "lab_runs:squares", "per_window"):
        settings = study(loss).run_settings("toy", "sum", 0)
        train_run(settings, lab)
        fitted.append(load_weights(run_folder(settings, lab) / "best.safetensors")[0])
    ours, same, *others = fitted
    assert all(torch.equal(ours[name], same[name]) for name in ours)
    name = "fusion.audio.weight"
    assert not any(torch.equal(ours[name], other[name]) for other in others)


def test_settings_and_weights_of_another_schema_version_are_refused_with_the_command(tmp_path):
    layout = Layout(tmp_path)
    settings = run_settings(write_inputs(layout), "concat", epochs=1)
    train_run(settings, layout)
    folder = run_folder(settings, layout)
    record = json.loads((folder / "settings.json").read_text())
    write_sealed(folder / "settings.json", record | {"schema_version": 1})
    refusal = rf"schema version 1, expected {SCHEMA_VERSION}.*avf train toy concat --seed 0"
    with pytest.raises(DamagedError, match=rf"settings\.json: .*{refusal}"):
        read_settings(folder)
    weights, document = load_weights(folder / "best.safetensors")
    save_weights(folder / "best.safetensors", weights, document | {"schema_version": 1})
    with pytest.raises(DamagedError, match=rf"best\.safetensors: .*{refusal}"):
        Trained.open(folder, layout)
    del document["fusion"]
    save_weights(folder / "best.safetensors", weights, document)
    with pytest.raises(DamagedError, match=r"not the settings of a run: fusion: .*avf train toy"):
        Trained.open(folder, layout)
