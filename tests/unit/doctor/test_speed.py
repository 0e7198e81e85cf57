"""`avf doctor --measure` tells what encoding will take, for encoders that are fitted or not."""

import pytest
import torch

from avfusion.config.study import Study
from avfusion.doctor import speed
from avfusion.doctor.media import Hours
from avfusion.registry import encoders
from support import synthetic_media

NAME_A_FILE = {"bert_words", "onnx", "timm", "torchvision", "transformers", "word_vectors"}
WITHOUT_FILE = [
    name
    for name in encoders.names()
    if encoders.constant(name, "reads") is None and name not in NAME_A_FILE
]


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
    made = speed.made(tmp_path / "record", settings, modality, 30)
    assert made.duration_s == speed.LENGTH_S
    if modality == "text":
        assert len(made.words) == len(made.start_s) > 40
    else:
        assert made.crops(made.with_face[:2]).shape == (2, 112, 112, 3)
        assert len(made.with_face) == 30 * speed.LENGTH_S


@pytest.mark.parametrize("name", WITHOUT_FILE)
def test_each_encoder_without_a_file_is_measured(name, monkeypatch):
    if name == "opensmile":
        pytest.importorskip("opensmile")
    monkeypatch.setattr(speed, "LENGTH_S", 1.0)
    options = {"width": 1 / 16} if "width" in encoders.options(name) else {}
    settings = synthetic_media.settings(name, **options)
    assert speed._measured(settings.model_dump(mode="json", by_alias=True), 12.5).clips_per_s > 0


@pytest.mark.parametrize(
    ("changes", "hz"),
    [
        ({"features": {"audio": [], "video": ["face_cnn"]}}, 12.5),
        ({"features": {"audio": [], "video": ["face_cnn"]}, "media": {"read_hz": 20}}, 20),
        ({"encoders": {"face_cnn": {"frame_hz": 25}}}, 25),
        ({"encoders": {"face_cnn": {"frame_hz": None}}}, 30),
    ],
)
def test_faces_are_as_many_as_the_study_stores(changes, hz, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(
        speed, "measured", lambda settings, faces_hz: given.append(faces_hz) or speed.Cost(1, 1, "")
    )
    features = {"features": {"audio": [], "video": ["face_cnn"]}}
    list(speed.findings(study(tmp_path, **(features | changes)), {}))
    assert given == [hz]


def test_an_encoder_is_measured_as_it_encodes(monkeypatch):
    """One thread, and deterministic, which changes the algorithms of a GPU."""
    seen = []

    def measure(encode, ends_s):
        seen.append((torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()))
        return 1.0

    monkeypatch.setattr(speed, "clips_per_s_of_all", measure)
    settings = synthetic_media.settings("words")
    speed._measured(settings.model_dump(mode="json", by_alias=True), 12.5)
    assert seen == [(1, True)]


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
