"""Every reader of annotations, given malformed files: the file is read, or faults name the line.

Never a crash, and no row lost in silence. Aff-Wild2's rows are in test_affwild2_rows.py, IEMOCAP's
texts in test_iemocap.py, RECOLA's rater tables in test_recola.py.
"""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from avfusion.corpora.affwild2.tree import read_template
from avfusion.corpora.fatigue.corpus import Fatigue
from avfusion.corpora.formats.elan import read_eaf
from avfusion.corpora.formats.ratings import read_arff, read_bare
from avfusion.corpora.own.corpus import Own
from avfusion.corpora.own.ratings import read_ratings
from support.miniatures import own, verify
from support.odd_texts import NAMES, NUMBER, ROW, TARGETS, fault_lines, few, read_or_refusal


def lines_of(rows: list[list[str]], mark: str) -> tuple[list[str], list[int]]:
    """Lines, and the numbers (the header is 1) of those that are not blank."""
    lines = [mark.join(row) for row in rows]
    full = [k for k, row in enumerate(rows, start=2) if any(cell.strip() for cell in row)]
    return lines, full


@given(st.lists(ROW, max_size=8))
def test_an_arff_row_is_read_or_told_with_its_line(rows):
    lines, full = lines_of(rows, ",")
    result = read_arff("\n".join(["@data", *lines]).encode("utf-8", "surrogatepass"), "f.arff")
    full = [k for k in range(2, len(lines) + 2) if lines[k - 2].strip()]
    full = [k for k in full if not lines[k - 2].lstrip().startswith("%")]
    assert len(result.time_s) + len(fault_lines(result.faults, "f.arff")) == len(full)


@given(st.lists(ROW, max_size=8))
def test_a_bare_row_is_read_or_told_with_its_line(rows):
    lines, _ = lines_of(rows, ",")
    result = read_bare("\n".join(lines).encode("utf-8", "surrogatepass"), "f.csv", 0.04)
    count = sum(bool(line.strip()) for line in lines)
    assert len(result.time_s) + len(fault_lines(result.faults, "f.csv")) == count


@given(st.lists(ROW, max_size=8), st.sampled_from(",;\t"))
def test_a_row_of_own_ratings_is_read_or_told_with_its_line(rows, mark):
    lines, full = lines_of(rows, mark)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.csv"
        header = mark.join(("time_s", *TARGETS))
        path.write_bytes("\n".join([header, *lines]).encode("utf-8", "surrogatepass"))
        result = read_ratings(path, "r.csv", TARGETS, 10)
    assert len(result.time_s) + len(fault_lines(result.faults, "r.csv")) == len(full)
    assert np.isfinite(result.time_s).all()


@given(st.binary(max_size=200), st.sampled_from([".csv", ".tsv", ".arff", ".eaf", ".parquet"]))
@few
def test_any_bytes_as_own_ratings_are_read_or_told_with_the_file(raw, ending):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"r{ending}"
        path.write_bytes(raw)
        result = read_ratings(path, path.name, ("valence",), 10)
    fault_lines(result.faults, path.name)
    assert result.faults or len(result.time_s)


@given(st.text(st.sampled_from('<>/="0123456789.-TIMERVALUEtier "&;'), max_size=30), st.data())
def test_any_near_miss_of_an_elan_document_is_read_or_told(text, data):
    document = own.eaf(own.TIERS)
    at = data.draw(st.integers(0, len(document)))
    cut = data.draw(st.integers(0, 60))
    result = read_eaf((document[:at] + text + document[at + cut :]).encode(), "f.eaf", TARGETS, 10)
    fault_lines(result.faults, "f.eaf")
    if not result.faults:
        assert np.isfinite(result.time_s).all()


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
        assert spans + len(fault_lines(corpus.sheet.faults, "manifest.csv")) == len(full)
        corpus.gold()


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
        assert len(sheet.rows) + len(fault_lines(sheet.faults, "manifest.csv")) == sum(
            any(map(str.strip, row)) for row in rows
        )
        code, checks = verify("own", root, {}, Path(folder) / "results")
    assert code == 1
    assert checks["verdict"].isin(["PASS", "WARN", "FAIL"]).all()


@given(st.lists(st.text(st.sampled_from("0123456789/.,jpg abc-"), max_size=24), max_size=8))
def test_a_line_of_a_template_is_read_or_told_with_its_line(lines):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.txt"
        path.write_text("\n".join(["image_location,valence,arousal", *lines]))
        result = read_or_refusal(lambda: read_template(path))
    if isinstance(result, str):
        assert "t.txt:" in result
    else:
        assert len(result) == sum(bool(line.strip()) for line in lines)
