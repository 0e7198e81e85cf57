"""Claims and published numbers in the report: tables and page say what was found and what not."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from avfusion.config.availability import Absence
from avfusion.config.sections import CorpusEntry
from avfusion.config.study import Study
from avfusion.evaluation.score import score_corpus
from avfusion.layout import Layout
from avfusion.report.format import write_csv
from avfusion.report.page.papers import papers
from avfusion.report.page.write import render
from avfusion.report.tables.claims import write_claims
from avfusion.report.tables.part import TableData
from avfusion.report.tables.published import write_published
from avfusion.report.tables.write import write_tables
from support.planted_claims import ROOT, planted
from support.synthetic_results import Plan, write_results


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield planted(tmp_path_factory.mktemp("claims"))


def test_tables_say_what_was_found_and_what_was_not_run(part):
    scored, study, layout = part
    absent = [Absence(("recola",), "nothing at data/recola")]
    write_claims(TableData(study, layout, [scored], absent))
    table = pd.read_csv(layout.tables / "claims.csv")
    predicted = table.query("corpus == 'demo' and claim == 'ca_over_concat'")
    assert list(predicted["verdict"]) == ["supported"]
    absent = table.query("corpus == 'recola'")
    assert set(absent["verdict"]) == {"not run"}
    assert set(absent["missing"]) == {"nothing at data/recola"}
    text = (layout.tables / "claims.md").read_text()
    count = len(yaml.safe_load((ROOT / "config/claims.yaml").read_text())["claims"])
    assert f"All {count} claims not run: nothing at data/recola." in text
    assert re.search(r"\*\*dca_improves_ca\*\*.*\*\*Not run\*\*: no entry `dca_ca", text)
    assert (layout.tables / "claims.tex").read_text().count(r"\begin{table}") == 1


def test_the_page_shows_claims_and_published_numbers(part):
    _, study, layout = part
    write_tables(study, layout)
    page = render(study, layout)
    row = re.search(r"<tr><th scope=\"row\">Cross-attention predicts better than concat.*", page)
    assert row
    assert "supported" in row[0]
    assert "No fusion" not in page
    assert "No number of the papers is on demo" in page
    assert "no entry grjca: {} under fusions" in page


def test_a_published_number_that_was_met_stands_open_on_the_page(part):
    """As if this study's corpus were the paper's."""
    _, study, layout = part
    write_tables(study, layout)
    table = pd.read_csv(layout.tables / "published.csv")
    at = table.index[(table["fusion"] == "ca") & (table["metric"] == "ccc")][0]
    ours = {"ours": 0.7, "low": 0.6, "high": 0.8, "verdict": "inside interval", "why": None}
    for name, value in ours.items():
        table[name] = table[name].astype(object)
        table.loc[at, name] = value
    results = papers(study, layout)["published"]
    assert results["compared"] == []
    table.to_csv(layout.tables / "published.csv", index=False)
    (line,) = papers(study, layout)["published"]["compared"]
    assert line["cells"][6:8] == ["0.700 [0.600, 0.800]", "inside interval"]
    assert "1 lie inside our interval" in papers(study, layout)["published"]["header"]


def test_a_page_without_these_tables_has_no_such_sections(part, tmp_path):
    _, study, _ = part
    assert papers(study, Layout(tmp_path)) == {"claims": [], "published": None}


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> Path:
    """Tables of a study whose corpus is called RECOLA, scored also as its paper scores."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        layout = Layout(tmp_path_factory.mktemp("published"))
        plan = Plan(corpus="recola", errors={"concat": 0.3, "ca": 0.2}, seeds=(0,))
        study = write_results(layout, plan)
        entry = CorpusEntry(root="data/recola", options={"split": "official"})
        changes = {
            "protocols": ["pooled", "gold_rescaled"],
            "corpora": {"recola": entry},
            "statistics": study.statistics.model_copy(update={"draws": 500}),
        }
        study = study.model_copy(update=changes)
        score_corpus("recola", study.score_settings("recola"), layout)
        write_published(TableData.read(study, layout))
    return layout.tables


def test_a_study_of_a_papers_corpus_stands_beside_its_numbers(tables):
    table = pd.read_csv(tables / "published.csv")
    met = table[table["verdict"] != "not run"]
    assert set(met["method"]) == {
        "2D CNN + feature concatenation",
        "I3D + feature concatenation",
        "I3D + cross-attention (CA)",
        "CA / fusion",
    }
    assert set(met["protocol"]) == {"gold_rescaled"}
    assert set(met["partition"]) == {"validation"}
    inside = met["theirs"].between(met["low"], met["high"])
    assert (inside == met["verdict"].eq("inside interval")).all()


def test_the_printed_table_marks_kind_and_verdict(tables):
    text = (tables / "published.md").read_text()
    (line,) = re.findall(r"\| I3D \+ cross-attention \(CA\) .* valence .*", text)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[4:6] == ["0.685", "printed"]
    assert re.fullmatch(r"0\.\d{3} \[.*\]", cells[6])
    assert "audio_missing 0.9" in text
    assert (tables / "published.tex").read_text().count(r"\begin{table}") == 1


def test_where_no_number_is_on_the_corpora_the_page_says_so_once_and_lists_none(tmp_path):
    rows = [_number(corpus="affwild2"), _number(corpus="recola"), _number(corpus="recola")]
    write_csv(tmp_path / "tables" / "published.csv", pd.DataFrame(rows))
    here = papers(_study("demo", "data/demo"), Layout(tmp_path))["published"]
    assert (here["header"], here["compared"], here["absent"], here["others"]) == ("", [], [], 3)
    assert here["elsewhere"] == "recola (2), affwild2 (1)"
    there = papers(_study("recola", "no/recola"), Layout(tmp_path))["published"]
    assert "3 published numbers" in there["header"]
    assert (len(there["absent"]), there["others"]) == (2, 1)
    assert there["absent"][0]["cells"][4].endswith("†")


def _study(corpus: str, root: str) -> Study:
    return Study(corpora={corpus: {"root": root}}, fusions={"ca": {}})


def _number(corpus: str) -> dict:
    return {"paper": "p", "corpus": corpus, "partition": "test", "method": "CA", "metric": "ccc",
            "unit": "1", "target": "valence", "kind": "digitised", "source": "s", "note": "",
            "corruption": "", "fusion": "ca", "protocol": "pooled", "protocol_known": True,
            "theirs": 0.5, "spread": np.nan, "level": np.nan, "ours": np.nan, "low": np.nan,
            "high": np.nan, "difference": np.nan, "verdict": "not run", "why": "w",
            "ours_partition": "test"}  # fmt: skip
