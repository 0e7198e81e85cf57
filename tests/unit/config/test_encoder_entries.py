"""Encoders whose modality the study chooses: several entries of one class, and what is refused."""

import sys

import pytest

from avfusion.config.load import load
from avfusion.config.widths import width
from avfusion.encoders.base import build
from avfusion.errors import ConfigError
from avfusion.registry import encoders

FILES = {"is": "precomputed", "hop_s": 0.02}
STUDY = {
    "corpora": {"mine": {"is": "own", "root": "data/mine"}},
    "features": {"audio": ["wavlm", "egemaps"], "video": ["openface"]},
    "encoders": {
        "wavlm": FILES,
        "egemaps": {"is": "precomputed", "preset": "opensmile"},
        "openface": {"is": "precomputed", "preset": "openface"},
    },
    "fusions": {"concat": {}},
}
LAB = '''"""Encoders of a laboratory."""


class Both:
    modalities = ("audio", "video")
    fitted = False
    weights = None
    width_from = "lab_both:width"

    def __init__(self, modality: str, *, layers: int = 2) -> None:
        self.modality, self.dim = modality, 8 * layers


def width(options: dict) -> int:
    return 8 * options["layers"]
'''


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A module of somebody else's in the working folder."""
    (tmp_path / "lab_both.py").write_text(LAB)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])


def changed(**sections):
    return {**STUDY, **sections}


def test_entries_of_one_class_have_the_modality_of_their_list():
    study = load(STUDY)
    entries = {name: study.encoder_settings(name, "mine") for name in STUDY["encoders"]}
    assert {name: s.modality for name, s in entries.items()} == {
        "wavlm": "audio",
        "egemaps": "audio",
        "openface": "video",
    }
    built = {name: build(settings) for name, settings in entries.items()}
    assert [built[name].modality for name in built] == ["audio", "audio", "video"]
    assert [built[name].entry for name in built] == list(built)
    assert str(entries["openface"].root) == "data/mine"


def test_a_class_with_a_modality_of_its_own_keeps_it():
    study = load({**STUDY, "features": {"audio": ["mel_cnn"], "video": ["face_cnn"]}})
    assert study.encoder_modality("mel_cnn") == "audio"
    assert study.encoder_settings("mel_cnn").modality is None


def test_the_modality_is_no_option():
    assert "modality" not in encoders.options("precomputed")
    given = {**STUDY["encoders"], "openface": {**FILES, "modality": "video"}}
    with pytest.raises(ConfigError, match=r"encoders\.openface has no option 'modality'"):
        load(changed(encoders=given))


def test_an_entry_in_two_lists_is_refused():
    features = {"audio": ["wavlm"], "video": ["wavlm"]}
    with pytest.raises(ConfigError, match=r"features\.audio and features\.video list 'wavlm'"):
        load(changed(features=features))


def test_a_modality_that_a_class_does_not_offer_is_refused(lab):
    features = {"audio": ["wavlm"], "video": ["openface"], "text": ["lab"]}
    given = {**STUDY["encoders"], "lab": {"is": "lab_both:Both"}}
    fusions = {"rjcma": {}}
    with pytest.raises(ConfigError, match=r"features\.text lists 'lab', which encodes audio or vi"):
        load(changed(features=features, encoders=given, fusions=fusions))


def test_corruptions_of_recordings_are_refused_where_features_are_read():
    with pytest.raises(ConfigError, match=r"audio_noise_db changes recordings, .*'wavlm', which"):
        load(changed(robustness={"audio_noise_db": [10]}))
    assert load(changed(robustness={"audio_missing": [0.5]})).signal_cases() == []


def test_widths_are_known_from_options_and_functions(lab):
    features = {"audio": ["lab"], "video": ["face_cnn", "face_tuned", "openface"]}
    given = {"openface": FILES, "lab": {"is": "lab_both:Both", "layers": 3}, "face_cnn": {"dim": 9}}
    study = load(changed(features=features, encoders=given))
    widths = {name: width(study, name) for name in study.features.encoders}
    assert widths == {"lab": 24, "face_cnn": 9, "face_tuned": 256, "openface": None}
    assert build(study.encoder_settings("lab")).dim == 24


def test_encoders_of_feature_files_are_named_to_the_checks_of_a_corpus():
    assert load(STUDY).corpus_settings("mine").features == {
        "wavlm": {"modality": "audio", "hop_s": 0.02},
        "egemaps": {"modality": "audio", "preset": "opensmile"},
        "openface": {"modality": "video", "preset": "openface"},
    }
