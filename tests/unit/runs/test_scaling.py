"""scaling.csv, missing features, and predictions for recordings that lack a modality."""

import json
import logging

import numpy as np
import pandas as pd
import pytest
import torch

from avfusion.config.modalities import read
from avfusion.config.sections import CorpusEntry, FeatureSettings
from avfusion.config.study import Study
from avfusion.errors import AvfError, TrainError
from avfusion.features.arrange import off_baseline
from avfusion.features.corrupt import spread
from avfusion.features.store import FeatureStore
from avfusion.layout import Layout
from avfusion.rating import Rating
from avfusion.runs.files import SCALING
from avfusion.runs.inputs import Inputs
from avfusion.runs.predictor import Trained, outside
from avfusion.runs.ratings import scores
from avfusion.runs.scaling import warn
from avfusion.runs.serve import Served
from avfusion.runs.train import train_run
from support.planted_features import append, rewrite
from support.synthetic_features import Plan, run_settings, write_inputs

COLUMNS = ["encoder", "partition", "videos", "values", "limited", "missing", "share", "features"]
COLUMNS += ["constant", "dead", "worst_feature", "worst_share"]


@pytest.fixture
def layout(tmp_path) -> Layout:
    return Layout(tmp_path)


def trained(layout: Layout, plan: Plan, fusion: str = "concat", **rule):
    """Train one run for an epoch and return its folder."""
    train_run(run_settings(plan, fusion, **{"epochs": 1, "baseline": "none", **rule}), layout)
    return layout.run(plan.corpus, fusion, 0)


def table(folder) -> pd.DataFrame:
    return pd.read_csv(folder / SCALING).set_index(["encoder", "partition"])


def test_every_encoder_and_partition_has_a_row(layout):
    plan = write_inputs(layout)
    rows = pd.read_csv(trained(layout, plan) / SCALING)
    assert list(rows) == COLUMNS
    parts = [(e, p) for e in ("ear", "eye") for p in ("train", "validation", "test")]
    assert sorted(zip(rows["encoder"], rows["partition"], strict=True)) == sorted(parts)
    assert (rows["share"] < 0.01).all()
    ear = table(trained(layout, plan)).loc[("ear", "train")]
    files = layout.features("toy", "ear").glob("train_??.npy")
    stored = np.concatenate([np.load(path) for path in files])
    assert ear["values"] == np.isfinite(stored).sum()
    assert (ear["videos"], ear["features"]) == (6, 12)


def test_limited_and_missing_values_are_counted_and_the_worst_feature_is_named(layout, caplog):
    plan = write_inputs(layout)

    def columns(draw, rows, train):
        far = np.full(len(rows), 0.5 if train else 900.0) + draw.normal(0, 0.01, len(rows))
        dead = np.zeros(len(rows))
        dead[7:8] = 1.0 if train and draw.random() < 0.5 else 0.0
        gone = draw.normal(0, 1, len(rows))
        gone[::3] = np.nan
        return np.stack([np.full(len(rows), 2.5), dead, gone, far], 1)

    append(layout, plan, "eye", columns)
    rows = table(trained(layout, plan))
    test, train = rows.loc[("eye", "test")], rows.loc[("eye", "train")]
    assert (test["features"], test["constant"], test["dead"]) == (24, 1, 1)
    present = test["values"] / 24
    assert test["limited"] >= present
    assert test["missing"] == pytest.approx(present / 3, abs=5)
    assert test["share"] == pytest.approx((test["limited"] + test["missing"]) / test["values"])
    assert (test["worst_feature"], test["worst_share"]) == (23, 1)
    assert train["worst_feature"] == 22
    assert "encoder eye are missing or far from the train partition's in test (3" in caplog.text
    assert "most in feature 23 (100.0%" in caplog.text
    assert "feature 22 of encoder 'eye' is NaN in 33" in caplog.text
    assert "encoder ear" not in caplog.text
    caplog.clear()
    warn(layout.run("toy", "concat", 0))
    assert "most in feature 23" in caplog.text


@pytest.mark.parametrize("kind", ["standard", "none"])
def test_the_record_is_the_same_under_every_kind_of_scaling(layout, kind):
    plan = write_inputs(layout)
    robust = (trained(layout, plan) / SCALING).read_bytes()
    assert (trained(layout, plan, standardise=kind) / SCALING).read_bytes() == robust


