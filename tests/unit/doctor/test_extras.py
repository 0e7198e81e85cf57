"""What `avf doctor` says about optional packages, and about folders of models."""

import hashlib
import importlib.metadata
import importlib.util

import pytest

from avfusion.config.study import Study
from avfusion.doctor import encoder_files, machine
from avfusion.doctor.extras import findings
from avfusion.registry import encoders


def study(**entries):
    return Study.model_validate(
        {
            "corpora": {"demo": {"root": "data/demo"}},
            "features": {"audio": ["mel_cnn"], "video": list(entries)},
            "encoders": entries,
            "fusions": {"concat": {}},
        }
    )


def test_a_missing_package_is_one_line_however_many_encoders_need_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    given = study(one={"is": "timm"}, two={"is": "timm"}, three={"is": "onnx"})
    (found,) = findings(given)
    assert (found.verdict, found.remedy) == ("MISSING", "make extras")
    assert found.text == "timm is not installed; one, two needs it"


def test_an_installed_package_is_found(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    (found,) = findings(study(one={"is": "timm"}))
    assert (found.verdict, found.text) == ("OK", "timm for one")
    assert list(findings(study(face_expression={}))) == []


def test_every_extra_of_an_encoder_is_an_extra_of_the_package():
    stated = importlib.metadata.metadata("avfusion").get_all("Provides-Extra") or []
    if not stated:
        pytest.skip("avfusion was installed before it had extras")
    assert {encoders.constant(name, "extra") for name in encoders.names()} - {None} <= set(stated)


def test_packages_of_extras_are_not_missing_from_the_environment(monkeypatch, tmp_path):
    needs = ["numpy", 'timm>=1; extra == "timm"', "no-such-package"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: needs)
    monkeypatch.setattr(machine, "LOCK", tmp_path / "requirements.txt")
    absent = [f.text for f in machine._packages() if f.verdict == "MISSING"]
    assert absent == ["no-such-package"]


@pytest.mark.parametrize("place", ["{}", "~"])
def test_the_file_in_a_folder_of_a_model_is_checked(place, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    options = {"is": "transformers", "path": place.format(tmp_path)}
    digest = hashlib.sha256(b"weights").hexdigest()
    (found,) = encoder_files.findings(study(one={**options, "sha256": digest}))
    assert (found.verdict, "with the stated SHA-256" in found.text) == ("OK", True)
    (found,) = encoder_files.findings(study(one={**options, "sha256": "0" * 64}))
    assert (found.verdict, digest in found.text) == ("MISSING", True)
