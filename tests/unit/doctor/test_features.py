"""What `avf doctor` says about files of features."""

import sys

import pytest

from avfusion.config.study import Study
from avfusion.doctor.features import findings


@pytest.fixture
def study(tmp_path):
    (tmp_path / "lld").mkdir()
    (tmp_path / "manifest.csv").touch()
    for name in ("a.h5", "b.h5", "c.csv"):
        (tmp_path / "lld" / name).touch()

    def of(path):
        return Study.model_validate(
            {
                "corpora": {"mine": {"is": "own", "root": str(tmp_path)}},
                "features": {"audio": ["lld"], "video": []},
                "encoders": {"lld": {"is": "precomputed", "path": path}},
                "fusions": {"audio": {}},
            }
        )

    return of


def test_the_files_of_a_pattern_are_counted(study):
    (found,) = findings(study("lld/{video}.csv"))
    assert (found.verdict, "lld: 1 files match" in found.text) == ("OK", True)
    (found,) = findings(study("openface/{video}.csv"))
    assert (found.verdict, found.remedy) == ("MISSING", "correct encoders.lld.path")


def test_a_missing_h5py_is_one_line(study, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    counted, extra = findings(study("lld/{stem}.h5"))
    assert "2 files" in counted.text
    assert (extra.verdict, extra.remedy) == ("MISSING", "make extras")
