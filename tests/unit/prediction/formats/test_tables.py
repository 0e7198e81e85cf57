"""CSV and Parquet hold every row exactly, and other readers read them."""

import csv
import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from avfusion.prediction.formats.write import write
from avfusion.prediction.prediction import Target
from support.synthetic_predictions import predict

PAIN = (Target("pain", 0.0, 10.0),)
CASES = {
    "one person": {},
    "three persons": {"persons": 3},
    "no face": {"persons": None},
    "one row": {"seconds": 0.16},
    "another target": {"targets": PAIN},
    "an hour": {"seconds": 3600.0},
}


@pytest.mark.parametrize("case", CASES)
def test_a_table_is_read_back_as_it_was(tmp_path, case):
    prediction = predict(tmp_path / "talk.mp4", **CASES[case])
    csv_path, parquet_path, _ = write(prediction, tmp_path, ["csv", "parquet"])
    for table in (
        pd.read_csv(csv_path, dtype={"track_id": "Int64"}),
        pd.read_parquet(parquet_path),
    ):
        pd.testing.assert_frame_equal(table, prediction.table, check_exact=True)
    assert case != "an hour" or len(prediction.table) == 22_500


def test_the_first_line_of_a_csv_file_is_the_header(tmp_path):
    prediction = predict(tmp_path / "talk.mp4")
    path, _ = write(prediction, tmp_path, ["csv"])
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file, strict=True))
    assert rows[0] == list(prediction.table.columns)
    assert {len(row) for row in rows} == {len(rows[0])}
    unseen = rows[-1]
    assert unseen[rows[0].index("valence")] == "", "a missing value is an empty cell"
    assert unseen[rows[0].index("face")] == "False"


def test_numbers_of_a_csv_file_have_all_digits(tmp_path):
    prediction = predict(tmp_path / "talk.mp4")
    path, _ = write(prediction, tmp_path, ["csv"])
    read = np.genfromtxt(path, delimiter=",", names=True)["valence"]
    assert np.array_equal(read, prediction.table["valence"], equal_nan=True)


def test_parquet_has_units_and_ranges_in_its_schema(tmp_path):
    path, _ = write(predict(tmp_path / "talk.mp4", targets=PAIN), tmp_path, ["parquet"])
    schema = pq.read_schema(path)
    field = schema.field("pain_high").metadata
    assert json.loads(field[b"range"]) == [0.0, 10.0]
    assert field[b"meaning"] == b"Upper end of the interval of pain."
    facts = json.loads(schema.metadata[b"avfusion"])
    assert facts["step_s"] == 0.16
    assert facts["targets"] == [{"name": "pain", "low": 0.0, "high": 10.0}]
