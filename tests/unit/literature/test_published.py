"""Published numbers: none is lost or altered, a bad row is named, and only like meets like."""

import hashlib
import re
from pathlib import Path

import pandas as pd
import pytest

from avfusion.config.study import Study
from avfusion.errors import ConfigError
from avfusion.literature import published
from avfusion.literature.compare import compare
from avfusion.protocols.protocol import load as load_protocol
from avfusion.registry import fusions
from avfusion.report.tables.published import cells_of

ROOT = Path(__file__).parents[3]
FILE = ROOT / "config" / "published.csv"
STUDY = {
    "corpora": {
        "affwild2": {"root": "d", "options": {"edition": "abaw3"}},
        "recola": {"root": "d", "options": {"split": "official"}},
    },
    "fusions": {"mine": {"is": "jca"}, "two": {"is": "ca", "stages": 2}, "rjca": {}},
    "protocols": ["abaw"],
    "headline": "abaw",
}


@pytest.fixture(scope="module")
def rows() -> list[published.Published]:
    return published.load(FILE)


@pytest.fixture
def sheet(tmp_path):
    """Writes the file's first ten rows with one cell of row `at` changed; returns where."""

    def write(at: int = 2, **cells: str) -> Path:
        table = pd.read_csv(FILE, dtype=str, keep_default_na=False).head(10)
        for name, text in cells.items():
            table.loc[at - 2, name] = text
        table.to_csv(tmp_path / "published.csv", index=False)
        return tmp_path / "published.csv"

    return write


def score(**changed) -> pd.DataFrame:
    """JCA's valence on Aff-Wild2's validation partition, 0.650 [0.600, 0.700], or as changed."""
    row = {"corpus": "affwild2", "fusion": "mine", "partition": "validation", "protocol": "abaw"}
    row |= {"target": "valence", "mean": 0.65, "low": 0.6, "high": 0.7, "seeds": 3}
    return pd.DataFrame([row | changed])


def met(scores: pd.DataFrame, rows, **study) -> pd.DataFrame:
    table = compare(scores, rows, Study(**STUDY | study))
    return table[table["verdict"] != "not run"]


def test_values_are_those_that_were_collected(rows):
    table = pd.read_csv(FILE, dtype=str, keep_default_na=False)
    text = "\n".join(f"{v} {s}" for v, s in zip(table["value"], table["spread"], strict=True))
    assert len(rows) == 284
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "4bc33dfa7522fa461acd4dc9532ebc488fb6be2322a848736741fb239dae99f0"
    )


def test_the_papers_own_numbers_stand_where_they_are_looked_for(rows):
    ours = [(r.value, r.kind) for r in rows if r.fusion == "jca" and r.partition == "validation"]
    assert ours == [(0.663, "printed"), (0.584, "printed")]
    cross = [r.value for r in rows if r.method == "I3D + cross-attention (CA)"]
    assert cross == [0.685, 0.835]
    curve = [r.value for r in rows if r.corruption and r.fusion == "iaca" and r.target == "arousal"]
    assert curve == [0.678, 0.662, 0.646, 0.632, 0.610, 0.594]


def test_every_row_names_its_source_and_no_folder(rows):
    assert all(re.search(r"[A-Za-z]{4}", r.source) for r in rows)
    assert not [r for r in rows if re.search(r"(^|\s)[/~]", f"{r.source} {r.note}")]


def test_numbers_that_no_paper_prints_are_marked(rows):
    kinds = pd.Series([r.kind for r in rows]).value_counts()
    assert kinds["digitised"] == 24
    assert kinds["log"] == 4
    assert all("no number of a paper" in r.source for r in rows if r.kind == "log")


def test_fusions_options_and_protocols_are_this_projects(rows):
    for row in rows:
        assert row.fusion in {"", *fusions.names()}
        if row.fusion in fusions.names():
            assert row.options.keys() <= fusions.options(row.fusion).keys()
        if row.protocol:
            assert load_protocol(row.protocol, ROOT / "config" / "protocols")


def test_schema_file_is_that_of_the_code():
    file = "workflow/schemas/published.schema.json"
    code = "from avfusion.literature import published; print(end=published.schema())"
    again = f"python -c '{code}' > {file}"
    assert (ROOT / file).read_text() == published.schema(), f"Write it again: {again}"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"value": "1.7"}, "row 4: ccc 1.7 is not in [-1, 1]"),
        ({"value": "high"}, "row 4: value: "),
        ({"kind": "guess"}, "row 4: kind: "),
        ({"source": ""}, "row 4: source: "),
        ({"options": "stages 2"}, "row 4: options are not JSON"),
        ({"level": "0.3"}, "row 4: corruption and level belong together"),
        ({"corpus": "RECOLA"}, "row 4: corpus: "),
    ],
)
def test_a_wrong_cell_is_refused_by_row(sheet, cells, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        published.load(sheet(at=4, **cells))


def test_twins_and_lost_columns_are_refused(sheet, tmp_path):
    same = {"method": "2D CNN + feature concatenation", "target": "valence"}
    with pytest.raises(ConfigError, match="row 4: repeats row 2"):
        published.load(sheet(at=4, **same))
    path = tmp_path / "short.csv"
    pd.read_csv(FILE, dtype=str).drop(columns="source").to_csv(path, index=False)
    with pytest.raises(ConfigError, match="no column source"):
        published.load(path)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.60, 0.70, "inside interval"), (0.60, 0.66, "outside"), (0.67, 0.70, "outside")],
)
def test_a_published_number_is_inside_our_interval_or_not(rows, low, high, verdict):
    (row,) = met(score(low=low, high=high), rows).itertuples()
    assert (row.theirs, row.verdict) == (0.663, verdict)
    assert row.difference == pytest.approx(0.65 - 0.663)