def test_training_again_replaces_the_record(layout):
    plan = write_inputs(layout)
    folder = trained(layout, plan)
    before = (folder / SCALING).read_bytes()
    (folder / SCALING).write_text("other")
    trained(layout, plan)
    assert (folder / SCALING).read_bytes() == before


def test_a_single_missing_feature_keeps_the_row_and_an_encoder_without_any_does_not(layout):
    plan = write_inputs(layout, Plan(widths={"ear": 12, "eye": 20, "word": 3}))

    def some(draw, rows, train):
        rows[4, 0], rows[5] = np.nan, np.nan
        return rows

    rewrite(layout, plan, "word", some)
    study = Study(
        corpora={"toy": CorpusEntry(root="data/toy")},
        fusions={"concat": {}},
        features=FeatureSettings(audio=["ear", "word"], video=["eye"]),
    )
    inputs = Inputs.read(study.run_settings("toy", "concat", 0), layout)
    ear = np.load(layout.features("toy", "ear") / "train_00.npy")
    rows = inputs.rows("train_00", ["ear", "word"])
    assert np.isnan(rows[5]).all()
    assert np.isnan(rows[4]).any()
    assert np.isnan(rows[4]).all() == np.isnan(ear[4]).all()
    assert (np.isnan(rows[np.isnan(ear).all(1)])).all()
    windows = inputs.windows("train")
    batch = windows.batch(torch.arange(len(windows)))
    assert torch.equal(batch.audio_present, ~batch.audio.isnan().all(-1) & windows.inside)


def test_the_baseline_leaves_missing_features_out_and_makes_a_constant_exactly_0():
    rows = np.array([[1.1, 3.3], [np.nan, 3.3], [3.1, 3.3]], np.float16)
    changed = off_baseline(rows)
    assert np.isnan(changed[1, 0])
    assert changed[[0, 2], 0] == pytest.approx([-1, 1], abs=2e-3)
    assert (changed[:, 1] == 0).all()
    assert np.isnan(off_baseline(np.array([[np.nan, 1], [np.nan, 3]]))[:, 0]).all()


def test_the_spread_of_a_feature_leaves_out_its_missing_values(layout):
    plan = write_inputs(layout)
    append(
        layout,
        plan,
        "ear",
        lambda d, rows, t: np.where(np.arange(len(rows)) % 2, 2, np.nan)[:, None],
    )
    store = FeatureStore.open(layout.features("toy", "ear") / "index.parquet")
    deviation = spread(store, ["train_00"])
    rows = np.load(layout.features("toy", "ear") / "train_00.npy").astype(float)
    assert deviation[:12] == pytest.approx(np.nanstd(rows[:, :12], axis=0))
    assert deviation[12] == 0


@pytest.mark.parametrize(
    ("fusion", "options", "expected"),
    [
        ("audio", {}, ("audio",)),
        ("video", {}, ("video",)),
        ("text", {}, ("text",)),
        ("concat", {}, ("audio", "video")),
        ("concat", {"modalities": ["audio", "text"]}, ("audio", "text")),
        ("jca", {}, ("audio", "video")),
    ],
)
def test_the_modalities_that_a_fusion_reads_are_known(fusion, options, expected):
    assert read(fusion, options) == expected


def silence(layout: Layout, plan: Plan, encoder: str, *videos: str) -> None:
    """Make an encoder absent in whole videos."""
    names = [video for video, _ in plan.names()]
    at = iter(names)
    rewrite(layout, plan, encoder, lambda d, rows, t: rows * (np.nan if next(at) in videos else 1))


def test_a_recording_without_sound_has_no_prediction_from_audio(layout):
    plan = write_inputs(layout)
    silence(layout, plan, "ear", "test_01", "validation_00")
    for fusion, absent in (("audio", {"test_01", "validation_00"}), ("concat", set())):
        traces = pd.read_parquet(trained(layout, plan, fusion) / "traces.parquet")
        empty = traces.groupby("video")["valence"].apply(lambda v: v.isna().all())
        assert set(empty.index[empty]) == absent
        assert traces[~traces["video"].isin(absent)][["valence", "arousal"]].notna().all(axis=None)
    served = Served.open(layout.run("toy", "audio", 0) / "best.safetensors")
    trace = served.predict(table_of(layout, served, "test_01"))
    assert trace.isna().all(axis=None)


