"""Test that digests name the first stage whose numbers differ, and belong to the default study."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from avfusion import cli
from avfusion.config.load import BASE, load
from avfusion.doctor import digests as doctor
from avfusion.errors import AvfError
from avfusion.features.store import write_features
from avfusion.io.atomic import write_bytes, write_text
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.lineage import departures, digests
from avfusion.training.checkpoint import save_weights

VIDEOS = ("v0", "v1")


@pytest.fixture(autouse=True)
def here(monkeypatch, project):
    monkeypatch.chdir(project)


@pytest.fixture
def study():
    return load(BASE)


@pytest.fixture
def finished(tmp_path, study) -> Layout:
    """Files of every stage, with few numbers."""
    layout = Layout(tmp_path / "results")
    digits = pd.DataFrame({"video": VIDEOS, "sha256": ["a", "b"]})
    write_table(digits, layout.manifest("demo"))
    write_text(layout.card("demo"), json.dumps({"data_hash": "c"}))
    for video in VIDEOS:
        write_record(layout.media("demo") / video, key="k")
    for name in study.all_features().encoders:
        write_weights(layout.encoder("demo", name))
        write_rows(layout, name)
    for fusion in study.fusions:
        for seed in study.seeds:
            write_weights(layout.run("demo", fusion, seed))
    write_scores(layout)
    return layout


def write_record(folder, key, level=0.5):
    write_text(folder / "meta.json", json.dumps({"key": key, "frames": 2}))
    write_bytes(folder / "faces.zip", b"faces")
    write_bytes(folder / "sound.npy", np.full(8, level).tobytes())
    write_table(pd.DataFrame({"time_s": [0.0, 0.1]}), folder / "frames.parquet")


def write_weights(folder, value=1.0, code="x"):
    save_weights(folder / "best.safetensors", {"w": torch.tensor([value])}, {"code": code})


def write_rows(layout, encoder, value=1.0):
    folder = layout.features("demo", encoder)
    rows = [(v, write_features(folder, v, np.ones(1), np.full((1, 2), value))) for v in VIDEOS]
    write_table(pd.DataFrame(rows, columns=["video", "sha256"]), folder / "index.parquet")


def write_scores(layout, jca=(0.5, 0.7)):
    rows = [("concat", 0, 0.4), ("jca", 0, jca[0]), ("jca", 1, jca[1])]
    table = pd.DataFrame(rows, columns=["fusion", "seed", "ccc"])
    table = table.assign(partition="test", protocol="pooled", target="mean")
    write_table(table, layout.scores("demo") / "scores.parquet")


def recorded(study, layout) -> digests.Digests:
    return digests.write_digests(study, layout, layout.results / "digests.json")


def first(equal):
    return next((stage for stage, same in equal.items() if not same), None)


def test_equal_results_are_equal_at_all_stages(study, finished):
    before = recorded(study, finished)
    equal, sentence = departures.compared(before, study, finished)
    assert len(equal) == 1 + 1 + 1 + 2 * 6 + len(study.fusions) + 1
    assert all(equal.values())
    assert sentence == f"all {len(equal)} stages equal those of {digests.FILE}"


def test_every_stage_has_a_digest_and_code(study, finished):
    before = recorded(study, finished)
    assert list(before["stages"]) == list(before["code"])


def test_the_first_stage_that_differs_is_named_with_the_difference_of_scores(study, finished):
    before = recorded(study, finished)
    write_rows(finished, "face_cnn-fit1", value=2.0)
    write_weights(finished.run("demo", "jca", 1), value=2.0)
    write_scores(finished, jca=(0.5, 0.76))
    equal, sentence = departures.compared(before, study, finished)
    differing = [stage for stage, same in equal.items() if not same]
    assert differing == ["demo: features of face_cnn-fit1", "demo: runs of jca", "demo: scores"]
    assert f"is {differing[0]}; test scores differ by at most 0.0300 CCC (demo: jca" in sentence
    assert "code" not in sentence


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        ("media files", lambda lay: write_table(
            pd.DataFrame({"video": VIDEOS, "sha256": ["a", "z"]}), lay.manifest("demo"))),
        ("manifest and gold", lambda lay: write_text(
            lay.card("demo"), json.dumps({"data_hash": "d"}))),
        ("media records", lambda lay: write_record(lay.media("demo") / "v1", "k", level=0.6)),
        ("weights of mel_cnn", lambda lay: write_weights(lay.encoder("demo", "mel_cnn"), 2.0)),
        ("runs of ridge", lambda lay: write_weights(lay.run("demo", "ridge", 5), 2.0)),
        ("scores", lambda lay: write_scores(lay, jca=(0.5, 0.71))),
    ],
)  # fmt: skip
def test_a_change_of_numbers_is_seen_at_its_stage(study, finished, stage, change):
    before = recorded(study, finished)
    change(finished)
    equal, _ = departures.compared(before, study, finished)
    assert [name for name, same in equal.items() if not same] == [f"demo: {stage}"]


def test_a_change_of_code_that_changes_no_number_is_no_difference(study, finished):
    before = recorded(study, finished)
    write_weights(finished.run("demo", "jca", 0), code="y")
    write_weights(finished.encoder("demo", "mel_cnn"), code="y")
    write_record(finished.media("demo") / "v0", key="other")
    assert first(departures.compared(before, study, finished)[0]) is None


def test_digests_of_other_code_are_mentioned_only_where_they_can_be_the_cause(study, finished):
    before = recorded(study, finished)
    write_rows(finished, "mel_cnn", value=2.0)
    after = {**before, "code": {**before["code"], "demo: scores": "0"}}
    assert "code" not in departures.compared(after, study, finished)[1]
    earlier = {**before, "code": {**before["code"], "demo: media records": "0"}}
    assert "(that of demo: media records)" in departures.compared(earlier, study, finished)[1]


def test_digests_of_other_settings_are_not_compared(study, finished):
    before = recorded(study, finished)
    changes = {"train": study.train.model_copy(update={"lr": 0.5}), "cross_fit": 2}
    equal, sentence = departures.compared(before, study.model_copy(update=changes), finished)
    assert equal == {}
    assert "other settings (cross_fit, train.lr)" in sentence


def test_a_key_that_came_later_is_a_difference_only_if_it_is_used(study):
    before = digests.settings(study)
    del before["cross_fit"]
    assert digests.changed(before, study) == []
    assert digests.changed(before, study.model_copy(update={"cross_fit": 2})) == ["cross_fit"]


def test_folders_shards_and_statistics_are_no_settings_of_numbers(study):
    entry = study.corpora["demo"].model_copy(update={"root": "elsewhere", "shards": 9})
    statistics = study.statistics.model_copy(update={"draws": 7})
    changes = {"corpora": {"demo": entry}, "results": "there", "statistics": statistics}
    assert digests.changed(digests.settings(study), study.model_copy(update=changes)) == []


def test_the_committed_digests_belong_to_the_default_study(study):
    """After a change of config/config.yaml: `make demo`, then `avf digests --write`."""
    committed = digests.read_digests()
    assert digests.changed(committed["settings"], study) == []
    assert committed["settings"]["arithmetic"] == "portable"
    assert list(committed["stages"]) == list(digests.code(study))
    assert {f"demo: {fusion}" for fusion in study.fusions} <= committed["scores"].keys()


def test_fast_arithmetic_and_missing_results_are_refused(study, finished):
    with pytest.raises(AvfError, match="arithmetic is fast"):
        recorded(study.model_copy(update={"arithmetic": "fast"}), finished)
    (finished.run("demo", "ca", 3) / "best.safetensors").unlink()
    with pytest.raises(AvfError, match=r"ca/seed3/best.safetensors: file not found"):
        recorded(study, finished)


def test_the_doctor_informs_and_never_fails(study, finished, monkeypatch, tmp_path):
    there = study.model_copy(update={"results": str(finished.results)})
    monkeypatch.setattr(digests, "FILE", tmp_path / "digests.json")
    assert list(doctor.findings(there, BASE)) == []
    digests.write_digests(there, finished, digests.FILE)
    write_rows(finished, "face_cnn", value=2.0)
    (finding,) = doctor.findings(there, BASE)
    assert (finding.verdict, finding.what) == ("OK", "digests")
    assert "demo: features of face_cnn;" in finding.text
    assert list(doctor.findings(there, tmp_path / "another.yaml")) == []
    (finished.scores("demo") / "scores.parquet").unlink()
    assert "yet" in next(doctor.findings(there, BASE)).text
    digests.FILE.write_text("{}")
    assert next(doctor.findings(there, BASE)).verdict == "WARN"


def test_the_command_writes_the_file_and_lists_the_stages(finished, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(digests, "FILE", tmp_path / "digests.json")
    results = ["--results", str(finished.results)]
    assert cli.main(["digests", "--write", *results]) == 0
    write_weights(finished.run("demo", "ca", 0), 3.0)
    capsys.readouterr()
    assert cli.main(["digests", *results]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "differs  demo: runs of ca" in lines
    assert "equal    demo: scores" in lines


def test_a_corpus_of_classes_has_no_ccc(study, finished):
    entry = study.corpora["demo"].model_copy(update={"task": "classes"})
    classes = study.model_copy(update={"corpora": {"demo": entry}})
    assert digests.scores(classes, finished) == {}
    assert digests.scores(study, finished)
