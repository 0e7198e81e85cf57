"""Runs whose windows overlap or are left out: what they train on, predict, serve and export."""

import numpy as np
import pandas as pd
import pytest
import torch

from avfusion.config.sections import WindowSettings
from avfusion.errors import AvfError, TrainError
from avfusion.features.windows import join
from avfusion.layout import Layout
from avfusion.robustness.attention import pairs
from avfusion.robustness.gate_weights import gate_weights
from avfusion.runs.predictor import Trained
from avfusion.runs.ratings import RatingJob
from avfusion.runs.serve import Served
from avfusion.runs.train import train_run
from support.recorded_study import features_table
from support.synthetic_features import Plan, run_settings, write_inputs

FRAMES = {"clip_frames": 8, "hop_frames": 1, "frame_hz": 30}


@pytest.fixture
def layout(tmp_path) -> Layout:
    return Layout(tmp_path)


def plan_of(**keys) -> Plan:
    """Videos of 8 s, a row per frame of 1/30 s; one train video is shorter than a window."""
    return Plan(hop_s=1 / 30, duration_s=8.0, short={"train_00": 1.3}, **keys)


def settings_of(plan, fusion="concat", windows=None, **rule):
    rule = {"epochs": 2, "lr": 0.003, "hidden": 8, **rule}
    cuts = WindowSettings.model_validate({**FRAMES, "clips": 6, **(windows or {})})
    return run_settings(plan, fusion, **rule).updated(windows=cuts)


def train(layout, settings):
    train_run(settings, layout)
    return layout.run(settings.corpus, settings.fusion, settings.seed)


@pytest.mark.parametrize(
    "keys", [{"last": "dropped"}, {"advance": 2}, {"advance": 4, "last": "padded"}]
)
def test_a_run_predicts_every_row_and_serves_the_same(layout, keys):
    plan = write_inputs(layout, plan_of())
    settings = settings_of(plan, windows=keys)
    folder = train(layout, settings)
    traces = pd.read_parquet(folder / "traces.parquet")
    table = features_table(layout, settings)
    assert len(traces) == len(table)
    assert traces[["valence", "arousal"]].notna().all(axis=None)
    again = Trained.open(folder, layout).traces("test")
    expected = traces[traces["partition"] == "test"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again[["valence"]], expected[["valence"]])
    served = Served.open(folder / "best.safetensors").predict(table)
    merged = table[["video", "time_s"]].join(served)
    merged = merged.merge(traces, on=["video", "time_s"], suffixes=("", "_traced"))
    assert len(merged) == len(traces)
    for name in ("valence", "arousal"):
        np.testing.assert_allclose(merged[name], merged[f"{name}_traced"], atol=1e-5)


def test_equal_settings_give_equal_bits_and_other_windows_others(layout, tmp_path):
    plan = write_inputs(layout, plan_of())
    traces = []
    for number, keys in enumerate([{"advance": 2}, {"advance": 2}, {}, {"last": "dropped"}]):
        other = Layout(tmp_path / str(number))
        write_inputs(other, plan)
        folder = train(other, settings_of(plan, windows=keys))
        traces.append((folder / "traces.parquet").read_bytes())
    assert traces[0] == traces[1]
    assert len(set(traces)) == 3


def test_only_complete_windows_are_trained_on_and_validation_has_every_row(layout):
    plan = write_inputs(layout, plan_of(absent_share=0.0))
    job = RatingJob(settings_of(plan, windows={"last": "dropped"}), layout)
    trained = job.rows.rows[job.rows.rated()]
    assert trained.min() == 39, "train_00 has 39 rows, and a window spans 41"
    assert job.rows.inside.all()
    assert set(job.validation.rows[job.validation.used].tolist()) == set(range(3 * 240))
    moved = RatingJob(settings_of(plan), layout)
    assert set(moved.rows.rows[moved.rows.used].tolist()) == set(range(39 + 5 * 240))


def test_dropping_every_window_names_the_longest_video(layout):
    plan = write_inputs(layout, plan_of())
    with pytest.raises(TrainError) as caught:
        train_run(settings_of(plan, windows={"clips": 64, "last": "dropped"}), layout)
    assert "`windows.last: dropped` leaves no rated train window" in str(caught.value)
    assert "'train_01', has 240 rows (8 s), and a window needs 505 (16.83 s)" in str(caught.value)
    train_run(settings_of(plan, windows={"clips": 64, "last": "moved"}), layout)


def test_gates_are_means_over_the_windows_of_a_row():
    rows = np.arange(20, dtype=np.float32)[:, None]
    windows = join(iter([(rows, -rows, np.repeat(rows, 2, axis=1))]), 4, 2, advance=1)

    def model(audio, *_):
        return None, {"gate_audio": audio[:, :1, 0].expand(audio.shape[:2])}

    found = gate_weights(model, windows, batch=3)["gate_audio"]
    for row in range(20):
        firsts = windows.rows[(windows.rows == row).any(1), 0].float()
        assert found[row] == pytest.approx(float(firsts.mean()))


@pytest.mark.parametrize(("clips", "stride"), [(4, 2), (4, 1), (3, 5), (8, 1)])
@pytest.mark.parametrize("advance", [None, 1, 2])
@pytest.mark.parametrize("last", ["moved", "padded"])
def test_attention_is_shown_once_per_time(clips, stride, advance, last):
    rows = np.arange(83, dtype=np.float32)[:, None]
    one = rows, -rows, np.repeat(rows, 2, axis=1)
    windows = join(iter([one, one]), clips, stride, advance=advance, last=last)
    places = pd.DataFrame({"video": ["v"] * 83 + ["w"] * 83, "time_s": [*range(83), *range(83)]})

    def model(audio, *_):
        return None, {"audio": torch.full((len(audio), clips, clips), 1 / clips)}

    table = pairs(model, windows, places, "w")
    assert (table.groupby("time_s")["window"].nunique() == 1).all()
    assert (table.groupby("time_s")["weight"].sum().round(6) == 1).all()
    times = np.sort(table["time_s"].unique())
    assert times[0] == 0
    assert np.diff(times).max() <= 2 * stride, "windows follow each other"
    assert times[-1] > 83 - 2 * stride
    assert table["window"].nunique() >= 83 // (clips * stride)


def test_rows_of_a_slightly_other_rate_are_refused(layout):
    """29.97 and 30 Hz differ by 33 µs a row, and by 8 ms after 8 s."""
    plan = write_inputs(layout, plan_of())
    settings = settings_of(plan)
    served = Served.open(train(layout, settings) / "best.safetensors")
    table = features_table(layout, settings)
    rounded = served.predict(table.assign(time_s=table["time_s"].round(3)))
    pd.testing.assert_frame_equal(rounded, served.predict(table))
    with pytest.raises(AvfError, match=r"after 1\.001 s is at 1\.03437 s, expected 1\.03337 s"):
        served.predict(table.assign(time_s=table["time_s"] * 30 / 29.97))
