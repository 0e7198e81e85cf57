"""Test that damage to a file is reported with its name, or repaired to the same bits."""

import errno
import json
import os
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from avfusion.cli import main
from avfusion.config.jobs import ScoreSettings
from avfusion.config.sections import FeatureSettings
from avfusion.encoders.job import Job, Opened
from avfusion.errors import AvfError, DamagedError
from avfusion.evaluation.score import score_corpus
from avfusion.io import atomic
from avfusion.io.atomic import locked
from avfusion.io.shards import read_table, write_table
from avfusion.layout import Layout
from avfusion.runs.files import features_now, read_settings
from avfusion.runs.predictor import Trained
from avfusion.runs.train import train_run, write_traces
from support.synthetic_features import Plan, run_settings, write_inputs

SHORT = Plan(videos={"train": 3, "validation": 2, "test": 2}, duration_s=12.0)
FEATURES = FeatureSettings(audio=["ear"], video=["eye"])
SCORED = ScoreSettings(
    features=FEATURES, fusions=["concat"], protocols=["pooled"], seeds=[0], clip_s=0.64
)


def train(layout: Layout, **rule):
    own = run_settings(SHORT, "concat", 0, **{"epochs": 3, **rule})
    train_run(own, layout)
    return layout.run(SHORT.corpus, "concat", 0)


def train_words(layout: Layout, **rule) -> list[str]:
    """The command that trains the run, with its settings in a file."""
    path = layout.results / "run.json"
    path.write_text(json.dumps(run_settings(SHORT, "concat", 0, **rule).document()))
    words = ["train", "toy", "concat", "--results", str(layout.results)]
    return [*words, "--settings", str(path)]


@pytest.fixture
def layout(tmp_path, project, monkeypatch) -> Layout:
    """One finished run over a small corpus."""
    monkeypatch.chdir(project)
    found = Layout(tmp_path)
    write_inputs(found, SHORT)
    train(found)
    return found


@pytest.fixture
def run(layout):
    return layout.run(SHORT.corpus, "concat", 0)


def flip(path, place: int = -40) -> None:
    """Flip one bit of one byte."""
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)


def score(layout: Layout) -> pd.DataFrame:
    score_corpus(SHORT.corpus, SCORED, layout)
    return pd.read_parquet(layout.scores(SHORT.corpus) / "scores.parquet")


def test_a_whole_run_is_scored(layout):
    """The counterpart of all below."""
    assert score(layout)["ccc"].notna().all()


@pytest.mark.parametrize("name", ["train_01.npy", "test_00.npy", "test_00.times.npy"])
@pytest.mark.parametrize("harm", ["cut", "flipped"])
def test_a_damaged_feature_file_stops_training_and_inference(layout, run, name, harm):
    path = layout.features(SHORT.corpus, "eye") / name
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        flip(path)
    for use in (lambda: train(layout, epochs=4), lambda: write_traces(run, layout)):
        with pytest.raises(DamagedError, match=rf"{name}: expected .*avf encode toy eye"):
            use()


@pytest.mark.parametrize("place", [9, 60, 900, -1])
def test_a_flipped_byte_in_the_weights_is_found_wherever_they_are_used(layout, run, place):
    flip(run / "best.safetensors", place)
    for use in (write_traces, Trained.open):
        with pytest.raises(DamagedError, match=r"best\.safetensors: damaged.*rm '"):
            use(run, layout)


def test_damaged_weights_are_written_again_from_the_state(layout, run):
    before = [(run / name).read_bytes() for name in ("best.safetensors", "traces.parquet")]
    flip(run / "best.safetensors")
    train(layout)
    assert [(run / n).read_bytes() for n in ("best.safetensors", "traces.parquet")] == before


def test_a_state_with_a_flipped_byte_is_trained_anew_to_the_same_bits(layout, run, caplog):
    before = [(run / name).read_bytes() for name in ("best.safetensors", "traces.parquet")]
    flip(run / "state.pt")
    train(layout)
    assert "starting over" in caplog.text
    assert [(run / n).read_bytes() for n in ("best.safetensors", "traces.parquet")] == before


