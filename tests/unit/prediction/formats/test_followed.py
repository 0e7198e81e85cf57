"""One followed person is one series in every format, although the number of its track changes."""

import json

import numpy as np
import pandas as pd
import pytest

from avfusion.prediction.formats.page_data import data_of
from avfusion.prediction.formats.player import Media
from avfusion.prediction.formats.steps import changes, tracks, voice
from avfusion.prediction.formats.write import write
from support.synthetic_predictions import predict

TEXTS = ("vtt", "eaf", "html")


@pytest.fixture
def prediction(tmp_path):
    """Four seconds in which the face is lost for a second and found again as another track."""
    made = predict(tmp_path / "a.mp4", doubts=[])
    lost = made.table["time_s"].between(1.0, 2.0)
    made.table.loc[lost, "track_id"] = 1
    return made


def test_there_is_one_series_with_a_row_per_time(prediction):
    ((person, rows),) = tracks(prediction)
    assert person is None
    pd.testing.assert_frame_equal(rows, prediction.table)
    assert changes(prediction) == pytest.approx([0.96, 1.92])


def test_no_format_names_persons_and_all_mark_the_changes(tmp_path, prediction):
    files = write(prediction, tmp_path / "out", TEXTS)
    texts = {path.suffix: path.read_text() for path in files}
    assert not any("person 0" in text or "person 1" in text for text in texts.values())
    assert texts[".vtt"].count("the followed person may change: ") == 2
    assert texts[".eaf"].count("person may change<") == 2
    assert "the followed person may" in texts[".html"]
    assert json.loads(texts[".json"])["persons"] == [0]


def test_the_page_has_one_line_and_speech_without_a_gap(prediction):
    data = data_of(prediction, Media())
    assert [person["label"] for person in data["people"]] == ["person"]
    assert len(data["voiced"]["time"]) == len(prediction.table)
    assert data["changes"] == changes(prediction)


def test_the_speech_of_several_persons_is_that_of_all_their_times(tmp_path):
    several = predict(tmp_path / "a.mp4", persons=2)
    table = several.table
    kept = (table["track_id"] == 1) | (table["time_s"] < 2.0)
    expected = np.sort(table["time_s"].unique())
    table.drop(table.index[~kept], inplace=True)
    assert voice(several)["time_s"].tolist() == expected.tolist()
    assert changes(several) == []
