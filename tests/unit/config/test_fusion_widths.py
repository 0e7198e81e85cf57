"""A fusion that cannot read the width of the video features is refused before anything runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from avfusion.config.study import Study
from avfusion.config.validate import faults
from avfusion.encoders.published_widths import r2plus1d
from avfusion.fusion.layers.audio_guided import channels

PROTOCOLS = Path("config/protocols")


def study(video: list[str], fusion: dict, **encoders) -> Study:
    return Study(
        corpora={"demo": {"root": "data/demo"}},
        features={"audio": ["mel_cnn"], "video": video},
        encoders=encoders,
        fusions={"fused": fusion},
    )


GUIDED = {"is": "dense_joint", "guided": "as_published"}
WRAPPED = {"is": "dca", "wraps": "dense_joint", "inner": {"guided": "as_published"}}


@pytest.mark.parametrize(
    ("video", "fusion", "where", "width"),
    [
        (["face_expression"], GUIDED, "fusions.fused:", 256),
        (["face_cnn", "face_expression"], GUIDED, "fusions.fused:", 320),
        (["face_expression"], WRAPPED, "fusions.fused.inner:", 256),
        (
            ["face_expression"],
            {"is": "dense_joint", "grid": {"guided": ["none", "spatial"]}},
            "fusions.fused.grid.guided:",
            256,
        ),
    ],
)
def test_a_width_that_cannot_be_is_refused(video, fusion, where, width):
    (message,) = faults(study(video, fusion), PROTOCOLS)
    assert message.startswith(where)
    assert f"found {width}, of features.video ({', '.join(video)})" in message


@pytest.mark.parametrize(
    ("video", "fusion", "encoders"),
    [
        (["r2plus1d_two_stream"], GUIDED, {}),
        (["r2plus1d_two_stream"], WRAPPED, {}),
        (["face_expression"], {"is": "dense_joint"}, {}),
        (["face_expression"], {"is": "dca", "wraps": "dense_joint"}, {}),
        (["feats"], GUIDED, {"feats": {"is": "precomputed", "path": "a/{video}.npy"}}),
    ],
)
def test_widths_that_fit_or_are_not_known_yet_are_accepted(video, fusion, encoders):
    assert faults(study(video, fusion, **encoders), PROTOCOLS) == []


def test_a_pooled_map_is_refused():
    (message,) = faults(
        study(["r2plus1d_two_stream"], GUIDED, r2plus1d_two_stream={"pooled": True}), PROTOCOLS
    )
    assert "found 512" in message


def test_the_published_map_is_that_of_512_channels():
    width = r2plus1d({"width": 1.0, "pooled": False})
    assert (width, channels(width)) == (512 * 7 * 7, 512)


def test_the_check_imports_no_torch():
    lines = (
        "from avfusion.config.study import Study; from avfusion.config.validate import faults;"
        "import sys; from pathlib import Path;"
        "s = Study(corpora={'demo': {'root': 'data/demo'}},"
        " features={'audio': ['mel_cnn'], 'video': ['face_expression']},"
        " fusions={'dense_joint': {'guided': 'spatial'}});"
        "print(len(faults(s, Path('config/protocols'))), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]
