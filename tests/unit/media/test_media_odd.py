"""Test the media stage on damaged and odd videos: a correct record, or a row with the reason."""

import hashlib
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from avfusion.config.jobs import MediaJobSettings
from avfusion.config.sections import MediaSettings
from avfusion.layout import Layout
from avfusion.media.mel import HOP_S, log_mel_of
from avfusion.media.probe import probe
from avfusion.media.stage import run_shard
from avfusion.media.store import MediaRecord
from avfusion.media.video import Frames
from support import odd_videos

SETTINGS = MediaSettings(time_limit_s=60)
FRAME_S = 1 / odd_videos.FPS


def manifest_of(videos, root):
    def digest(path):
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "0"

    return pd.DataFrame(
        {"video": name, "path": str(path.relative_to(root)), "sha256": digest(path)}
        for name, path in videos.items()
    )


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """The stage run once over all odd videos."""
    root = tmp_path_factory.mktemp("odd")
    paths, layout = odd_videos.build(root), Layout(tmp_path_factory.mktemp("results"))
    layout.manifest("odd").parent.mkdir(parents=True)
    manifest_of(paths, root).to_parquet(layout.manifest("odd"))
    run_shard("odd", (0, 1), MediaJobSettings(root=root, media=SETTINGS), layout)
    table = pd.read_parquet(layout.media("odd") / "shard-0-of-1.parquet").set_index("video")
    return SimpleNamespace(root=root, paths=paths, layout=layout, table=table)


def record(odd, name):
    assert odd.table.status[name] == "ok", odd.table.reason[name]
    return MediaRecord.open(odd.layout.media("odd") / name)


def sounding(record):
    return ~np.isnan(log_mel_of(record)[:, 0])


def test_every_video_has_a_row_and_none_is_left_half_done(odd):
    assert set(odd.table.index) == set(odd.paths)
    done = {path.parent.name for path in odd.layout.media("odd").glob("*/meta.json")}
    assert done == set(odd.table.index[odd.table.status == "ok"])
    assert not list(odd.layout.media("odd").glob("*.half*"))


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("empty", "0 bytes"),
        ("cut_off", "cut off before its index"),
        ("not_media", "not a media file"),
        ("sound_only", "no picture track"),
        ("missing", "no such file"),
    ],
)
def test_an_unreadable_video_says_which_why_and_what_next(odd, name, cause):
    row = odd.table.loc[name]
    assert row.status == "failed"
    assert row.reason.startswith(odd.paths[name].name), "the folder is nobody else's business"
    for part in (cause, "`avf verify odd`", "`avf media odd`"):
        assert part in row.reason
    assert pd.isna(row.frames)


def test_a_cut_off_video_keeps_what_can_be_read_and_says_how_much(odd):
    kept = int(odd.table.frames["half"])
    assert 10 < kept < odd_videos.FRAMES
    assert f"{kept} of {odd_videos.FRAMES} frames could be read" in odd.table.warnings["half"]
    half = record(odd, "half")
    np.testing.assert_allclose(half.frames.time_s, np.arange(kept) * FRAME_S, atol=1e-3)
    assert len(log_mel_of(half)) == round(half.duration_s / HOP_S) + 1


def test_without_a_sound_track_the_log_mel_is_absent_not_silent(odd):
    assert not odd.table.audio["mute"]
    assert pd.isna(odd.table.audio_offset_s["mute"])
    assert not sounding(record(odd, "mute")).any()
    assert "no sound track" in odd.table.warnings["mute"]


def test_without_a_face_every_frame_has_a_row_and_no_crop(odd):
    frames = record(odd, "no_face").frames
    assert len(frames) == odd_videos.FRAMES
    assert (frames.faces == 0).all()
    assert frames.drop(columns=["time_s", "faces"]).isna().all(axis=None)
    assert odd.table.face_share["no_face"] == 0
    assert "no face" in odd.table.warnings["no_face"]


def test_of_two_faces_one_person_is_followed_and_both_are_counted(odd):
    frames = record(odd, "two_faces").frames
    assert odd.table.faces_max["two_faces"] == 2
    assert "more than one face" in odd.table.warnings["two_faces"]
    assert (frames.x + frames.w / 2 < 320).all()  # the larger one, on the left


