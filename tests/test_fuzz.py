"""Every reader of annotations, given what nobody should have written: read, or told where.

Never a crash, and no row lost in silence. Aff-Wild2's rows are in test_affwild2_rows.py, IEMOCAP's
texts in test_iemocap.py, RECOLA's rater tables in test_recola.py.
"""

import tempfile
from pathlib import Path

import numpy as np
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avfusion.corpora._affwild2_tree import read_template
from avfusion.corpora._audformat import read_database
from avfusion.corpora._elan import read_eaf
from avfusion.corpora._own_ratings import read_ratings
from avfusion.corpora._recola_files import read_arff, read_bare
from avfusion.corpora.fatigue import Fatigue
from avfusion.corpora.own import Own
from avfusion.errors import AvfError
from miniatures import own, verify

TARGETS = ("valence", "arousal")
ODD = [
    "",
    " ",
    "nan",
    "?",
    "inf",
    "-inf",
    "1e400",
    "1e18",
    "-1",
    "0x1",
    "1_0",
    "٣",
    "0,1",
    "a\x00b",
]
CELL = st.one_of(
    st.floats(-2, 20).map(lambda x: f"{x:.3f}"), st.sampled_from(ODD), st.text(max_size=5)
)
PLAIN = CELL.filter(
    lambda text: not set(text) & set('\n\r",;\t\x00\x1c\x1d\x1e\x85\u2028\u2029\x0b\x0c')
)
ROW = st.lists(PLAIN, min_size=0, max_size=6)
few = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def told(faults: list[str], name: str) -> set[int]:
    """Lines that faults name; each names the file first."""
    assert all(fault.startswith(name) for fault in faults), faults
    places = [fault.removeprefix(f"{name}:").split(":")[0] for fault in faults]
    return {int(place) for place in places if place.isdecimal()}


def lines_of(rows: list[list[str]], mark: str) -> tuple[list[str], list[int]]:
    """Lines, and the numbers (the header is 1) of those that are not blank."""
    lines = [mark.join(row) for row in rows]
    full = [k for k, row in enumerate(rows, start=2) if any(cell.strip() for cell in row)]
    return lines, full


@given(st.lists(ROW, max_size=8))
def test_an_arff_row_is_read_or_told_with_its_line(rows):
    lines, full = lines_of(rows, ",")
    found = read_arff("\n".join(["@data", *lines]).encode("utf-8", "surrogatepass"), "f.arff")
    full = [k for k in range(2, len(lines) + 2) if lines[k - 2].strip()]
    full = [k for k in full if not lines[k - 2].lstrip().startswith("%")]
    assert len(found.time_s) + len(told(found.faults, "f.arff")) == len(full)


@given(st.lists(ROW, max_size=8))
def test_a_bare_row_is_read_or_told_with_its_line(rows):
    lines, _ = lines_of(rows, ",")
    found = read_bare("\n".join(lines).encode("utf-8", "surrogatepass"), "f.csv", 0.04)
    count = sum(bool(line.strip()) for line in lines)
    assert len(found.time_s) + len(told(found.faults, "f.csv")) == count


@given(st.lists(ROW, max_size=8), st.sampled_from(",;\t"))
def test_a_row_of_own_ratings_is_read_or_told_with_its_line(rows, mark):
    lines, full = lines_of(rows, mark)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.csv"
        header = mark.join(("time_s", *TARGETS))
        path.write_bytes("\n".join([header, *lines]).encode("utf-8", "surrogatepass"))
        found = read_ratings(path, "r.csv", TARGETS, 10)
    assert len(found.time_s) + len(told(found.faults, "r.csv")) == len(full)
    assert np.isfinite(found.time_s).all()


@given(st.binary(max_size=200), st.sampled_from([".csv", ".tsv", ".arff", ".eaf", ".parquet"]))
@few
def test_any_bytes_as_own_ratings_are_read_or_told_with_the_file(raw, ending):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"r{ending}"
        path.write_bytes(raw)
        found = read_ratings(path, path.name, ("valence",), 10)
    told(found.faults, path.name)
    assert found.faults or len(found.time_s)


