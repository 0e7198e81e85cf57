"""Which clips a call names, and what it asks for."""

import logging
from argparse import Namespace

import pandas as pd
import pytest

from avfusion.errors import AvfError, BundleError, ConfigError
from avfusion.prediction import place
from avfusion.prediction.find import find
from avfusion.prediction.request import END_S, Request
from avfusion.prediction.steps import averaged


def test_folders_are_searched_and_lists_are_read(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    names = ["a.mp4", "b/c.WAV", 'b/it\'s "d".mov', "notes.txt", ".hidden/e.mp4", "b/.f.mp4"]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    clips = find([str(tmp_path), "-"], ["/x/y.mp4\n", "\n", f"{tmp_path}/a.mp4\n"])
    assert [str(c.path.relative_to(tmp_path)) for c in clips[:3]] == names[:3]
    assert [str(clip.below) for clip in clips] == [".", "b", "b", "."]
    assert str(clips[3].path) == "/x/y.mp4"
    assert len(clips) == 4, "a clip that is named twice is one"
    assert "1 files are no media" in caplog.text


def test_clips_of_one_name_keep_their_endings_or_their_folders(tmp_path):
    names = ["a/talk.mp4", "a/talk.wav", "a/Talk.mkv", "a/other.mp4", "b/other.mp4", "b/x.mp4"]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    clips = find(str(tmp_path / name) for name in names)
    assert [str(clip.below / clip.name) for clip in clips] == [
        "talk.mp4",
        "talk.wav",
        "Talk.mkv",
        "a/other.mp4",
        "b/other.mp4",
        "x",
    ]
    assert [clip.name for clip in find([str(tmp_path / "a")])] == [
        "Talk.mkv",
        "other",
        "talk.mp4",
        "talk.wav",
    ]


def test_a_folder_without_media_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(AvfError, match="no media file in it"):
        find([str(tmp_path)])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"face": "tallest"}, "expected one of largest"),
        ({"start_s": -1.0}, "--start -1"),
        ({"start_s": 5.0, "end_s": 5.0}, "--end 5"),
        ({"every_s": 0.0}, "--every 0"),
        ({"start_s": float("nan")}, "--start nan"),
        ({"end_s": float("nan")}, "--end nan"),
    ],
)
def test_options_that_cannot_be_are_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        Request(**given)


def test_a_span_may_have_one_end():
    assert Request().person(None).cut_s is None
    assert Request(start_s=2.0).person(None).cut_s == (2.0, END_S)
    assert Request(end_s=2.0).person(None).cut_s == (0.0, 2.0)


def test_means_over_time_keep_people_apart():
    table = pd.DataFrame(
        {
            "time_s": [0.5, 1.0, 1.5, 2.0, 0.5],
            "track_id": pd.array([0, 0, 0, 0, pd.NA], "Int64"),
            "valence": [0.0, 1.0, 0.5, None, -1.0],
            "face": [False, True, False, False, True],
        }
    )
    found = averaged(table, 0.5, 1.0)
    assert found["time_s"].tolist() == [1.0, 1.0, 2.0]
    assert found["track_id"].isna().tolist() == [True, False, False]
    assert found["valence"].tolist() == [-1.0, 0.5, 0.5]
    assert found["face"].tolist() == [True, True, False]
    with pytest.raises(ConfigError, match=r"a step every 0\.5 s"):
        averaged(table, 0.5, 0.2)


def test_the_only_bundle_of_the_results_is_the_default(tmp_path):
    with pytest.raises(BundleError, match="no bundle in it"):
        place.default_model(tmp_path)
    for name in ("one", "two"):
        folder = tmp_path / "bundles" / name
        folder.mkdir(parents=True)
        (folder / place.NAME).touch()
        if name == "one":
            assert place.default_model(tmp_path) == folder
    with pytest.raises(BundleError, match=r"2 bundles .*--model"):
        place.default_model(tmp_path)


def test_a_config_leads_to_the_bundle_of_its_study(tmp_path):
    folder = tmp_path / "elsewhere/bundles/own"
    folder.mkdir(parents=True)
    (folder / place.NAME).touch()
    config = tmp_path / "study.yaml"
    config.write_text(f"results: {tmp_path / 'elsewhere'}\n")
    words = {"model": None, "results": None, "config": config, "command": "predict"}
    assert place.of_command(Namespace(**words)) == folder
    given = Namespace(**{**words, "results": tmp_path / "other"})
    with pytest.raises(BundleError, match="other/bundles: no bundle"):
        place.chosen(given)
    assert place.chosen(Namespace(**{**words, "model": tmp_path})) == tmp_path
