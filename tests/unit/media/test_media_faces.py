"""The face track: alignment is exact, and one person is followed."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avfusion.errors import MediaError
from avfusion.media import faces
from avfusion.media.faces import Face, FaceTrack, similarity
from support import odd_videos

LEFT, RIGHT = 160, 480  # where the middles of the two paintings lie
LEVEL = np.array([[30, 30], [70, 31], [50, 50], [35, 75], [66, 74]], float)


def centre(face):
    return None if face is None else face.box[0] + face.box[2] / 2


@given(st.floats(-3, 3), st.floats(0.2, 5), st.floats(-100, 100), st.floats(-100, 100))
def test_alignment_undoes_any_turn_scale_and_shift(angle, scale, x, y):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = similarity(LEVEL @ turn.T + (x, y), LEVEL)
    back = (LEVEL @ turn.T + (x, y)) @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(back, LEVEL, atol=1e-6)


def test_a_crop_has_the_eyes_where_the_template_has_them():
    track = FaceTrack(0.6)
    image = odd_videos.face()
    _, face = track.step(0.0, image)
    crop = track.crop(image, face)
    matrix = similarity(face.points, np.array(faces.TEMPLATE))
    landed = face.points @ matrix[:, :2].T + matrix[:, 2]
    assert crop.shape == (112, 112, 3)
    assert np.abs(landed - np.array(faces.TEMPLATE)).max() < 6


def test_a_frame_larger_than_detection_sees_gives_the_same_face_in_its_own_pixels():
    small, large = (
        cv2.resize(odd_videos.face(), size, interpolation=cv2.INTER_CUBIC)
        for size in ((640, 480), (1920, 1440))
    )
    _, face = FaceTrack(0.6).step(0.0, small)
    _, three_times = FaceTrack(0.6).step(0.0, large)
    np.testing.assert_allclose(three_times.points / 3, face.points, atol=1)


def test_shrinking_a_large_face_does_not_alias():
    """A fine checkerboard becomes its mean, wherever it lies on the grid."""
    image = np.indices((1200, 1200)).sum(axis=0, dtype=np.uint8)[..., None] % 2 * np.full(3, 255)
    points = LEVEL * 8 + 200.3
    track = FaceTrack(0.6)
    crop = track.crop(image.astype(np.uint8), Face(1.0, np.zeros(4), points))
    assert np.abs(crop[20:90, 20:90].astype(float) - 127.5).max() < 25


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0, 8.0])
def test_crops_of_one_face_at_any_size_lie_on_each_other(scale):
    """A smooth pattern shown larger or smaller lands on the same pixels of the crop."""
    y, x = np.mgrid[0:1000, 0:1000] / scale
    image = np.stack([128 + 90 * np.sin(x / 15), 128 + 90 * np.sin(y / 15), 0 * x], -1)
    crop = FaceTrack(0.6).crop(image.astype(np.uint8), Face(1.0, np.zeros(4), LEVEL * scale))
    matrix = np.linalg.inv(np.vstack([similarity(LEVEL, np.array(faces.TEMPLATE)), [0, 0, 1]]))
    grid = np.stack([*np.mgrid[0:112, 0:112][::-1], np.ones((112, 112))])  # x, y, 1
    at = np.einsum("ij,jyx->iyx", matrix, grid)
    expected = 128 + 90 * np.sin(at[:2] / 15)
    inside = slice(40, 90), slice(30, 80)
    for axis in range(2):
        assert np.abs(crop[inside][..., axis] - expected[axis][inside]).mean() < 6


def test_the_followed_person_stays_when_another_becomes_larger():
    track = FaceTrack(0.6)
    _, first = track.step(0.0, odd_videos.two_faces(left=1.0, right=0.7))
    count, later = track.step(0.04, odd_videos.two_faces(left=0.7, right=1.0))
    assert count == 2
    assert centre(first) == pytest.approx(LEFT, abs=30)
    assert centre(later) == pytest.approx(LEFT, abs=30)


def test_one_missed_detection_does_not_hand_the_track_over():
    track = FaceTrack(0.6)
    track.step(0.0, odd_videos.two_faces(left=1.0, right=0.7))
    assert track.step(0.04, odd_videos.two_faces(left=0, right=0.7)) == (1, None)
    _, back = track.step(0.08, odd_videos.two_faces(left=1.0, right=0.7))
    assert centre(back) == pytest.approx(LEFT, abs=30)


def test_who_has_left_is_let_go():
    track = FaceTrack(0.6)
    track.step(0.0, odd_videos.two_faces(left=1.0, right=0.7))
    _, other = track.step(5.0, odd_videos.two_faces(left=0, right=0.7))
    assert centre(other) == pytest.approx(RIGHT, abs=30)


def test_weights_that_are_not_the_shipped_ones_are_refused(tmp_path, monkeypatch):
    foreign = tmp_path / "weights.onnx"
    foreign.write_bytes(faces.WEIGHTS.read_bytes() + b" ")
    monkeypatch.setattr(faces, "WEIGHTS", foreign)
    with pytest.raises(MediaError, match="not the file that was shipped"):
        FaceTrack(0.6)
