"""The figure shows each person, intervals, gaps and doubts."""

import cv2
import numpy as np
import pytest
from PIL import Image

from avfusion.prediction.formats.look import PERSONS
from avfusion.prediction.formats.write import write
from avfusion.prediction.prediction import Target
from support.synthetic_predictions import predict


def drawn(tmp_path, seconds=4.0, **changes):
    """RGB pixels of the figure, int (H, W, 3)."""
    prediction = predict(tmp_path / "talk.mp4", seconds=seconds, **changes)
    path = write(prediction, tmp_path, ["png"])[0]
    with Image.open(path) as image:
        image.verify()
    return cv2.imread(str(path))[..., ::-1].astype(int)


def near(image, colour, tolerance=12):
    """Which pixels have a colour, bool (H, W)."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return (np.abs(image - wanted) <= tolerance).all(axis=-1)


@pytest.mark.parametrize("persons", [1, 2, 3])
def test_each_person_has_a_line_of_its_colour(tmp_path, persons):
    image = drawn(tmp_path, persons=persons)
    for number, colour in enumerate(PERSONS[:4]):
        assert (near(image, colour).sum() > 500) == (number < persons)


def test_a_part_without_a_prediction_has_no_line(tmp_path):
    """The last of four seconds has no face."""
    image = drawn(tmp_path, doubts=[], remarks=[])
    area = near(image, PERSONS[0])[: image.shape[0] // 2]
    columns = np.flatnonzero(area.any(axis=0))
    left, right = 0.08 * image.shape[1], 0.985 * image.shape[1]
    share = (columns.max() - left) / (right - left)
    assert 0.68 < share < 0.78


def test_doubts_are_shaded(tmp_path):
    plain = drawn(tmp_path / "a", doubts=[])
    doubtful = drawn(tmp_path / "b")
    greys = [
        ((image.max(axis=-1) - image.min(axis=-1) < 8) & (image.mean(axis=-1) > 205)
         & (image.mean(axis=-1) < 245)).sum()
        for image in (plain, doubtful)
    ]  # fmt: skip
    assert greys[1] > greys[0] + 20_000


@pytest.mark.parametrize(
    "changes",
    [
        {"persons": None},
        {"seconds": 0.16},
        {"targets": (Target("pain", 0.0, 10.0),)},
        {"targets": tuple(Target(f"t{i}$x$", 0.0, 1.0) for i in range(5))},
        {"seconds": 3600.0},
    ],
    ids=["no face", "one row", "0 to 10", "five targets", "an hour"],
)
def test_odd_predictions_are_drawn(tmp_path, changes):
    image = drawn(tmp_path, **changes)
    assert near(image, PERSONS[0]).sum() > 20


def test_a_clip_without_any_prediction_says_so(tmp_path):
    prediction = predict(tmp_path / "talk.mp4")
    for name in ("valence", "arousal"):
        prediction.table[[name, f"{name}_low", f"{name}_high"]] = np.nan
    prediction.table["voiced"] = np.nan
    image = cv2.imread(str(write(prediction, tmp_path, ["png"])[0]))[..., ::-1].astype(int)
    assert near(image, PERSONS[0]).sum() < 3000, "the line of the gate only"


def test_equal_predictions_give_equal_figures(tmp_path):
    first, second = (
        write(predict(tmp_path / "talk.mp4"), tmp_path / name, ["png"])[0].read_bytes()
        for name in "ab"
    )
    assert first == second
