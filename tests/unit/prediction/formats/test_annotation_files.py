"""Subtitles, ELAN files and audformat databases, each read back by another reader."""

import re
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pympi
import pytest

from avfusion.errors import AvfError
from avfusion.prediction.formats.steps import means, tracks
from avfusion.prediction.formats.write import write
from avfusion.prediction.prediction import Doubt, Target
from support import odd_videos
from support.synthetic_predictions import clip, predict

CUE = re.compile(r"(\d\d):(\d\d):(\d\d\.\d{3}) --> (\d\d):(\d\d):(\d\d\.\d{3})\n((?:.+\n?)+)")
PAIN = (Target("pain", 0.0, 10.0),)


def cues(path):
    """Start in seconds, end in seconds and lines of each cue of a WebVTT file."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("WEBVTT\n\n")
    for block in text.split("\n\n")[1:]:
        if not block.startswith("NOTE"):
            h, m, s, h2, m2, s2, lines = CUE.fullmatch(block).groups()
            start = 3600 * int(h) + 60 * int(m) + float(s)
            yield start, 3600 * int(h2) + 60 * int(m2) + float(s2), lines.strip().splitlines()


def test_subtitles_are_means_of_about_a_second(tmp_path):
    prediction = predict(tmp_path / "talk.mp4", seconds=12.0)
    found = list(cues(write(prediction, tmp_path, ["vtt"])[0]))
    assert len(found) == 12
    assert found[0][0] == 0
    assert found[-1][1] == 12.0
    assert all(0.8 <= end - start <= 1.3 for start, end, _ in found)
    assert all(a[1] == b[0] for a, b in pairwise(found)), "no gap"
    for start, end, (line,) in found:
        times_s = prediction.table["time_s"]
        rows = prediction.table[(start < times_s - 0.001) & (times_s <= end + 0.001)]
        word = re.search(r"valence ([+−]\d\.\d\d|–)  arousal ([+−]\d\.\d\d|–)", line)
        if rows["valence"].isna().all():
            assert word.groups() == ("–", "–")
        else:
            value = float(word[1].replace("−", "-"))
            assert value == pytest.approx(rows["valence"].mean(), abs=0.0051)
    doubtful = [start for start, _, (line,) in found if "in doubt" in line]
    assert len(doubtful) in (2, 3)
    assert all(0 <= start < 2.5 for start in doubtful)


def test_subtitles_of_several_persons_share_a_cue(tmp_path):
    found = list(cues(write(predict(tmp_path / "a.mp4", persons=2), tmp_path, ["vtt"])[0]))
    assert all(len(lines) == 2 for *_, lines in found)
    assert found[0][2][1].startswith("person 1: valence ")


def test_subtitles_hold_no_markup_of_others(tmp_path):
    names = (Target("<b>&joy", 0.0, 10.0),)
    doubts = [Doubt(0.0, 1.0, "a --> b\n\n00:00.000 --> 00:09.000\nforged")]
    prediction = predict(tmp_path / "a.mp4", targets=names, doubts=doubts)
    path = write(prediction, tmp_path, ["vtt"])[0]
    found = list(cues(path))
    assert len(found) == 4
    assert found[0][2][0].startswith("&lt;b&gt;&amp;joy ")
    assert "+" not in found[0][2][0], "a scale from 0 has no signs"
    assert path.read_text().count("-->") == 4


def test_steps_longer_than_a_second_are_one_piece_each(tmp_path):
    prediction = predict(tmp_path / "a.mp4", seconds=30.0, step_s=2.5)
    ((_, rows),) = tracks(prediction)
    assert len(means(prediction, rows)) == len(rows) == 12


def test_an_elan_file_is_read_back(tmp_path):
    path = clip(tmp_path / "clips", seconds=1.0)
    prediction = predict(path, seconds=12.0, persons=2)
    file = write(prediction, tmp_path / "out", ["eaf"])[0]
    document = pympi.Eaf(str(file))
    assert list(document.tiers) == [
        *("valence, person 0", "arousal, person 0", "doubts, person 0"),
        *("valence, person 1", "arousal, person 1", "doubts, person 1"),
    ]
    ((_, rows), _) = tracks(prediction)
    expected = [m for m in means(prediction, rows) if not np.isnan(m.values["valence"])]
    found = sorted(document.get_annotation_data_for_tier("valence, person 0"))
    assert len(found) == len(expected) == 11
    for (start, end, text), mean in zip(found, expected, strict=True):
        assert (start, end) == (round(1000 * mean.start_s), round(1000 * mean.end_s))
        assert float(text.replace("−", "-")) == pytest.approx(mean.values["valence"], abs=0.0051)
    doubts = sorted(document.get_annotation_data_for_tier("doubts, person 0"))
    assert doubts == [
        (1000, 1500, "the face is turned away"),
        (1500, 2000, "the face is turned away; two people speak"),
        (2000, 2500, "two people speak"),
    ]
    (medium,) = document.get_linked_files()
    assert medium["MEDIA_URL"] == path.as_uri()
    assert (file.parent / medium["RELATIVE_MEDIA_URL"]).resolve() == path
    assert medium["MIME_TYPE"] == "video/mp4"


def test_an_elan_file_of_an_hour_and_of_a_clip_without_a_face(tmp_path):
    file = write(predict(tmp_path / "a.mp4", seconds=3600.0), tmp_path, ["eaf"])[0]
    assert len(pympi.Eaf(str(file)).get_annotation_data_for_tier("valence")) >= 3590
    prediction = predict(tmp_path / "b.mp4", persons=None, targets=PAIN)
    document = pympi.Eaf(str(write(prediction, tmp_path, ["eaf"])[0]))
    assert list(document.tiers) == ["pain", "doubts"]


def test_an_elan_file_with_control_characters_is_still_xml(tmp_path):
    prediction = predict(tmp_path / "a.mp4", doubts=[Doubt(0, 1, "bell \x07 <&> \udcff")])
    document = pympi.Eaf(str(write(prediction, tmp_path, ["eaf"])[0]))
    assert document.get_annotation_data_for_tier("doubts")[0][2] == "bell   <&> \ufffd"


def test_annotations_follow_the_player_if_the_pictures_start_late(tmp_path):
    """Players count from the start of the container, predictions from the first picture."""
    shown_ms = [200 + 40 * number for number in range(50)]
    sound = [(0.0, odd_videos.tone(2.2))]
    form = {"form": "matroska"}
    path = odd_videos.write(tmp_path / "late.mkv", odd_videos.pictures(), shown_ms, sound, **form)
    vtt, eaf, _ = write(predict(path, seconds=2.0), tmp_path, ["vtt", "eaf"])
    assert next(cues(vtt))[0] == pytest.approx(0.2, abs=0.002)
    first = min(pympi.Eaf(str(eaf)).get_annotation_data_for_tier("valence"))
    assert first[0] == pytest.approx(200, abs=2)


def test_an_audformat_database_is_read_back(tmp_path):
    audformat = pytest.importorskip("audformat")
    prediction = predict(tmp_path / "talk 1.mp4", persons=2)
    for _ in range(2):  # the second call replaces the folder
        folder = write(prediction, tmp_path, ["audformat"])[0]
    database = audformat.Database.load(str(folder))
    assert list(database.tables) == ["person_0", "person_1"]
    ((_, rows), _) = tracks(prediction)
    table = database["person_0"].get()
    assert np.allclose(table["valence"], rows["valence"], equal_nan=True)
    assert table["face"].tolist() == rows["face"].tolist()
    ends_s = table.index.get_level_values("end").total_seconds()
    assert np.allclose(ends_s, rows["time_s"])
    lengths = table.index.get_level_values("end") - table.index.get_level_values("start")
    assert (lengths == pd.Timedelta("160ms")).all()
    assert set(table.index.get_level_values("file")) == {"talk 1.mp4"}
    assert database.schemes["valence"].meta["range"] == [-1.0, 1.0]
    assert database.meta["level"] == 0.95
    assert database.meta["clip"]["path"] == prediction.clip["path"]


@pytest.mark.parametrize("changes", [{"persons": None}, {"seconds": 0.16}, {"targets": PAIN}])
def test_audformat_holds_odd_predictions(tmp_path, changes):
    audformat = pytest.importorskip("audformat")
    prediction = predict(tmp_path / "a.mp4", **changes)
    database = audformat.Database.load(str(write(prediction, tmp_path, ["audformat"])[0]))
    (name,) = database.tables
    assert name == "person"
    assert len(database[name]) == len(prediction.table)


def test_without_audformat_the_message_names_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "audformat", None)
    with pytest.raises(AvfError, match=r"needs the package audformat.*make extras"):
        write(predict(tmp_path / "a.mp4"), tmp_path, ["audformat"])
    assert not list(Path(tmp_path).glob("*audformat*"))
