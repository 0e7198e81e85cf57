"""Studies of published settings before anything runs: what they lack, and what differs."""

import hashlib
import shutil

import pytest

from avfusion import cli
from avfusion.doctor import machine


@pytest.fixture
def place(tmp_path, monkeypatch, project):
    shutil.copytree(project / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "config/experiments"


FILE = "data/weights/TSAV_Sub4_544k.pth.tar"


def test_the_doctor_lists_all_that_a_published_study_lacks(place):
    found = list(machine.examine(place / "tbiom2023_jca_as_published.yaml"))
    missing = [(f.what, f.text.split()[0]) for f in found if f.verdict == "MISSING"
               and f.what in ("weights", "corpus", "config")]  # fmt: skip
    assert missing == [("corpus", "affwild2:"), ("weights", f"{FILE}:"), ("weights", f"{FILE}:")]
    remedies = [f.remedy for f in found if f.what == "weights" and f.verdict == "MISSING"]
    for remedy, name in zip(remedies, ("resnet18", "r2plus1d"), strict=True):
        assert remedy == f"Put the file there, or correct encoders.{name}_two_stream.path."
    differ = [f for f in found if f.what == "published" and f.verdict == "WARN"]
    assert any("seeds: published unseeded, here [0, 1, 2]" in f.text for f in differ)
    (summary,) = (f for f in found if f.what == "published" and f.verdict == "OK")
    assert "41 settings equal" in summary.text
    assert cli.main(["doctor", "--config", str(place / "tbiom2023_jca_as_published.yaml")]) == 1


def test_the_doctor_checks_the_hash_of_weights(place, tmp_path):
    path = place / "tbiom2023_jca_as_published.yaml"
    (tmp_path / "data/weights").mkdir(parents=True)
    (tmp_path / FILE).write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    wrong = path.read_text().replace(f"{{path: {FILE}}}", f"{{path: {FILE}, sha256: '{digest}'}}")
    path.write_text(wrong.replace("frame_hz: 30}", f"frame_hz: 30, sha256: '{'0' * 64}'}}"))
    one, two = (f for f in machine.examine(path) if f.what == "weights" and FILE in f.text)
    assert (one.verdict, one.text) == ("OK", f"{FILE}, with the stated SHA-256")
    assert two.verdict == "MISSING"
    assert f"its SHA-256 is {digest}, not {'0' * 64}" in two.text


def test_the_doctor_counts_the_baseline_of_a_published_study(place):
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