def test_uneven_frame_times_are_the_ones_that_were_written(odd):
    written_s = np.array(odd_videos.uneven_ms()) / 1000
    np.testing.assert_allclose(record(odd, "uneven").frames.time_s, written_s, atol=1e-3)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_video_is_read_upright(odd, degrees):
    turned, plain = record(odd, f"turned_{degrees}"), record(odd, "mute")
    ours, theirs = turned.frames.iloc[0], plain.frames.iloc[0]
    points = [f"p{i}{axis}" for i in range(5) for axis in "xy"]
    # The same picture but for coding noise and the place of the number strip; eyes 40 px apart.
    assert np.abs(ours[points] - theirs[points]).mean() < 3
    gap = turned.crops([0]).astype(float) - plain.crops([0])
    assert np.abs(gap).mean() < 10


def test_an_edit_list_hides_what_a_player_hides(odd):
    frames = Frames(probe(odd.paths["edit_list"]))
    numbers = [(odd_videos.number_in(image), time_s) for _, time_s, image in frames]
    white = 30  # the flash overwrites its number with ones
    expected = [255 if n == white else n for n in range(17, odd_videos.FRAMES)]
    assert [number for number, _ in numbers] == expected
    assert numbers[0][1] == 0
    assert len(record(odd, "edit_list").frames) == len(expected)


@pytest.mark.parametrize("name", ["late_sound", "early_sound", "edit_list"])
def test_a_flash_and_a_click_at_one_instant_stay_at_one_instant(odd, name):
    found = record(odd, name)
    flash_s = found.frames.time_s[found.frames.faces == 0]
    assert len(flash_s) == 1
    loudness = log_mel_of(found).astype(np.float32).mean(axis=1)
    click_s = np.nanargmax(loudness) * HOP_S
    assert abs(click_s - flash_s.item()) < FRAME_S


def test_sound_that_starts_late_is_absent_until_then(odd):
    assert not sounding(record(odd, "late_sound"))[:20].any()
    assert odd.table.audio_offset_s["early_sound"] == pytest.approx(-0.2, abs=0.01)
    assert sounding(record(odd, "early_sound"))[0]


def test_sound_that_ends_early_is_absent_from_then_on_and_told(odd):
    found = record(odd, "short_sound")
    end = round(1.0 / HOP_S)
    assert sounding(found)[: end - 10].all()
    assert not sounding(found)[end + 10 :].any()
    assert "the sound ends at" in odd.table.warnings["short_sound"]
    assert odd.table.warnings["wrong_name"] == "no speech in the sound"


def test_one_frame_is_a_video(odd):
    one = record(odd, "one_frame")
    assert one.frames.time_s.tolist() == [0]
    assert one.duration_s == pytest.approx(FRAME_S, abs=1e-3)
    assert one.crops([0]).shape == (1, 112, 112, 3)


@pytest.mark.parametrize("name", ["wrong_name", "name"])
def test_a_file_is_what_its_content_is_whatever_its_name(odd, name):
    found = record(odd, name)
    assert len(found.frames) == odd_videos.FRAMES
    assert odd.table.face_share[name] == 1
    assert sounding(found).mean() > 0.9


def test_a_second_run_reads_nothing_again_and_says_the_same(odd):
    before = {p: p.stat().st_mtime_ns for p in odd.layout.media("odd").glob("*/meta.json")}
    other = SETTINGS.model_copy(update={"time_limit_s": 30.0})
    run_shard("odd", (0, 1), MediaJobSettings(root=odd.root, media=other), odd.layout)
    again = pd.read_parquet(odd.layout.media("odd") / "shard-0-of-1.parquet")
    assert {p: p.stat().st_mtime_ns for p in before} == before
    pd.testing.assert_frame_equal(again.set_index("video"), odd.table)


def test_reasons_hold_no_python_noise(odd):
    for reason in odd.table.reason[odd.table.status == "failed"]:
        assert not re.search(r"Traceback|object at 0x", reason)
