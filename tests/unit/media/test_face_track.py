"""Face pictures from strangers cost a picture or a row, and neither memory nor the shard."""

import struct
import zlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from avfusion.config.sections import MediaSettings
from avfusion.media.face_track import _face, _pixels, track_record
from avfusion.media.isolate import Reader
from avfusion.media.limits import Limits
from avfusion.media.store import MediaRecord
from support import odd_videos


def huge(side):
    """A small PNG with `side` squared grey pixels."""

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )  # fmt: skip

    packer = zlib.compressobj()
    rows = b"".join(packer.compress(bytes(side + 1)) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.fixture
def corpus(tmp_path):
    """A recording of sound with one face, a folder, a text and a huge picture."""
    odd_videos.write(
        tmp_path / "a.mp4", odd_videos.pictures(25), audio=[(0.0, odd_videos.tone(1.0))]
    )
    faces = tmp_path / "faces"
    (faces / "2.jpg").mkdir(parents=True)
    cv2.imwrite(str(faces / "1.jpg"), np.full((80, 60, 3), 128, np.uint8))
    (faces / "3.jpg").write_bytes(b"no picture")
    (faces / "4.png").write_bytes(huge(9000))
    video = SimpleNamespace(path="a.mp4", sha256="1", track="faces", track_sha256="2")
    return tmp_path, video


def test_broken_and_huge_pictures_are_counted(corpus):
    root, video = corpus
    with Reader() as reader:
        meta, reason = track_record(root, video, root / "record", MediaSettings(), reader)
    assert reason == ""
    assert "pictures that cannot be read: 3" in meta["warnings"]
    assert len(MediaRecord.open(root / "record").with_face) == 1


def test_recordings_are_read_within_the_limits_of_the_reader(corpus):
    root, video = corpus
    limits = Limits(file_mb=0)
    with Reader(limits) as reader:
        _, reason = track_record(root, video, root / "record", MediaSettings(), reader)
    assert "File too large" in reason
    assert not (root / "record").exists()


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_the_header_of_a_picture_states_its_pixels(tmp_path, name):
    path = tmp_path / name
    cv2.imwrite(str(path), np.zeros((30, 41, 3), np.uint8))
    raw = path.read_bytes()
    assert _pixels(raw) == 30 * 41
    assert all(_pixels(raw[:length]) in (0, 30 * 41) for length in range(200))
    assert _face(path, 16)[:2] == b"\xff\xd8"
    path.write_bytes(raw[:20])
    assert _face(path, 16) is None
