"""Face pictures of strangers: a broken, too large or odd one is missing, the others are read."""

import math
import struct
import zlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from avfusion.config.sections import MediaSettings
from avfusion.media.face_track import size_px, track_record
from avfusion.media.isolate import Reader
from avfusion.media.store import MediaRecord
from support.miniatures import voxceleb1

SIDE_PX = 16_128


def large_png() -> bytes:
    """Return a black picture of few bytes with more pixels than may be decoded."""

    def part(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", SIDE_PX, SIDE_PX, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(SIDE_PX * (SIDE_PX // 8 + 1)))
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", rows) + part(b"IEND", b"")


def test_a_hostile_picture_is_missing_and_the_others_are_read(tmp_path):
    voxceleb1.build(tmp_path)
    track = voxceleb1.FACE.format(name="Eartha_Kitt", video="5r0dWxy17C8", number=1)
    (tmp_path / track / "1.jpg").write_bytes(large_png())
    (tmp_path / track / "2.jpg").unlink()
    (tmp_path / track / "2.jpg").mkdir()
    (tmp_path / track / "3.jpg").write_bytes(b"no picture")
    video = SimpleNamespace(path=voxceleb1.WAV, track=track, sha256="0", track_sha256="1")
    with Reader() as reader:
        meta, reason = track_record(tmp_path, video, tmp_path / "record", MediaSettings(), reader)
    assert reason == ""
    assert meta["warnings"] == ["pictures that cannot be read: 3"]
    faces = MediaRecord.open(tmp_path / "record").frames["score"]
    assert [math.isnan(score) for score in faces[:4]] == [True, True, True, False]


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_the_size_is_read_from_the_header(ending):
    raw = cv2.imencode(ending, np.zeros((30, 70, 3), np.uint8))[1].tobytes()
    assert size_px(raw) == (70, 30)
    assert size_px(raw[:12]) == (0, 0)
