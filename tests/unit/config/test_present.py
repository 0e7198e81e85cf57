"""Corpora that may be absent: a study holds them where they lie, and says why where they do not."""

import json

import pandas as pd
import pytest

from avfusion.config.availability import Absence, absences, holds_files, not_here
from avfusion.config.load import load
from avfusion.config.study import Study
from avfusion.doctor import machine
from avfusion.errors import ConfigError
from avfusion.evaluation.score import score_corpus
from avfusion.layout import Layout
from avfusion.report.figures.write import write_figures
from avfusion.report.page.write import render
from avfusion.report.tables.write import write_tables
from support.miniatures import recola
from support.scratch import ROOT
from support.synthetic_results import Plan, write_results

FOLDS = {
    f"fold{i}": {"is": "iemocap", "root": "no/iemocap", "if_present": True, "task": "classes"}
    for i in (1, 2, 3)
}
OFFICIAL = {"split": "official"}
GONE = {"recola": {"root": "no/recola", "if_present": True, "options": OFFICIAL}, **FOLDS}


def study(corpora: dict, **more) -> Study:
    return Study(corpora=corpora, fusions={"concat": {}}, **more)


@pytest.mark.slow
def test_a_graph_holds_a_corpus_where_it_lies_and_the_generated_one_everywhere(copy):
    paper, demo = (f"config/experiments/{name}.yaml" for name in ("fg2021_ca", "with_demo"))
    file = ("--configfile", paper, demo)
    own = load(ROOT / paper)
    said = copy.snakemake("-n", "--configfile", paper, "--", "all", good=False)
    assert "None of the study's corpora is present." in said
    assert f"--configfile {paper} {demo}" in said
    runs = len(own.fusions)  # one job trains all seeds
    (copy.folder / "data/recola").mkdir(parents=True)
    (copy.folder / "data/recola/.DS_Store").touch()
    said = copy.snakemake("-n", *file, "--", "all")
    assert said.count("recola: not run, nothing at data/recola (`avf obtain recola`)") == 1
    assert said.count("fatigue: not run, nothing at data/fatigue (`avf obtain fatigue`)") == 1
    assert "results/experiments/fg2021_ca/runs/recola" not in said
    assert "figures/recola" not in said
    assert copy.jobs("all", file)["train"] == runs
    recola.build(copy.folder / "data/recola")
    assert copy.jobs("all", file)["train"] == 2 * runs


@pytest.mark.slow
def test_without_the_mark_an_absent_corpus_is_an_error_that_names_it(copy):
    copy.edit("config/config.yaml", "corpora:\n", "corpora:\n  recola: {root: data/far}\n")
    said = copy.snakemake("-n", "all", good=False)
    assert "recola: nothing at data/far (`avf obtain recola`)." in said
    assert "write `if_present: true` into its entry" in said
    copy.edit("config/config.yaml", "data/far}", "data/far, if_present: true}")
    assert "recola: not run, nothing at data/far" in copy.snakemake("-n", "all")
    said = copy.snakemake("-n", "results/manifest/recola/manifest.parquet", good=False)
    assert "recola: nothing at data/far" in said


def test_a_folder_of_hidden_files_holds_nothing(tmp_path):
    assert not holds_files(tmp_path / "no")
    (tmp_path / ".DS_Store").touch()
    assert not holds_files(tmp_path)
    (tmp_path / "a.mp4").touch()
    assert holds_files(tmp_path)


def test_a_corpus_that_was_verified_counts_as_here_while_its_folder_is_away(tmp_path):
    own, layout = study({"demo": {"root": "no"}, **GONE}), Layout(tmp_path)
    assert set(not_here(own, layout)) == set(GONE)
    layout.manifest("recola").parent.mkdir(parents=True)
    layout.manifest("recola").touch()
    assert set(not_here(own, layout)) == set(FOLDS)


def test_entries_of_one_absent_folder_are_said_once(tmp_path):
    own = study(GONE)
    found = absences(["recola", *FOLDS], own, Layout(tmp_path))
    assert [one.title for one in found] == ["recola", "fold1 … fold3"]
    assert found[1].why == "nothing at no/iemocap (`avf obtain iemocap`)"
    assert Absence(("a", "b"), "").title == "a and b"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A scored study of which four entries are not here: its settings and folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        layout = Layout(tmp_path_factory.mktemp("report"))
        own = write_results(layout, Plan(seconds=8))
        own = own.model_copy(
            update={
                "corpora": own.corpora | study(GONE).corpora,
                "statistics": own.statistics.model_copy(update={"draws": 200}),
            }
        )
        score_corpus("demo", own.score_settings("demo"), layout)
        write_tables(own, layout)
        write_figures(own, layout)
        yield own, layout, render(own, layout)


