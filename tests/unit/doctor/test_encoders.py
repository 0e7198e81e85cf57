"""What `avf doctor` says about the width and the size of features."""

from avfusion.config.study import Study
from avfusion.doctor import encoders
from avfusion.doctor.encoders import findings
from avfusion.doctor.media import Hours


def study(root, names=("one",), **changes) -> Study:
    return Study.model_validate(
        {
            "results": str(root / "results"),
            "corpora": {name: {"is": "demo", "root": str(root)} for name in names},
            "features": {"audio": ["mel_cnn"], "video": ["r2plus1d_two_stream"]},
            "fusions": {"concat": {}},
            **changes,
        }
    )


def texts(found) -> dict[str, str]:
    return {f.text.partition(":")[0]: f.text for f in found if f.what == "encoder"}


def test_width_and_size_are_listed(tmp_path):
    weights = {"r2plus1d_two_stream": {"path": "weights.pth"}}
    hours = {str(tmp_path): Hours(20.0, 6.0)}
    found = texts(findings(study(tmp_path, encoders=weights), hours))
    # 26 h at a clip per 0.16 s are 585,000 clips of 25,088 float16 and a time of 8 bytes: 29.4 GB
    assert found["r2plus1d_two_stream"] == (
        "r2plus1d_two_stream: not fitted, width 25,088, 29 GB of features for 26 h"
    )
    assert found["mel_cnn"].startswith("mel_cnn: fitted on each corpus, width 64, 0.08 GB")


def test_entries_of_one_folder_share_features_unless_they_are_fitted(tmp_path):
    hours = {str(tmp_path): Hours(1.0)}
    one = study(tmp_path, encoders={"r2plus1d_two_stream": {"path": "weights.pth"}})
    two = study(tmp_path, ("one", "two"), encoders=one.encoders)
    sizes = {
        name: [encoders._bytes(s, name, 64, hours) for s in (one, two)]
        for name in one.features.encoders
    }
    assert sizes["r2plus1d_two_stream"][0] == sizes["r2plus1d_two_stream"][1]
    assert 2 * sizes["mel_cnn"][0] == sizes["mel_cnn"][1]


def test_without_a_corpus_there_is_no_size(tmp_path):
    assert texts(findings(study(tmp_path), {}))["mel_cnn"].endswith("width 64")


def test_a_width_that_a_file_tells_is_not_known_yet(tmp_path):
    changes = {
        "features": {"audio": ["feats"], "video": []},
        "encoders": {"feats": {"is": "precomputed", "path": "a/{video}.npy"}},
    }
    (found,) = findings(study(tmp_path, fusions={"audio": {}}, **changes), {})
    assert "width known once a file is read" in found.text


def test_a_small_disk_is_a_warning(tmp_path, monkeypatch):
    free = type("Usage", (), {"free": 20e9})
    monkeypatch.setattr("shutil.disk_usage", lambda path: free)
    *_, last = findings(study(tmp_path), {str(tmp_path): Hours(26.0)})
    assert (last.verdict, last.what) == ("WARN", "feature size")
    assert "need 29 GB" in last.text
    assert "20 GB free" in last.text
    assert all(f.verdict == "OK" for f in findings(study(tmp_path), {str(tmp_path): Hours(1.0)}))