@given(st.text(st.sampled_from('<>/="0123456789.-TIMERVALUEtier "&;'), max_size=30), st.data())
def test_any_near_miss_of_an_elan_document_is_read_or_told(text, data):
    whole = own.eaf(own.TIERS)
    at = data.draw(st.integers(0, len(whole)))
    cut = data.draw(st.integers(0, 60))
    found = read_eaf((whole[:at] + text + whole[at + cut :]).encode(), "f.eaf", TARGETS, 10)
    told(found.faults, "f.eaf")
    if not found.faults:
        assert np.isfinite(found.time_s).all()


@given(st.lists(ROW, max_size=6))
@few
def test_a_row_of_a_fatigue_manifest_is_read_or_told_with_its_line(rows):
    lines, full = lines_of(rows, ",")
    head = "video,subject,start_s,end_s,level"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "manifest.csv").write_bytes(
            "\n".join([head, *lines]).encode("utf-8", "surrogatepass")
        )
        corpus = Fatigue(root=Path(folder))
        spans = sum(len(own_spans) for own_spans in corpus.segments.values())
        assert spans + len(told(corpus.sheet.faults, "manifest.csv")) == len(full)
        corpus.gold()


NAMES = st.sampled_from(["a.mp4", "b.mp4", "../c.mp4", "", "/d.mp4", "e\\f.mp4", "."])
NUMBER = st.sampled_from(["0", "1", "5.5", "1e9", "1e300", "-3", "x", "", "nan"])


@given(st.lists(st.tuples(NAMES, st.sampled_from(["s1", "s2", "s3", ""]), NUMBER, NUMBER, NUMBER)))
@few
def test_verifying_any_fatigue_manifest_ends_in_checks(rows):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "tree"
        root.mkdir()
        text = "\n".join(["video,subject,start_s,end_s,level", *map(",".join, rows)])
        (root / "manifest.csv").write_text(text)
        code, checks = verify("fatigue", root, {}, Path(folder) / "results")
    assert code == 1  # no film is there
    assert checks["verdict"].isin(["PASS", "WARN", "FAIL"]).all()


PARTS = st.sampled_from(["train", "dev", "test", "", "rest"])
FILES = st.sampled_from(["r.csv", "gone.csv", "", "../r.csv", "r.xlsx", "r.eaf"])


@given(st.lists(st.tuples(NAMES, st.sampled_from(["s1", "s2", ""]), PARTS, FILES), max_size=6))
@few
def test_verifying_any_own_manifest_ends_in_checks(rows):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "tree"
        root.mkdir()
        text = "\n".join(["video,subject,partition,ratings", *map(",".join, rows)])
        (root / "manifest.csv").write_text(text)
        (root / "r.csv").write_text("time_s,valence,arousal\n0,0.1,0.1\n1e300,0.1,x\n")
        sheet = Own(root=root).sheet
        assert len(sheet.rows) + len(told(sheet.faults, "manifest.csv")) == sum(
            any(map(str.strip, row)) for row in rows
        )
        code, checks = verify("own", root, {}, Path(folder) / "results")
    assert code == 1
    assert checks["verdict"].isin(["PASS", "WARN", "FAIL"]).all()


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
        found = read_or_refusal(lambda: read_database(Path(folder), TARGETS, 10))
    said = [found] if isinstance(found, str) else found.faults + found.sheet.faults
    assert all("db." in line for line in said)


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
        found = read_or_refusal(lambda: read_database(Path(folder), TARGETS, 10))
    if isinstance(found, str):
        assert "db.t.csv" in found
    else:
        assert len(found.gold) + len(told(found.faults, "db.t.csv")) == len(rows)


def read_or_refusal(read):
    """What is read, or the words of its refusal."""
    try:
        return read()
    except AvfError as error:
        return str(error)


@given(st.lists(st.text(st.sampled_from("0123456789/.,jpg abc-"), max_size=24), max_size=8))
def test_a_line_of_a_template_is_read_or_told_with_its_line(lines):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.txt"
        path.write_text("\n".join(["image_location,valence,arousal", *lines]))
        found = read_or_refusal(lambda: read_template(path))
    if isinstance(found, str):
        assert "t.txt:" in found
    else:
        assert len(found) == sum(bool(line.strip()) for line in lines)
