"""The face track: alignment is exact, and one person is followed."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avfusion.config.sections import SignalSettings
from avfusion.corpora.demo import portraits
from avfusion.errors import MediaError
from avfusion.media import faces, yunet
from avfusion.media.faces import Finder, aligned, shrunk, similarity
from avfusion.media.follow import Seen, follow
from avfusion.media.looks import Looks
from avfusion.media.people import Search, cast
from avfusion.media.shots import Shots
from avfusion.media.speaking import silence
from avfusion.media.spool import _ROW, Spool
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
    image = odd_videos.face()
    (face,), _ = Finder(0.6).find(image)
    crop = aligned(image, face.points, 112)
    matrix = similarity(face.points, np.array(faces.TEMPLATE))
    landed = face.points @ matrix[:, :2].T + matrix[:, 2]
    assert crop.shape == (112, 112, 3)
    assert np.abs(landed - np.array(faces.TEMPLATE)).max() < 6


def test_a_frame_larger_than_detection_sees_gives_the_same_face_in_its_own_pixels():
    small, large = (
        cv2.resize(odd_videos.face(), size, interpolation=cv2.INTER_CUBIC)
        for size in ((640, 480), (1920, 1440))
    )
    (face,), _ = Finder(0.6).find(small)
    (three_times,), searched = Finder(0.6).find(large)
    assert searched.shape == small.shape
    np.testing.assert_allclose(three_times.points / 3, face.points, atol=1)


def test_shrinking_a_large_face_does_not_alias():
    """A fine checkerboard becomes its mean, wherever it lies on the grid."""
    image = np.indices((1200, 1200)).sum(axis=0, dtype=np.uint8)[..., None] % 2 * np.full(3, 255)
    points = LEVEL * 8 + 200.3
    crop = aligned(image.astype(np.uint8), points, 112)
    assert np.abs(crop[20:90, 20:90].astype(float) - 127.5).max() < 25


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0, 8.0])
def test_crops_of_one_face_at_any_size_lie_on_each_other(scale):
    """A smooth pattern shown larger or smaller lands on the same pixels of the crop."""
    y, x = np.mgrid[0:1000, 0:1000] / scale
    image = np.stack([128 + 90 * np.sin(x / 15), 128 + 90 * np.sin(y / 15), 0 * x], -1)
    crop = aligned(image.astype(np.uint8), LEVEL * scale, 112)
    matrix = np.linalg.inv(np.vstack([similarity(LEVEL, np.array(faces.TEMPLATE)), [0, 0, 1]]))
    grid = np.stack([*np.mgrid[0:112, 0:112][::-1], np.ones((112, 112))])  # x, y, 1
    at = np.einsum("ij,jyx->iyx", matrix, grid)
    expected = 128 + 90 * np.sin(at[:2] / 15)
    inside = slice(40, 90), slice(30, 80)
    for axis in range(2):
        assert np.abs(crop[inside][..., axis] - expected[axis][inside]).mean() < 6


@pytest.fixture
def followed(tmp_path):
    """Where the middle of the followed face is in each of some pictures, None without one."""

    def run(pictures, times_s, rule="largest"):
        with Spool(tmp_path) as spool:
            looks = Looks(SignalSettings(), spool)
            for index, (time_s, image) in enumerate(zip(times_s, pictures, strict=True)):
                assert looks.wanted(index, time_s)
                looks.take(index, time_s, image)
            search = Search(spool, cuts=looks.shots.close())
            roles = cast(search, SignalSettings(), rule, silence)
        rows = roles.seen.rows[roles.chosen]
        middles = dict(zip(rows["frame"], rows["box"][:, 0] + rows["box"][:, 2] / 2, strict=True))
        return [middles.get(index) for index in range(len(times_s))]

    return run


def test_the_followed_person_stays_when_another_becomes_larger(followed):
    pictures = [odd_videos.two_faces(1.0, 0.8), odd_videos.two_faces(0.8, 1.0)]
    assert followed(pictures, [0, 0.04]) == pytest.approx([LEFT, LEFT], abs=30)


def test_one_missed_detection_does_not_hand_the_track_over(followed):
    both, other = odd_videos.two_faces(1.0, 0.7), odd_videos.two_faces(0, 0.7)
    first, missed, back = followed([both, other, both], [0, 0.04, 0.08])
    assert missed is None
    assert [first, back] == pytest.approx([LEFT, LEFT], abs=30)


def test_one_missed_detection_does_not_hand_the_track_to_a_close_neighbour():
    """Two people 0.9 face widths apart; the followed one is missed in the sixth picture."""
    looks = [look for look in range(20) for _ in range(1 if look == 5 else 2)]
    people = np.array([person for look in range(20) for person in ((1,) if look == 5 else (0, 1))])
    rows = np.zeros(len(looks), _ROW)
    rows["look"], rows["time_s"], rows["before"] = looks, np.array(looks) * 0.08, -1
    rows["box"] = np.stack([90.0 * people, 0 * people, 100 + 0 * people, 100 + 0 * people], 1)
    seen = Seen(rows, np.zeros(len(rows), int), people)
    chosen = follow(seen, "largest")
    assert people[chosen].tolist() == [0] * 19
    assert 5 not in rows["look"][chosen]
    again = Seen(rows, seen.shots, np.where((people == 0) & (rows["look"] > 5), 2, people))
    assert again.people[follow(again, "largest")].tolist() == [0] * 5 + [2] * 14


def test_who_has_left_is_let_go(followed):
    pictures = [odd_videos.two_faces(1.0, 0.7), odd_videos.two_faces(0, 0.7)]
    assert followed(pictures, [0, 5.0])[1] == pytest.approx(RIGHT, abs=30)


@pytest.mark.parametrize(("rule", "middle"), [("left", LEFT), ("right", RIGHT), ("all", LEFT)])
def test_the_rule_says_which_of_two_is_followed(followed, rule, middle):
    both = [odd_videos.two_faces(1.0, 0.7)] * 2
    assert followed(both, [0, 0.04], rule) == pytest.approx([middle] * 2, abs=30)


def test_a_single_face_on_the_other_side_is_not_followed(followed):
    assert followed([odd_videos.two_faces(1.0, 0)], [0], "right") == [None]


def test_weights_that_are_not_the_shipped_ones_are_refused(tmp_path, monkeypatch):
    foreign = tmp_path / "weights.onnx"
    foreign.write_bytes(yunet.WEIGHTS.read_bytes() + b" ")
    monkeypatch.setattr(yunet, "WEIGHTS", foreign)
    with pytest.raises(MediaError, match="not the file that was shipped"):
        Finder(0.6)


PORTRAITS = Path(portraits.__file__).parent / "assets"


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (353, 261), (100, 70)])
def test_faces_are_those_of_opencv(size):
    """The network runs in onnxruntime; OpenCV's detector of the same weights is the referee."""
    images = [cv2.imread(str(PORTRAITS / f"{n}.png")) for n in ("gauss", "newton", "mona_lisa")]
    images += [odd_videos.face()[..., ::-1], odd_videos.two_faces(1, 0.7)[..., ::-1]]
    images += [np.hstack(images[:3]), np.full((90, 90, 3), 128, np.uint8)]
    theirs = cv2.FaceDetectorYN.create(str(yunet.WEIGHTS), "", (0, 0), 0.6, 0.3)
    ours, seen = yunet.Detector(0.6), 0
    for image in images:
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        theirs.setInputSize(size)
        rows = theirs.detect(image)[1]
        rows = np.empty((0, 15)) if rows is None else rows
        found = ours.detect(np.ascontiguousarray(image[..., ::-1]))
        assert found.shape == rows.shape
        np.testing.assert_allclose(found, rows, atol=1 / 128 + 1e-3)  # places are in 1/64
        seen += len(rows)
    assert seen >= len(images) - 1


