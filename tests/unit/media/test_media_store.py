"""Test media records: complete or absent, read back as written, truncated files refused."""

import shutil
import wave
import zipfile

import numpy as np
import pandas as pd
import pytest

from avfusion.config.sections import SignalSettings
from avfusion.errors import MediaError
from avfusion.media import archive
from avfusion.media.archive import StoredZip
from avfusion.media.mel import log_mel_of
from avfusion.media.new_record import new_record, write_record
from avfusion.media.person import Person
from avfusion.media.read import read_video
from avfusion.media.reuse import share_record
from avfusion.media.store import MediaRecord
from support import odd_videos

META = {"face_px": 112, "duration_s": 0.12}
SOUND = [(0, np.full(800, 0.25, np.float32)), (960, np.full(960, -0.5, np.float32))]


@pytest.fixture
def made(tmp_path):
    """Three frames, the middle one without a face; crops of one colour each."""
    frames = pd.DataFrame(
        {"time_s": [0, 0.04, 0.08], "faces": [1, 0, 2], "score": [0.9, np.nan, 0.8], "x": 5.0}
    )
    crops = {0: np.full((112, 112, 3), (200, 10, 10), np.uint8), 2: np.zeros((112, 112, 3), "u1")}
    return write_record(tmp_path / "it's 1", frames, crops, SOUND, META)


def test_what_was_written_is_read_back(made):
    assert made.frames.time_s.tolist() == [0, 0.04, 0.08]
    assert made.frames.faces.tolist() == [1, 0, 2]
    assert made.frames.p0x.isna().all()
    assert made.with_face.tolist() == [0, 2]
    crops = made.crops([2, 0])
    assert crops.dtype == np.uint8
    assert np.abs(crops[1].astype(int) - (200, 10, 10)).max() <= 3  # red stays red through JPEG
    assert crops[0].max() <= 3
    for (start, samples), (first, read) in zip(SOUND, made.pieces(), strict=True):
        assert start == first
        np.testing.assert_array_equal(samples, read)
    assert np.flatnonzero(np.isnan(log_mel_of(made)).all(axis=1)).tolist() == [5, 12]
    assert (made.duration_s, made.sound_hz) == (0.12, 16_000)


def test_a_frame_without_a_face_has_no_crop_to_give(made):
    with pytest.raises(MediaError, match="frame 1 has no face"):
        made.crops([1])


def read_all(folder):
    record = MediaRecord.open(folder)
    return record.frames, list(record.pieces()), record.crops([0])


@pytest.mark.parametrize("name", ["frames.parquet", "faces.zip", "sound.npy", "meta.json"])
@pytest.mark.parametrize("damage", ["cut", "foreign", "gone"])
def test_a_damaged_file_is_named_with_the_next_command(made, name, damage):
    path = made.folder / name
    if damage == "gone":
        path.unlink()
    else:
        raw = path.read_bytes()
        path.write_bytes(raw[: len(raw) // 2] if damage == "cut" else b"not what you think" * 9)
    with pytest.raises(MediaError) as error:
        read_all(made.folder)
    assert str(path) in str(error.value)
    assert "avf media" in str(error.value)


def test_a_write_that_fails_leaves_the_old_record(made):
    with pytest.raises(ValueError, match="sample 5 precedes 9"), new_record(made.folder) as writer:
        writer.add_sound([(0, np.zeros(9, "f4")), (5, np.zeros(9, "f4"))], 16_000)
    assert len(MediaRecord.open(made.folder).frames) == 3
    assert [path.name for path in made.folder.parent.iterdir()] == [made.folder.name]


def test_score_and_crop_come_together(tmp_path):
    with pytest.raises(ValueError, match="frame 0"), new_record(tmp_path / "v") as writer:
        writer.add_frame((0.0, 1, 0.9, *[0.0] * 14), None)


def test_more_members_than_a_plain_zip_can_count(tmp_path):
    """An hour at 25 frames/s has 90,000 faces; plain ZIP ends at 65,535."""
    with StoredZip(tmp_path / "many.zip") as many:
        for index in range(70_000):
            many.add(f"{index:07d}.jpg", b"%d" % index)
    with zipfile.ZipFile(tmp_path / "many.zip") as found:
        assert len(found.namelist()) == 70_000
        assert found.read("0069999.jpg") == b"69999"
        assert found.getinfo("0000003.jpg").compress_type == zipfile.ZIP_STORED


def test_offsets_past_the_plain_limit_are_found(tmp_path, monkeypatch):
    """The 4 GB rule, tried with a limit of 2 kB: only offsets past it get the wide form."""
    monkeypatch.setattr(archive, "_LIMIT_32", 2000)
    with StoredZip(tmp_path / "long.zip") as long:
        for index in range(9):
            long.add(f"{index:07d}.jpg", bytes([index]) * 500)
    raw = (tmp_path / "long.zip").read_bytes()
    assert raw.count(b"PK\x06\x06") == 1
    assert b"PK\x05\x06" in raw


@pytest.mark.parametrize("name", ["sound.npy", "native.npy", "voice.npy", "people.parquet"])
def test_a_damaged_record_is_not_shared_with_another_entry(tmp_path, name):
    film = odd_videos.write(
        tmp_path / "v.mp4", odd_videos.pictures(5), audio=[(0.0, odd_videos.tone(0.2))]
    )
    read_video(film, tmp_path / "media/one/v", SignalSettings(native_sound=True), "key")
    other = tmp_path / "media/two/v"
    other.parent.mkdir()
    assert share_record(other, "other key") is None
    assert share_record(other, "key")["frames"] == 5
    assert (other / name).is_file()
    shutil.rmtree(other)
    (tmp_path / "media/one/v" / name).write_bytes(b"damaged")
    assert share_record(other, "key") is None
    assert not other.exists()


def test_a_recording_without_pictures_is_shared(tmp_path):
    wav = tmp_path / "v.wav"
    with wave.open(str(wav), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.random.default_rng(0).integers(-999, 999, 8000, "<i2").tobytes())
    read_video(wav, tmp_path / "media/one/v", SignalSettings(), "key", person=Person(sound=wav))
    (tmp_path / "media/two").mkdir()
    assert share_record(tmp_path / "media/two/v", "key")["frames"] == 0
