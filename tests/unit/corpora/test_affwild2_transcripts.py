"""Aff-Wild2's transcripts: a folder of the laboratory, matched by trial or raw video."""

import pandas as pd
import pytest

from avfusion.corpora.affwild2.tree import raw_name
from avfusion.layout import Layout
from support.miniatures import affwild2 as mini
from support.miniatures import verify

GIVEN = mini.OPTIONS | {"faces": "official", "transcripts": "said"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("affwild2") / "tree"
    mini.build(root)
    return root


def test_none_is_a_fault_some_are_a_warning_and_all_pass(tree, tmp_path):
    names = {trial.name for trial in mini.TRIALS}
    for file, verdict in ((None, "FAIL"), (sorted(names)[0], "WARN"), ("all", "PASS")):
        for name in names if file == "all" else {file} - {None}:
            (tree / "said").mkdir(exist_ok=True)
            (tree / "said" / f"{name}.csv").write_text("word,start_s,end_s\noui,0.1,0.3\n")
        code, checks = verify("affwild2", tree, GIVEN, tmp_path / "results")
        assert checks.loc["transcribed trials", "verdict"] == verdict
        assert bool(code) == (verdict == "FAIL")
    table = pd.read_parquet(Layout(tmp_path / "results").manifest("affwild2"))
    assert dict(zip(table["video"], table["transcript"], strict=True)) == {
        name: f"said/{name}.csv" for name in names
    }


def test_one_of_a_raw_video_serves_both_of_its_persons(tree, tmp_path):
    both = sorted(t.name for t in mini.TRIALS if raw_name(t.name) == "105")
    assert len(both) == 2
    (tree / "heard").mkdir()
    (tree / "heard/105.csv").write_text("word,start_s,end_s\n")
    verify("affwild2", tree, GIVEN | {"transcripts": "heard"}, tmp_path)
    table = pd.read_parquet(Layout(tmp_path).manifest("affwild2")).set_index("video")
    assert set(table["transcript"].dropna().index) == set(both)
    assert set(table.loc[both, "transcript"]) == {"heard/105.csv"}


def test_without_the_option_nothing_is_asked_for(tree, tmp_path):
    _, checks = verify("affwild2", tree, mini.OPTIONS | {"faces": "official"}, tmp_path)
    assert "transcribed trials" not in checks.index