def test_the_faces_of_a_picture_do_not_depend_on_the_one_before():
    """Pictures of 360 and 384 rows are padded to the same size."""
    image = cv2.resize(odd_videos.face(), (640, 480), interpolation=cv2.INTER_CUBIC)[60:420]
    image, detector = np.ascontiguousarray(image), yunet.Detector(0.01)
    alone = yunet.Detector(0.01).detect(image)
    detector.detect(np.full((384, 640, 3), 255, np.uint8))
    np.testing.assert_array_equal(detector.detect(image), alone)
    assert len(alone)


def light(image, factor):
    return np.clip(image * factor, 0, 255).astype(np.uint8)


def test_a_flash_a_change_of_light_and_motion_are_no_cuts():
    rng = np.random.default_rng(2)
    scene = cv2.resize(rng.integers(0, 255, (9, 16, 3), np.uint8), (320, 180))
    shots = Shots()
    for at in range(40):
        image = np.roll(scene, at * 2, axis=1)
        image = np.full_like(image, 255) if at in (12, 13) else light(image, 1 - at / 80)
        shots.add(at * 0.08, image)
    assert shots.close().tolist() == []


def test_a_cut_is_found_at_its_picture_and_also_next_to_a_flash():
    rng = np.random.default_rng(3)
    scenes = [cv2.resize(rng.integers(0, 255, (9, 16, 3), np.uint8), (320, 180)) for _ in range(3)]
    shots = Shots()
    for at in range(45):
        flash = at == 29
        shots.add(at * 0.08, np.full_like(scenes[0], 255) if flash else scenes[at // 15])
    first, *second = shots.close().tolist()
    assert first == 15
    assert second
    assert set(second) <= {29, 30}


def test_the_side_of_a_face_is_that_in_its_own_picture(followed):
    """The pictures become smaller inside the file."""
    large, small = odd_videos.two_faces(1.0, 0), odd_videos.two_faces(0, 1.0)
    pictures = [large, np.ascontiguousarray(small[::4, ::4])]
    assert followed(pictures, [0, 5.0], "left")[0] == pytest.approx(LEFT, abs=30)
    half = np.ascontiguousarray(small[::2, ::2])
    assert followed([half], [0], "right") == [pytest.approx(RIGHT / 2, abs=30)]


@pytest.mark.parametrize("size", [(1920, 1080), (1275, 717), (3001, 1689), (700, 500)])
def test_large_pictures_are_shrunk_without_moving_a_face(size, monkeypatch):
    """Against the mean over the area of each new pixel, in pixels of a crop of 112."""
    image = cv2.resize(odd_videos.face(), size, interpolation=cv2.INTER_CUBIC)

    def points():
        (face,) = faces.Finder(0.6).find(image)[0]
        scale = np.hypot(*similarity(face.points, np.array(faces.TEMPLATE))[:, 0])
        return face.points, scale

    found, scale = points()

    def by_area(picture, new_size):
        return cv2.resize(picture, new_size, interpolation=cv2.INTER_AREA)

    monkeypatch.setattr(faces, "shrunk", by_area)
    np.testing.assert_allclose(found * scale, points()[0] * scale, atol=0.5)


@pytest.mark.parametrize("size", [(360, 640), (640, 160), (640, 360)])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("period", [12, 16])
def test_fine_stripes_become_their_mean_whatever_the_ratios_of_the_sides(size, axis, period):
    stripes = np.indices(size[::-1])[axis] % period < period / 2
    image = np.where(stripes, 255, 0).astype(np.uint8)
    expected = cv2.resize(image, (32, 24), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(shrunk(image, (32, 24)) - expected).max() <= 50


@pytest.mark.parametrize("size", [(1920, 1080), (1279, 720), (2559, 1441), (1500, 2001)])
def test_sides_of_equal_ratios_are_shrunk_by_halves_and_linearly(size):
    image = np.random.default_rng(0).integers(0, 256, (size[1], size[0]), np.uint8)
    shrink = 640 / max(size)
    small = round(size[0] * shrink), round(size[1] * shrink)
    halves = image
    while halves.shape[1] >= 2 * small[0] and halves.shape[0] >= 2 * small[1]:
        half = halves.shape[1] // 2, halves.shape[0] // 2
        halves = cv2.resize(halves, half, interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(shrunk(image, small), cv2.resize(halves, small))
