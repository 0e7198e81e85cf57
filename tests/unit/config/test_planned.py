"""Encoders of the papers that do not exist yet: a study that lists one says so."""

import json
import shutil

import pytest

from avfusion import cli
from avfusion.config import planned
from avfusion.config.load import checked, load
from avfusion.doctor import machine
from avfusion.errors import ConfigError
from avfusion.registry import encoders

STUDY = {"corpora": {"demo": {"root": "data/demo"}}, "fusions": {"concat": {}}}


def with_video(name, **more):
    return {**STUDY, "features": {"video": [name]}, **more}


def test_no_planned_encoder_exists_and_each_reads_its_modality():
    listed = json.loads(planned.FILE.read_text())
    assert set(listed) == set(planned.planned()), "Remove those that exist from the list."
    widths = {name: entry["width"] for name, entry in listed.items()}
    assert widths == {
        "r2plus1d_two_stream": 25088,
        "resnet18_spectrogram": 512,
        "inception_i3d": 1024,
        "ir50_tcn": 512,
        "vggish": 128,
        "bert": 768,
    }
    assert not [name for name in listed if encoders.known(name)]


def test_a_study_with_a_planned_encoder_says_what_it_is_and_what_to_use():
    with pytest.raises(ConfigError) as error:
        load(with_video("r2plus1d_two_stream"))
    (line,) = str(error.value).splitlines()
    assert "encoder r2plus1d_two_stream is not part of this version: R(2+1)D-18" in line
    assert "25,088 features per clip" in line
    assert "features.video (face_cnn, face_expression, face_tuned)" in line
    assert "`r2plus1d_two_stream: {is: package.module:Class}` under encoders" in line


def test_every_planned_encoder_has_its_own_line():
    study, messages = checked({**with_video("ir50_tcn"), "encoders": {"vggish": {}}})
    assert study is not None
    assert [message.split()[1] for message in messages] == ["ir50_tcn", "vggish"]


def test_a_class_of_ones_own_under_the_name_is_no_fault():
    own = {"inception_i3d": {"is": "support.stand_ins:Seen", "dim": 8}}
    assert load(with_video("inception_i3d", encoders=own)).encoder_class("inception_i3d")
    with pytest.raises(ConfigError, match="No encoder named 'inception_i3'"):
        load(with_video("inception_i3"))


@pytest.fixture
def place(tmp_path, monkeypatch, project):
    shutil.copytree(project / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "config/experiments"


def test_the_doctor_lists_all_that_a_published_study_lacks(place):
    found = list(machine.examine(place / "tbiom2023_jca_as_published.yaml"))
    missing = [(f.what, f.text.split()[1 if f.what == "encoder" else 0]) for f in found
               if f.verdict == "MISSING" and f.what in ("encoder", "corpus", "config")]  # fmt: skip
    assert missing == [
        ("encoder", "resnet18_spectrogram"),
        ("encoder", "r2plus1d_two_stream"),
        ("corpus", "affwild2:"),
    ]
    differ = [f for f in found if f.what == "published" and f.verdict == "WARN"]
    assert any("seeds: published unseeded, here [0, 1, 2]" in f.text for f in differ)
    (summary,) = (f for f in found if f.what == "published" and f.verdict == "OK")
    assert "39 settings equal" in summary.text
    assert cli.main(["doctor", "--config", str(place / "tbiom2023_jca_as_published.yaml")]) == 1


def test_the_doctor_counts_the_baseline_of_a_study_that_lacks_an_encoder(place):
    found = machine.examine(place / "tbiom2023_jca_as_published.yaml")
    (counted,) = (f for f in found if f.what == "config")
    assert counted.text == "2 fusions, 6 training runs"


def test_the_doctor_compares_the_file_itself_and_not_only_the_table(place):
    path = place / "tbiom2023_jca_as_published.yaml"
    path.write_text(path.read_text().replace("epochs: 50", "epochs: 51"))
    differ = [f for f in machine.examine(path) if f.text.startswith("not as listed")]
    assert [f.text for f in differ] == [
        "not as listed: train.epochs: dense_joint_once has 51, the row 50"
    ]
    assert differ[0].verdict == "WARN"
    assert str(path) in differ[0].remedy


def test_the_doctor_says_that_a_study_without_rows_is_not_compared(place):
    path = place / "mine_as_published.yaml"
    shutil.copy(place / "tbiom2023_jca_as_published.yaml", path)
    (finding,) = (f for f in machine.examine(path) if f.what == "published")
    assert finding.verdict == "WARN"
    assert "has no row of mine" in finding.text


def test_the_doctor_reports_a_faulty_table_of_settings_and_goes_on(place):
    table = place.parent / "published_settings.csv"
    table.write_text(table.read_text() + "tbiom2023_jca,,s,,1,2,x,guess,\n")
    found = list(machine.examine(place / "tbiom2023_jca_as_published.yaml"))
    (finding,) = (f for f in found if f.what == "published")
    assert (finding.verdict, "kind" in finding.text) == ("MISSING", True)
    assert found[-1].what == "slurm"


def test_the_doctor_compares_no_other_study_with_published_code(place):
    found = machine.examine(place / "tbiom2023_jca.yaml")
    assert not [f for f in found if f.what == "published"]


def test_another_fault_is_reported_next_to_a_missing_encoder(place):
    path = place / "fg2021_ca_as_published.yaml"
    path.write_text(path.read_text().replace("ca: {}", "ca: {stagess: 2}"))
    found = [f for f in machine.examine(path) if f.verdict == "MISSING"]
    assert [f.what for f in found if f.what in ("encoder", "config", "corpus")] == [
        "encoder",
        "config",
    ]


@pytest.mark.slow
def test_the_workflow_stops_with_the_same_message(copy):
    file = ("--configfile", "config/experiments/fg2021_ca_as_published.yaml")
    said = copy.snakemake("-n", *file, "--", "all", good=False)
    assert "encoder inception_i3d is not part of this version" in said
