"""Aff-Wild2's annotation text: every malformed row is reported with its file and line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avfusion.corpora.affwild2.annotations import read_rows


@pytest.mark.parametrize("spelt", ["-5", "-5.0", "-5.000", " -5 ", "-5e0", "-05"])
@pytest.mark.parametrize("where", ["{},{}", "0.1,{}", "{},0.1"])
def test_every_spelling_of_minus_five_in_either_column_is_unrated(spelt, where):
    row = where.format(*[spelt] * where.count("{}"))
    result = read_rows(f"valence,arousal\n0.5,0.5\n{row}\n0.25,-1\n".encode(), "x.txt")
    assert result.faults == []
    assert np.isnan(result.values[1]).all()
    assert result.values[[0, 2]].tolist() == [[0.5, 0.5], [0.25, -1]]


CELL = st.one_of(
    st.floats(-1, 1).map(lambda x: f"{x:.3f}"),
    st.sampled_from(
        ["-5", "-5.0", "", " ", "nan", "inf", "1_0", "0x1", "1.5", "-4", "0,1", "٣", "1e400"]
    ),
    st.text(max_size=6),
)
ROWS = st.lists(st.lists(CELL, min_size=0, max_size=4).map(",".join), max_size=12)


@given(head=st.sampled_from(["valence,arousal", "Valence , AROUSAL", "v,a", ""]), rows=ROWS)
def test_a_malformed_row_is_told_with_file_and_line_and_never_dropped(head, rows):
    text = "\n".join([head, *rows])
    result = read_rows(text.encode("utf-8", "surrogatepass"), "trial.txt")
    lines = text.split("\n")
    while lines and not lines[-1].removesuffix("\r").strip():
        lines.pop()
    assert len(result.values) == max(0, len(lines) - 1)
    reported = {int(fault.split(":")[1]) for fault in result.faults}
    assert all(fault.startswith("trial.txt:") for fault in result.faults)
    for number, line in enumerate(lines[1:], start=2):
        try:
            pair = [float(part) for part in line.removesuffix("\r").split(",")]
        except ValueError:
            pair = []
        plain = line.isascii() and "_" not in line
        good = plain and len(pair) == 2 and all(-1 <= x <= 1 or x == -5 for x in pair)
        assert (number not in reported) == good
        values = result.values[number - 2]
        if good and -5 not in pair:
            assert values.tolist() == pair
        else:
            assert np.isnan(values).all()


@given(st.binary(max_size=200))
def test_any_bytes_at_all_are_read_or_told(raw):
    result = read_rows(raw, "trial.txt")
    assert result.values.shape[1] == 2
    assert result.faults or raw.lstrip(b"\xef\xbb\xbf").lower().lstrip().startswith(b"valence")