def test_every_table_says_that_it_was_not_run_and_why(report):
    _, layout, _ = report
    claims = pd.read_csv(layout.tables / "claims.csv")
    scores = pd.read_csv(layout.tables / "scores.csv")
    for name, kind in {"recola": "recola", **dict.fromkeys(FOLDS, "iemocap")}.items():
        why = f"nothing at no/{kind} (`avf obtain {kind}`)"
        own = claims[claims["corpus"] == name]
        assert len(own) == claims["claim"].nunique()
        assert set(own["verdict"]) == {"not run"}
        assert set(own["missing"]) == {why}
        assert set(scores.loc[scores["corpus"] == name, "note"]) == {"not run"}
    for table in ("scores.md", "comparisons.md", "protocols.md"):
        text = (layout.tables / table).read_text()
        assert "## recola" in text
        assert "Not run: nothing at no/iemocap (`avf obtain iemocap`)." in text
        assert "## fold1 … fold3" in text
        assert "## fold2" not in text
    said = json.loads((layout.tables / "summary.json").read_text())["sentences"]
    assert sum("no/iemocap" in sentence for sentence in said) == 1


def test_published_numbers_name_the_corpus_that_is_missing(report):
    _, layout, _ = report
    table = pd.read_csv(layout.tables / "published.csv")
    ours = table[table["fusion"].notna() & table["verdict"].eq("not run")]
    recola = set(ours.loc[ours["corpus"] == "recola", "why"])
    assert recola == {"recola: nothing at no/recola (`avf obtain recola`)"}
    assert set(ours.loc[ours["corpus"] == "affwild2", "why"]) == {
        "corpus affwild2 is not in the study"
    }


def test_the_page_says_it_once_and_shows_no_empty_figure(report):
    _, layout, page = report
    assert page.count("fold1 … fold3: not run, nothing at no/iemocap") == 1
    assert '<section class="corpus" id="corpus-2"' not in page
    assert not list(layout.figures.glob("recola_*")) + list(layout.figures.glob("fold*"))
    assert list(layout.figures.glob("demo_ccc.*"))


def test_no_table_names_a_folder_of_this_machine(report, tmp_path):
    own, layout, _ = report
    far = own.corpora["recola"].model_copy(update={"root": "/secret/place/recola"})
    own = own.model_copy(update={"corpora": own.corpora | {"recola": far}})
    write_tables(own, layout)
    texts = {p.name: p.read_text() for p in layout.tables.iterdir() if p.suffix != ".json"}
    assert not [name for name, text in texts.items() if "/secret" in text]
    assert "nothing at …/recola" in texts["claims.md"]


def test_training_settings_of_a_corpus_hold_there_alone_and_a_fusions_own_come_first():
    base = {"concat": {}, "lstm": {"train": {"lr": 0.5}}}
    corpora = {"demo": {"root": "d"}, "recola": {"root": "r", "train": {"baseline": "none"}}}
    own = Study(corpora=corpora, fusions=base)
    plain = Study(corpora={"demo": {"root": "d"}, "recola": {"root": "r"}}, fusions=base)
    assert own.run_settings("recola", "concat", 0).train.baseline == "none"
    assert own.run_settings("demo", "concat", 0) == plain.run_settings("demo", "concat", 0)
    both = own.model_copy(update={"corpora": own.corpora | {
        "recola": own.corpora["recola"].model_copy(update={"train": {"lr": 0.1}})}})  # fmt: skip
    assert both.run_settings("recola", "lstm", 0).train.lr == 0.5
    assert both.run_settings("recola", "concat", 0).train.lr == 0.1


def test_all_keys_of_a_corpus_are_written():
    assert set(study({"demo": {"root": "d"}}).model_dump()["corpora"]["demo"]) == {
        "is", "root", "task", "group", "shards", "if_present", "download", "face", "train",
        "outside_links", "options",
    }  # fmt: skip


def test_wrong_training_settings_of_a_corpus_are_refused():
    with pytest.raises(ConfigError, match=r"corpora\.demo\.train.*basline.*baseline"):
        load({"corpora": {"demo": {"root": "d", "train": {"basline": "none"}}},
              "fusions": {"concat": {}}})  # fmt: skip


def test_the_doctor_says_which_corpora_are_here(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here/a.mp4").touch()
    file = tmp_path / "study.yaml"
    file.write_text(json.dumps({
        "results": str(tmp_path / "results"),
        "corpora": {
            "fatigue": {"root": str(tmp_path / "here"), "if_present": True},
            "recola": {"root": str(tmp_path / "no"), "if_present": True},
            "affwild2": {"root": str(tmp_path / "no"), "options": {"edition": "abaw6"}},
        },
        "fusions": {"concat": {}},
    }))  # fmt: skip
    found = [f for f in machine.examine(file) if f.what == "corpus"]
    assert [f.verdict for f in found] == ["OK", "WARN", "MISSING"]
    assert "fatigue: at" in found[0].text
    assert "recola: nothing at" in found[1].text
    assert "left out; tables say not run" in found[1].text
    assert found[2].remedy.endswith(f"or set corpora.affwild2.root in {file}")
