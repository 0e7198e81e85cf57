"""A span of a file, and half of its picture: read as if a file of that alone lay there."""

import json
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from avfusion.config.jobs import MediaJobSettings
from avfusion.config.sections import MediaSettings
from avfusion.errors import MediaError
from avfusion.layout import Layout
from avfusion.media.audio import Sound
from avfusion.media.mel import log_mel_of
from avfusion.media.person import Person
from avfusion.media.probe import cut, probe
from avfusion.media.read import read_video
from avfusion.media.stage import run_shard, video_key
from avfusion.media.store import MediaRecord
from avfusion.media.video import Frames
from support import odd_videos
from support.miniatures import _film

SETTINGS = MediaSettings()
RATE = Fraction(30000, 1001)
FRAMES = 60


def film(path):
    """Two rooms side by side: a face on the left, none on the right; frame i shows i / 1000."""
    room = np.concatenate([odd_videos.face(), np.full((240, 320, 3), 90, np.uint8)], axis=1)
    images = [_film.coded(room.copy(), i / 1000) for i in range(FRAMES)]
    times_s = np.arange(FRAMES) / float(RATE)
    tones = _film.sound(np.repeat([0, 20], FRAMES // 2), times_s, times_s[-1] + 0.03, 0.0)
    fps = RATE if path.suffix == ".avi" else 30
    _film.write(path, images, np.round(1000 * times_s).astype(int).tolist(), (0.0, tones), fps)
    return path


@pytest.fixture(scope="module", params=["avi", "mp4"])
def rooms(request, tmp_path_factory):
    return film(tmp_path_factory.mktemp("cut") / f"rooms.{request.param}")


def test_frames_of_a_cut_are_those_shown_within_it_at_their_own_time(rooms):
    whole = probe(rooms)
    part = cut(whole, (0.5, 1.5))
    found = list(Frames(part))
    shown = np.flatnonzero((whole.times_s >= 0.5) & (whole.times_s < 1.5))
    assert [round(1000 * _film.decoded(image)) for _, _, image in found] == shown.tolist()
    assert [index for index, _, _ in found] == list(range(len(shown)))
    assert [time_s for _, time_s, _ in found] == pytest.approx(whole.times_s[shown] - 0.5)


def test_a_face_is_looked_for_in_the_named_half_alone(rooms, tmp_path):
    seen = {}
    for half in ("left", "right"):
        meta = read_video(
            rooms, tmp_path / half, SETTINGS, person=Person(cut_s=(0.4, 0.8), half=half)
        )
        seen[half] = meta["face_share"]
        assert meta["duration_s"] == pytest.approx(0.4)
    assert seen == {"left": 1.0, "right": 0.0}


def test_sound_of_a_cut_begins_with_the_cut(rooms, tmp_path):
    middle_s = float(FRAMES / 2 / RATE)
    read_video(
        rooms, tmp_path / "r", SETTINGS, person=Person(cut_s=(middle_s - 0.3, middle_s + 0.5))
    )
    mel = log_mel_of(MediaRecord.open(tmp_path / "r")).astype(float)
    assert len(mel) == pytest.approx(80, abs=1)
    bands = mel.argmax(1)
    assert set(bands[5:25]) == {_film.tone_band(0)}
    assert set(bands[35:75]) == {_film.tone_band(20)}
    heard = np.concatenate([x for _, x in Sound(cut(probe(rooms), (0.5, 1.0)), 16000)])
    assert len(heard) == 8000


def test_a_cut_without_a_picture_is_refused_with_the_times(rooms):
    with pytest.raises(MediaError, match=r"no picture within 7.000 … 8.000 s"):
        cut(probe(rooms), (7.0, 8.0))


def test_the_key_names_cut_and_half_and_is_the_old_one_without_them(rooms, tmp_path):
    layout = Layout(tmp_path)
    row = {"video": "u", "path": rooms.name, "partition": "train", "sha256": "1"}
    spans = [(None, None, None), (0.4, 0.8, None), (0.4, 0.9, None), (0.4, 0.8, "left")]
    keys = []
    for start_s, end_s, half in spans:
        table = pd.DataFrame([row | {"start_s": start_s, "end_s": end_s, "half": half}])
        layout.manifest("c").parent.mkdir(parents=True, exist_ok=True)
        table.to_parquet(layout.manifest("c"))
        run_shard("c", (0, 1), MediaJobSettings(root=rooms.parent, media=SETTINGS), layout)
        keys.append(json.loads((layout.media("c") / "u/meta.json").read_text())["key"])
    assert keys[0] == video_key("1", SETTINGS, None, None, None)
    assert len(set(keys)) == len(keys)
