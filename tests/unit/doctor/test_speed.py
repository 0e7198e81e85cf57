"""`avf doctor --measure` tells what encoding will take, for encoders that are fitted or not."""

import pytest

from avfusion.config.study import Study
from avfusion.doctor import speed
from avfusion.doctor.media import Hours


def study(root, **changes) -> Study:
    settings = {
        "results": str(root / "results"),
        "corpora": {"one": {"is": "demo", "root": str(root)}},
        "features": {"audio": ["mel_cnn"], "video": []},
        "fusions": {"audio": {}},
    }
    return Study.model_validate(settings | changes)


def test_an_encoder_that_is_still_to_be_fitted_is_measured_with_its_time_and_memory(tmp_path):
    (found,) = speed.findings(study(tmp_path), {str(tmp_path): Hours(1.0, 1.0)})
    assert (found.verdict, found.what) == ("OK", "speed")
    assert found.text.startswith("mel_cnn: ")
    assert " clips/s on " in found.text
    assert " for 2 h; " in found.text
    memory = float(found.text.rpartition("; ")[2].split()[0].replace(",", ""))
    assert 50 < memory < 4_000  # MB; torch alone takes more than 50


@pytest.mark.parametrize("modality", ["video", "text"])
def test_a_made_recording_is_read_as_its_modality(modality, tmp_path):
    settings = study(tmp_path).encoder_settings("mel_cnn", "one")
    made = speed.made(tmp_path / "record", settings, modality)
    assert made.duration_s == speed.LENGTH_S
    if modality == "text":
        assert len(made.words) == len(made.start_s) > 40
    else:
        assert made.crops(made.with_face[:2]).shape == (2, 112, 112, 3)


def test_an_encoder_that_cannot_be_built_is_told_and_the_others_are_measured(tmp_path):
    encoders = {"vggish": {"path": str(tmp_path / "absent.pth")}}
    broken = study(
        tmp_path, features={"audio": ["vggish", "mel_cnn"], "video": []}, encoders=encoders
    )
    first, second = speed.findings(broken, {})
    assert (first.verdict, second.verdict) == ("WARN", "OK")
    assert "absent.pth: file not found" in first.text
    assert " for 1 h; " in second.text


def test_files_of_features_are_not_measured(tmp_path):
    changes = {
        "features": {"audio": ["feats"], "video": []},
        "encoders": {"feats": {"is": "precomputed", "path": "a/{video}.npy"}},
    }
    assert list(speed.findings(study(tmp_path, **changes), {})) == []
