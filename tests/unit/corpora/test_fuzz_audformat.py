"""Malformed audformat databases are read, or reported with file and line."""

import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from avfusion.corpora.formats.audformat import read_database
from support.odd_texts import (
    CELL,
    NAMES,
    NUMBER,
    PLAIN,
    TARGETS,
    fault_lines,
    few,
    read_or_refusal,
)

ANY = st.one_of(st.none(), st.booleans(), st.floats(), st.lists(st.text(max_size=3), max_size=2))
ANY |= st.sampled_from([*TARGETS, "dev", "s", "x"])


def near(**parts):
    """A mapping of these parts, or of some of them, or something else altogether."""
    return st.one_of(ANY, *3 * [st.fixed_dictionaries({}, optional=parts)])


COLUMNS = near(
    valence=near(scheme_id=ANY), file=near(scheme_id=ANY), arousal=ANY, speaker=ANY, partition=ANY
)
HEADER = st.fixed_dictionaries(
    {"tables": near(t=near(split_id=ANY, columns=COLUMNS), u=ANY)},
    optional={"splits": near(s=near(type=ANY), dev=ANY), "avfusion": near(segments=ANY)},
)
TABLE = st.lists(
    st.tuples(NAMES, st.sampled_from(["0 days", "", "x", "1", "0 days 00:00:01"]), NUMBER, CELL),
    max_size=5,
)


@given(HEADER, TABLE)
@few
def test_any_audformat_database_is_read_or_refused_by_file(header, rows):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "db.yaml").write_text(yaml.safe_dump(header))
        lines = [",".join([a, b, c, d.replace("\n", " ")]) for a, b, c, d in rows]
        text = "\n".join(["file,start,end,valence", *lines])
        (Path(folder) / "db.t.csv").write_bytes(text.encode("utf-8", "surrogatepass"))
        result = read_or_refusal(lambda: read_database(Path(folder), TARGETS, 10))
    message = [result] if isinstance(result, str) else result.faults + result.sheet.faults
    assert all("db." in line for line in message)


USUAL = {
    "tables": {"t": {"columns": {"valence": {"scheme_id": "valence"}, "speaker": {}}}},
    "avfusion": {"segments": "instants"},
}


@given(st.lists(st.tuples(st.sampled_from(["0 days", "1 days", "", "x", "7"]), PLAIN), max_size=6))
@few
def test_a_row_of_an_audformat_table_is_read_or_told_with_its_line(rows):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "db.yaml").write_text(yaml.safe_dump(USUAL))
        lines = ["file,start,valence,speaker", *(f"a.mp4,{at},{cell},ann" for at, cell in rows)]
        raw = "\n".join(lines).encode("utf-8", "surrogatepass")
        (Path(folder) / "db.t.csv").write_bytes(raw)
        result = read_or_refusal(lambda: read_database(Path(folder), TARGETS, 10))
    if isinstance(result, str):
        assert "db.t.csv" in result
    else:
        assert len(result.gold) + len(fault_lines(result.faults, "db.t.csv")) == len(rows)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.mp4,0 days,0 days 00:00:01,high,ann", "db.t.csv:2: valence is 'high'"),
        ("a.mp4,0.5,0 days 00:00:01,0.1,ann", "db.t.csv:2: start is '0.5', which is no time"),
        ("a.mp4,0 days,,0.1,ann", "db.t.csv:2: a rating without start or end"),
        ("a.mp4,0 days,9 days,0.1,ann", "db.t.csv:2: it ends at 777600 s"),
        ("a.mp4,0 days,0 days 00:00:03,0.1,ann", "a.mp4: two ratings of valence at 2 s"),
        ("a.mp4,0 days", "db.t.csv:2: expected 5 cells"),
    ],
)
def test_what_is_wrong_with_an_audformat_row_is_told_with_file_and_line(tmp_path, row, message):
    (tmp_path / "db.yaml").write_text(yaml.safe_dump({"tables": USUAL["tables"]}))
    last = "a.mp4,0 days 00:00:02,0 days 00:00:04,0.2,ann"
    text = "\n".join(["file,start,end,valence,speaker", row, last])
    (tmp_path / "db.t.csv").write_text(text)
    (fault,) = read_database(tmp_path, TARGETS, 10).faults
    assert message in fault
