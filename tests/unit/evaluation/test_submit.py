"""A submission holds the trace at each frame's time, clipped; what cannot be written is refused."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from avfusion.config.jobs import CorpusSettings, RunRecord
from avfusion.config.sections import FeatureSettings, WindowSettings
from avfusion.config.training import TrainSettings
from avfusion.errors import CorpusError, TrainError
from avfusion.evaluation.submit import submit
from avfusion.io.stamped import write_sealed, write_stamped
from avfusion.layout import Layout
from avfusion.media.new_record import write_record

OPTIONS = {"edition": "abaw6"}


@pytest.fixture
def layout(tmp_path):
    """Two test videos, `b` without a trace; `a` rises from -2 to 2 in two seconds at 25 Hz."""
    layout = Layout(tmp_path / "results")
    layout.manifest("affwild2").parent.mkdir(parents=True)
    rows = {"video": ["a", "b", "c"], "partition": ["test", "test", "train"]}
    pd.DataFrame(rows).to_parquet(layout.manifest("affwild2"))
    times_s = np.arange(50) / 25
    frames = pd.DataFrame({"time_s": times_s, "faces": 0, "score": np.nan})
    meta = {"face_px": 112, "mel_hop_s": 0.01, "duration_s": 2.0}
    write_record(layout.media("affwild2") / "a", frames, {}, [], meta)
    folder = layout.run("affwild2", "jca", 0)
    folder.mkdir(parents=True)
    trace = {"video": "a", "partition": "test", "time_s": [0.0, 2.0], "valence": [-2.0, 2.0]}
    record = RunRecord(
        corpus="affwild2", fusion="jca", class_="jca", seed=0, features=FeatureSettings(),
        windows=WindowSettings(), train=TrainSettings(), code="", inputs={}, data_hash="",
        parameters=0, run="this",
    )  # fmt: skip
    write_sealed(folder / "settings.json", record.document())
    table = pd.DataFrame({**trace, "arousal": 0.25})
    write_stamped(table, folder / "traces.parquet", {"run": "this"})
    card(layout, "abaw6", "template.txt")
    lines = ["image_location,valence,arousal", "b/00001.jpg,", "a/00026.jpg,", "a/00001.jpg,"]
    (tmp_path / "template.txt").write_text("\n".join([*lines, "a/00052.jpg,"]) + "\n")
    return layout


def settings_of(name, root, **options):
    return CorpusSettings(class_=name, root=root, options=options)


def card(layout, edition, template):
    layout.card("affwild2").write_text(json.dumps({"edition": edition, "template": template}))


def write(layout, edition="abaw6", template=None):
    settings = settings_of("affwild2", layout.results.parent, edition=edition)
    return submit("affwild2", settings, ("jca", 0), template, layout)


def test_rows_follow_the_template_and_values_the_frames_times(layout):
    table = pd.read_csv(write(layout)).set_index("image_location")
    assert list(table.index) == ["b/00001.jpg", "a/00026.jpg", "a/00001.jpg", "a/00052.jpg"]
    assert table["valence"].round(6).tolist() == [0.0, 0.0, -1.0, 1.0]
    assert table["arousal"].tolist() == [0.25] * 4


def test_a_video_without_a_prediction_gets_the_mean_too(layout, caplog):
    """NaN throughout is no trace; a single NaN refuses the run."""
    path = layout.run("affwild2", "jca", 0) / "traces.parquet"
    traces = pd.read_parquet(path)
    silent = pd.DataFrame({"video": "b", "partition": "test", "time_s": [0.0, 2.0]})
    write_stamped(pd.concat([traces, silent], ignore_index=True), path, {"run": "this"})
    lines = write(layout).read_text().splitlines()
    assert "b/00001.jpg,0.000000,0.250000" in lines
    assert "1 test videos have no trace and get the mean: b" in caplog.text
    traces.loc[0, "valence"] = np.nan
    write_stamped(traces, path, {"run": "this"})
    with pytest.raises(TrainError, match="are not finite"):
        write(layout)


def test_a_video_without_a_trace_gets_the_mean_and_is_told(layout, caplog):
    write(layout)
    assert "1 test videos have no trace and get the mean: b" in caplog.text


def test_before_abaw_5_it_is_a_zip_of_a_text_a_trial(layout):
    card(layout, "abaw3", None)
    pd.DataFrame({"video": ["a"], "partition": ["test"]}).to_parquet(layout.manifest("affwild2"))
    with zipfile.ZipFile(write(layout, "abaw3")) as file:
        lines = file.read("a.txt").decode().splitlines()
        assert file.namelist() == ["a.txt"]
    assert lines[0] == "valence,arousal"
    assert len(lines) == 51
    assert lines[26] == "0.000000,0.250000"


def test_what_cannot_be_submitted_is_refused_with_the_next_command(layout, tmp_path):
    (tmp_path / "other.txt").write_text("video9/00001.jpg,0,0\n")
    with pytest.raises(CorpusError, match="such as 'video9'"):
        write(layout, template=tmp_path / "other.txt")
    card(layout, "abaw6", None)
    with pytest.raises(CorpusError, match="--template FILE"):
        write(layout)
    with pytest.raises(TrainError, match="avf train affwild2 jca --seed 7"):
        submit("affwild2", settings_of("affwild2", tmp_path, **OPTIONS), ("jca", 7), None, layout)
    layout.card("demo").parent.mkdir(parents=True)
    pd.read_parquet(layout.manifest("affwild2")).to_parquet(layout.manifest("demo"))
    layout.run("demo", "jca", 0).parent.mkdir(parents=True)
    layout.run("affwild2", "jca", 0).rename(layout.run("demo", "jca", 0))
    with pytest.raises(CorpusError, match="no challenge"):
        submit("demo", settings_of("demo", tmp_path), ("jca", 0), None, layout)
