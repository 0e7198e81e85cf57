"""A run learns what is there, never from test gold, and leaves what the next stages read."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from avfusion.errors import CorpusError, TrainError
from avfusion.features.arrange import off_baseline
from avfusion.features.store import write_features
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.runs.files import read_settings, refuse_other_inputs
from avfusion.runs.inputs import Inputs
from avfusion.runs.ratings import RatingJob, scores
from avfusion.runs.train import train_run, write_traces
from avfusion.training.checkpoint import load_weights
from support.synthetic_features import Plan, run_settings, write_inputs


@pytest.fixture
def layout(tmp_path) -> Layout:
    return Layout(tmp_path)


def train(layout: Layout, plan: Plan, fusion: str = "concat", seed: int = 0, **rule):
    """Fit one run; returns its folder."""
    train_run(run_settings(plan, fusion, seed, **{"epochs": 4, "lr": 0.003, **rule}), layout)
    return layout.run(plan.corpus, fusion, seed)


def read(folder, *names: str) -> list[bytes]:
    return [(folder / name).read_bytes() for name in names]


def test_both_modalities_beat_each_alone(layout):
    """Audio carries arousal, video valence: fusion must know both."""
    plan = write_inputs(layout)
    best = {}
    for fusion in ("audio", "video", "concat"):
        epochs = pd.read_csv(train(layout, plan, fusion, epochs=15) / "epochs.csv")
        best[fusion] = epochs.loc[epochs["score"].idxmax()]
    assert best["audio"]["ccc_arousal"] > best["audio"]["ccc_valence"]
    assert best["video"]["ccc_valence"] > best["video"]["ccc_arousal"]
    assert best["concat"]["score"] > max(best["audio"]["score"], best["video"]["score"])
    assert best["concat"]["score"] > 0.5


def test_test_gold_leaves_no_trace(layout, tmp_path):
    plan = write_inputs(layout)
    first = train(layout, plan)
    other = Layout(tmp_path / "other")
    write_inputs(other, plan)
    gold = pd.read_parquet(other.gold(plan.corpus))
    test = gold["video"].str.startswith("test")
    gold.loc[test, "valence"] = -gold.loc[test, "arousal"] + 7
    write_table(gold, other.gold(plan.corpus))
    second = train(other, plan)
    names = ("best.safetensors", "epochs.csv", "traces.parquet")
    assert read(first, *names) == read(second, *names)


def test_train_gold_does_leave_a_trace(layout, tmp_path):
    """The counterpart, so that the test above can fail."""
    plan = write_inputs(layout)
    first = train(layout, plan)
    other = Layout(tmp_path / "other")
    write_inputs(other, plan)
    gold = pd.read_parquet(other.gold(plan.corpus))
    chosen = gold["video"].str.startswith("train")
    gold.loc[chosen, "valence"] = -gold.loc[chosen, "valence"]
    write_table(gold, other.gold(plan.corpus))
    assert read(first, "traces.parquet") != read(train(other, plan), "traces.parquet")


def test_test_gold_is_refused(layout):
    plan = write_inputs(layout)
    inputs = Inputs.read(run_settings(plan, "concat"), layout)
    with pytest.raises(TrainError, match="must not see it"):
        inputs.gold("test", layout, plan.delay_s)


def test_test_features_do_not_reach_the_weights(layout, tmp_path):
    plan = write_inputs(layout)
    other = Layout(tmp_path / "other")
    write_inputs(other, plan)
    change_features(other, plan, "test_00")
    one, two = (load_weights(train(at, plan) / "best.safetensors")[0] for at in (layout, other))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_a_video_without_its_baseline_has_mean_zero_and_keeps_its_gaps():
    rows = np.arange(12, dtype=np.float16).reshape(4, 3) ** 2
    rows[2] = np.nan
    changed = off_baseline(rows)
    assert np.isnan(changed[2]).all()
    np.testing.assert_allclose(np.nanmean(changed, axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(changed[1] - changed[0], rows[1] - rows[0])
    assert np.isnan(off_baseline(np.full((2, 3), np.nan))).all()


def test_features_are_standardised_over_train(layout):
    plan = write_inputs(layout)
    folder = train(layout, plan, epochs=1, baseline="none", standardise="standard")
    weights, _ = load_weights(folder / "best.safetensors")
    folder = layout.features(plan.corpus, "ear")
    rows = np.concatenate([np.load(folder / f"train_{i:02d}.npy") for i in range(6)])
    rows = rows[~np.isnan(rows).any(1)].astype(float)
    np.testing.assert_allclose(weights["audio.mean"], rows.mean(0), rtol=1e-3)
    np.testing.assert_allclose(weights["audio.scale"], rows.std(0), rtol=1e-3)


@pytest.mark.parametrize("fusion", ["ca", "jca"])
def test_same_settings_same_bytes(layout, tmp_path, fusion):
    plan = write_inputs(layout)
    write_inputs(Layout(tmp_path / "other"), plan)
    folders = [train(at, plan, fusion) for at in (layout, Layout(tmp_path / "other"))]
    names = ("best.safetensors", "epochs.csv", "traces.parquet", "settings.json")
    assert read(folders[0], *names) == read(folders[1], *names)


def test_traces_hold_every_clip_of_every_partition_once(layout):
    plan = write_inputs(layout, Plan(short={"train_01": 1.3, "test_02": 0.16, "test_00": 31.0}))
    traces = pd.read_parquet(train(layout, plan, "jca", epochs=1) / "traces.parquet")
    assert list(traces) == ["video", "partition", "time_s", "valence", "arousal", "outside"]
    assert dict(traces[["video", "partition"]].drop_duplicates().to_numpy()) == dict(plan.names())
    for video, part in traces.groupby("video"):
        times = np.load(layout.features(plan.corpus, "ear") / f"{video}.times.npy")
        np.testing.assert_array_equal(part["time_s"], times)
    assert np.isfinite(traces[["valence", "arousal"]]).all(axis=None)


def test_settings_say_what_was_fitted_to_what(layout):
    plan = write_inputs(layout, Plan(failed=("train_02", "test_01")))
    folder = train(layout, plan, epochs=1)
    record = json.loads((folder / "settings.json").read_text())
    settings = run_settings(plan, "concat", epochs=1, lr=0.003).document()
    assert {key: record[key] for key in settings} == settings
    assert record["data_hash"] == "0" * 64
    assert record["missing"] == ["test_01", "train_02"]
    assert set(record["inputs"]["features"]) == {"ear", "eye"}
    assert not {"test_01", "train_02"} & set(pd.read_parquet(folder / "traces.parquet")["video"])


@pytest.mark.parametrize("head", ["regressor", "ca", "jca"])
def test_the_head_is_the_one_asked_for(layout, head):
    folder = train(layout, write_inputs(layout), "ca", head=head, epochs=1)
    weights, settings = load_weights(folder / "best.safetensors")
    assert settings["train"]["head"] == head
    assert any(key.startswith("head.1.") for key in weights) == (head != "regressor")
    assert np.isfinite(pd.read_parquet(folder / "traces.parquet")["arousal"]).all()


def test_traces_can_be_written_again(layout):
    folder = train(layout, write_inputs(layout), "ca")
    before = read(folder, "traces.parquet")
    (folder / "traces.parquet").unlink()
    write_traces(folder, layout)
    assert read(folder, "traces.parquet") == before


def test_traces_of_other_features_are_refused(layout):
    plan = write_inputs(layout)
    folder = train(layout, plan, epochs=1)
    change_features(layout, plan, "train_00")
    with pytest.raises(TrainError, match=r"features have changed.*avf train toy concat --seed 0"):
        write_traces(folder, layout)


def test_a_corpus_without_rated_train_videos_is_refused(layout):
    plan = write_inputs(layout)
    gold = pd.read_parquet(layout.gold(plan.corpus))
    gold.loc[gold["video"].str.startswith("train"), ["valence", "arousal"]] = np.nan
    write_table(gold, layout.gold(plan.corpus))
    with pytest.raises(TrainError, match=r"no rating for any of 6 train videos"):
        train(layout, plan)


@pytest.mark.parametrize("part", ["train", "validation"])
@pytest.mark.parametrize("fusion", ["concat", "ridge"])
def test_a_target_that_a_partition_has_no_rating_of_is_named(layout, part, fusion):
    plan = write_inputs(layout)
    gold = pd.read_parquet(layout.gold(plan.corpus))
    gold.loc[gold["video"].str.startswith(part), "arousal"] = np.nan
    write_table(gold, layout.gold(plan.corpus))
    message = rf"no rating of arousal for any of \d {part} videos.*run `avf verify toy`"
    with pytest.raises(TrainError, match=message):
        train(layout, plan, fusion)


def test_a_partition_without_videos_is_named_and_no_file_is_blamed(layout):
    plan = write_inputs(layout, Plan(videos={"train": 2, "test": 1}))
    with pytest.raises(TrainError, match=r"^toy: no validation video with features"):
        train(layout, plan)


def test_encoders_on_different_grids_are_refused(layout):
    plan = write_inputs(layout)
    index_path = layout.features(plan.corpus, "eye") / "index.parquet"
    index = pd.read_parquet(index_path)
    times_s, rows = np.arange(1, 11) * 0.16, np.zeros((10, 20))
    sha256 = write_features(index_path.parent, "train_00", times_s, rows)
    index.loc[index["video"] == "train_00", ["rows", "sha256"]] = 10, sha256
    write_table(index, index_path)
    with pytest.raises(TrainError, match=r"clip ends of 'train_00' differ"):
        train(layout, plan)


def test_scores_leave_unrated_rows_out():
    gold = torch.tensor([[0.0, 1.0], [1.0, torch.nan], [torch.nan, 0.0], [0.5, 0.5]])
    prediction = gold.nan_to_num(99.0)
    assert scores(prediction, gold) == {"score": 1, "ccc_valence": 1, "ccc_arousal": 1}


def test_videos_that_are_only_predicted_train_nothing_again(tmp_path, monkeypatch):
    """Unrated test clips are added to the manifest; the predictions then have them too."""
    layout, more = Layout(tmp_path / "one"), Layout(tmp_path / "two")
    plan = write_inputs(layout, Plan(videos={"train": 3, "validation": 2, "test": 1}))
    folder = train(layout, plan)
    write_inputs(more, Plan(videos={"train": 3, "validation": 2, "test": 2}))
    kept = ["train_00", "train_01", "train_02", "validation_00", "validation_01", "test_00"]
    for encoder in plan.widths:
        old, new = layout.features(plan.corpus, encoder), more.features(plan.corpus, encoder)
        for path in new.glob("test_01*.npy"):
            (old / path.name).write_bytes(path.read_bytes())
        index, added = (pd.read_parquet(at / "index.parquet") for at in (old, new))
        added = added[~added["video"].isin(kept)]
        write_table(pd.concat([index, added], ignore_index=True), old / "index.parquet")
    manifest = pd.read_parquet(layout.manifest(plan.corpus))
    row = manifest.iloc[[-1]].assign(video="test_01")
    write_table(pd.concat([manifest, row], ignore_index=True), layout.manifest(plan.corpus))
    before = read(folder, "best.safetensors", "epochs.csv")
    with pytest.raises(CorpusError, match="trained on features ear"):
        refuse_other_inputs(read_settings(folder), "0" * 64, folder, layout)
    monkeypatch.setattr(RatingJob, "loss", None)  # of a batch, which nothing may train on
    train(layout, plan)
    assert read(folder, "best.safetensors", "epochs.csv") == before
    videos = pd.read_parquet(folder / "traces.parquet")["video"].unique()
    assert {*videos} == {*kept, "test_01"}
    refuse_other_inputs(read_settings(folder), "0" * 64, folder, layout)


def change_features(layout: Layout, plan: Plan, video: str) -> None:
    folder = layout.features(plan.corpus, "ear")
    times, rows = np.load(folder / f"{video}.times.npy"), np.load(folder / f"{video}.npy")
    sha256 = write_features(folder, video, times, rows * 2 + 1)
    index = pd.read_parquet(folder / "index.parquet")
    index.loc[index["video"] == video, "sha256"] = sha256
    write_table(index, folder / "index.parquet")