def test_a_modality_that_no_train_video_has_stops_only_the_fusions_that_read_it(layout, caplog):
    plan = write_inputs(layout)

    def only_later(draw, rows, train):
        return np.full_like(rows, np.nan) if train else rows

    rewrite(layout, plan, "eye", only_later)
    with pytest.raises(TrainError, match=r"no train video has a face that eye .*concat needs it"):
        trained(layout, plan)
    folder = trained(layout, plan, "audio")
    assert "the video of encoder 'eye' is absent in every row of 6 train videos" in caplog.text
    assert pd.read_parquet(folder / "traces.parquet")["valence"].notna().all()


def test_a_silent_validation_video_counts_in_training_as_in_scoring(layout):
    plan = write_inputs(layout)
    silence(layout, plan, "ear", "validation_00")
    folder = trained(layout, plan, "audio")
    run = Trained.open(folder, layout)
    windows = run.data.windows("validation", run.data.gold("validation", layout, plan.delay_s))
    predicted = torch.from_numpy(np.stack(list(run.predict(windows).values()), axis=1))
    assert predicted.isnan().any()
    expected = scores(predicted.nan_to_num(0.0), windows.gold)["score"]
    assert json.loads((folder / "fit.json").read_text())["validation"]["score"] == pytest.approx(
        expected, abs=1e-6
    )
    assert pd.read_csv(folder / "epochs.csv")["score"].max() == pytest.approx(expected, abs=1e-6)


def table_of(layout: Layout, served: Served, video: str) -> pd.DataFrame:
    """The features of a video as a table that a served model reads."""
    frame = {"video": video}
    for encoder, modality in (("ear", "audio"), ("eye", "video")):
        folder = layout.features("toy", encoder)
        rows = np.load(folder / f"{video}.npy")
        frame["time_s"] = np.load(folder / f"{video}.times.npy")
        frame |= dict(zip(served.columns()[modality], rows.T, strict=True))
    return pd.DataFrame(frame)


@pytest.mark.parametrize("baseline", ["none", "video"])
def test_a_served_model_scales_and_warns_as_the_run_does(layout, caplog, baseline):
    plan = write_inputs(layout)
    append(layout, plan, "eye", lambda d, r, t: d.normal(0, 1 if t else 1000, (len(r), 2)))
    folder = trained(layout, plan, baseline=baseline, unit_length=True)
    served = Served.open(folder / "best.safetensors")
    caplog.clear()
    predicted = served.predict(table_of(layout, served, "test_00"))
    traces = pd.read_parquet(folder / "traces.parquet")
    traces = traces[traces["video"] == "test_00"]
    np.testing.assert_allclose(predicted, traces[["valence", "arousal"]], atol=1e-5)
    assert "test_00: 9." in caplog.text or "test_00: 8." in caplog.text
    assert "far from the train partition's, most in video_2" in caplog.text
    frame = table_of(layout, served, "test_00")
    frame.loc[3, "audio_1"] = np.inf
    with pytest.raises(AvfError, match="column 'audio_1' has an infinite value"):
        served.predict(frame)


def test_predictions_beyond_the_scale_are_flagged_and_counted(layout, caplog):
    plan = write_inputs(layout)
    folder = trained(layout, plan)
    run = Trained.open(folder, layout)
    with torch.no_grad():
        list(run.model.head.parameters())[-1].add_(21)
    traces = run.traces("test")
    assert traces["outside"].all()
    assert traces["outside"].dtype == bool
    written = pd.read_parquet(folder / "traces.parquet")
    values = written[["valence", "arousal"]]
    assert (written["outside"] == (values.abs() > 1 + 1e-5).any(axis=1)).all()
    beyond = int(written["outside"].sum())
    if beyond:
        assert f"toy/concat/seed0: {beyond} of {len(written)} rows" in caplog.text


def test_the_scale_itself_is_not_outside():
    pain = Rating(("pain",), 0, 10)
    frame = pd.DataFrame({"pain": [0, 10, -0.1, 10.1, np.nan, 10 + 1e-6]})
    assert outside(frame, pain).tolist() == [False, False, True, True, False, False]


def test_quiet_features_are_not_warned_about(layout, caplog):
    plan = write_inputs(layout)
    with caplog.at_level(logging.WARNING, logger="avfusion.runs.scaling"):
        trained(layout, plan)
    assert "far from" not in caplog.text