@pytest.mark.parametrize(
    "changed",
    [
        {"partition": "train"},
        {"protocol": "smoothed"},
        {"corpus": "demo"},
        {"fusion": "two"},
        {"target": "mean"},
        {"mean": float("nan")},
    ],
)
def test_only_like_meets_like(rows, changed):
    assert not len(met(score(**changed), rows))


def test_a_fusion_is_known_by_its_form_not_by_its_name(rows):
    ours = score(corpus="recola", fusion="two", protocol="gold_rescaled")
    matched = met(ours, rows, protocols=["abaw", "gold_rescaled"])
    assert list(matched["method"]) == ["CA (2-stage) / fusion"]


def test_whole_and_corrupted_input_are_kept_apart(rows):
    clean = score(fusion="rjca")
    assert not len(met(clean, rows))
    part = score(fusion="rjca", corruption="audio_missing", level=0.3)
    (row,) = met(part, rows).itertuples()
    assert (row.level, row.theirs) == (0.3, 0.695)


def test_a_number_without_counterpart_says_what_there_is_none_of(rows):
    table = compare(score(), rows, Study(**STUDY))
    absent = table[table["verdict"] == "not run"]
    assert absent["why"].ne("").all()
    why = absent.set_index("method")["why"]
    assert set(why["He et al. 2015 / fusion"]) == {"not a fusion of this project"}
    assert set(why["I3D + feature concatenation"]) == {"no entry `concat: {}` under fusions"}


def test_rjcma_meets_its_papers_numbers_once_its_fusion_has_text(rows):
    """Where it has none, the row says what to add."""
    has = {"features": {"audio": ["ear"], "text": ["say"]}, "fusions": {"ours": {"is": "rjcma"}}}
    abaw6 = {"corpora": {"affwild2": {"root": "d", "options": {"edition": "abaw6"}}}}
    has |= abaw6
    matched = met(score(fusion="ours", low=0.58, high=0.7), rows, **has)
    paper = matched[matched["kind"] == "printed"]
    assert list(zip(paper["theirs"], paper["verdict"], strict=True)) == [(0.585, "inside interval")]
    assert set(met(score(fusion="ours"), rows, **has)["verdict"]) == {"outside"}
    for study, why in (
        (STUDY | abaw6, "no entry `rjcma: {}` under fusions, and no encoder under features.text"),
        (STUDY | has | {"fusions": {"ca": {}}}, "no entry `rjcma: {}` under fusions"),
        (STUDY | has, "no score on test of affwild2"),
    ):
        table = compare(score(fusion="ours"), rows, Study(**study))
        absent = table[(table["method"] == "RJCMA") & (table["partition"] == "test")]
        assert set(absent["verdict"]) == {"not run"}
        assert set(absent["why"]) == {why}


def test_numbers_of_icassp_2022_name_the_modalities_that_they_are_of(rows):
    named = {"A": "audio", "V": "video", "T": "text", "Audio": "audio", "Visual": "video"}
    ours = [r for r in rows if r.paper == "icassp2022_selfcross" and r.fusion]
    assert len(ours) == 30
    for row in ours:
        head = re.split(r"[, ]", row.method)[0].split("+")
        given = row.options.get("modalities", ["audio", "video"])
        assert given == [named.get(word, "text") for word in head]
        assert row.fusion.startswith("self" if "self" in row.method.lower() else "cross")


def test_a_share_of_fatigue_that_a_paper_calls_validation_meets_our_test_partition(rows):
    """It is the 20 % that the paper held out; our validation is drawn from the other 80 %."""
    fatigue = {"fatigue": {"root": "d", "options": {"split": "holdout"}}}
    ours = score(corpus="fatigue", fusion="two", partition="test", target="fatigue", mean=0.4)
    study = {"corpora": fatigue, "fusions": {"two": {"is": "ca"}}}
    (row,) = met(ours, rows, **study).itertuples()
    assert (row.method, row.partition, row.ours_partition) == ("CA", "validation", "test")
    assert "ours is of test, which the paper calls validation" in row.why
    assert cells_of(row)[2] == "validation (ours: test)"
    assert not len(met(ours.assign(partition="validation"), rows, **study))
    fatigue["fatigue"]["options"] = {"split": "loso"}
    assert not len(met(ours, rows, **study))