def test_settings_edited_by_hand_are_refused_and_written_again_by_training(layout, run):
    path = run / "settings.json"
    before = path.read_bytes()
    path.write_text(path.read_text().replace('"lr": 0.001', '"lr": 0.01'))
    assert path.read_bytes() != before
    for use in (lambda: read_settings(run), lambda: score(layout)):
        with pytest.raises(DamagedError, match=r"settings\.json: edited.*avf train toy concat"):
            use()
    train(layout)
    assert path.read_bytes() == before
    assert score(layout)["ccc"].notna().all()


def test_settings_laid_out_anew_are_the_same_settings(run):
    path = run / "settings.json"
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert read_settings(run).fusion == "concat"


@pytest.mark.parametrize("harm", ["edited", "flipped", "cut"])
def test_traces_that_are_not_as_written_are_not_scored(layout, run, harm):
    path = run / "traces.parquet"
    match harm:
        case "edited":
            table = pd.read_parquet(path)
            table.loc[3, "valence"] += 0.1
            write_table(table, path)
        case "flipped":
            flip(path, 200)
        case "cut":
            path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DamagedError, match=r"traces\.parquet: edited or damaged.*avf infer"):
        score(layout)


def test_traces_of_other_weights_or_settings_are_not_scored(layout, run):
    path, kept = run / "traces.parquet", (run / "traces.parquet").read_bytes()
    train(layout, epochs=2)
    now = path.read_bytes()
    path.write_bytes(kept)
    with pytest.raises(DamagedError, match="other settings than"):
        score(layout)
    path.write_bytes(now)
    assert score(layout)["ccc"].notna().all()
    weights = (run / "best.safetensors").read_bytes()
    train(layout)
    (run / "best.safetensors").write_bytes(weights)
    with pytest.raises(DamagedError, match=r"other weights than best\.safetensors"):
        score(layout)


def test_a_run_on_features_that_were_encoded_anew_since_is_not_scored(layout, run):
    assert features_now(read_settings(run), layout) == read_settings(run).predicted
    path = layout.features(SHORT.corpus, "ear") / "index.parquet"
    table = pd.read_parquet(path)
    table.loc[2, "sha256"] = "0" * 64
    write_table(table, path)
    with pytest.raises(AvfError, match=r"trained on features ear .*avf train toy concat --seed 0"):
        score(layout)


def test_a_table_with_a_flipped_byte_is_named(layout):
    path = layout.gold(SHORT.corpus)
    flip(path, len(path.read_bytes()) // 3)
    with pytest.raises(DamagedError, match=r"gold\.parquet: damaged.*snakemake all"):
        read_table(path)


def test_a_run_is_trained_by_one_process_at_a_time(layout, run, capsys):
    words = train_words(layout, epochs=3)
    before = (run / "traces.parquet").read_bytes()
    with locked(run):
        assert main(words) == 1
    assert "another process is writing it" in capsys.readouterr().err
    assert (run / "traces.parquet").read_bytes() == before
    assert main(words) == 0


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_nothing_is_told_and_leaves_what_was(
    layout, run, monkeypatch, capsys, code
):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    before = (run / "best.safetensors").read_bytes()
    words = train_words(layout, epochs=5)
    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "fsync", refuse)
        assert main(words) == 1
    assert f"{os.strerror(code)}. No partly written file is left" in capsys.readouterr().err
    assert (run / "best.safetensors").read_bytes() == before
    assert not list(run.glob(".*half*"))
    assert main(words) == 0


def test_no_video_is_blamed_for_a_full_disk(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    job = Job.__new__(Job)
    monkeypatch.setattr(Job, "encoded", full)
    with pytest.raises(OSError, match="No space left"):
        job.row(Opened("a", SimpleNamespace(), "", np.empty(0)))
