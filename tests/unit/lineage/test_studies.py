"""Two studies side by side: what a change of one fusion, of videos or of settings leads to."""

import json
import shutil

import pandas as pd
import pytest

from avfusion.cli import main
from avfusion.config.sections import StatisticsSettings
from avfusion.errors import AvfError
from avfusion.evaluation.score import score_corpus
from avfusion.io.stamped import write_sealed
from avfusion.layout import Layout
from avfusion.lineage.studies import Side, compare, settings
from avfusion.lineage.tables import write_origins
from support.scratch import ROOT
from support.synthetic_results import Plan, rewrite_traces, write_results

ERRORS = {"audio": 0.5, "concat": 0.2, "jca": 0.3}
PLAN = Plan(errors=ERRORS, seeds=(0, 1), videos={"train": 2, "validation": 3, "test": 12})


def scored(layout, study):
    score_corpus("demo", study.score_settings("demo"), layout)
    write_origins(study, layout)
    return Side(study, layout)


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    """A study, and its copy with a worse jca, a better audio, and no concat of seed 1."""
    folder = tmp_path_factory.mktemp("studies")
    first = Layout(folder / "a")
    study = write_results(first, PLAN)
    study = study.model_copy(
        update={"protocols": ["pooled"], "statistics": StatisticsSettings(draws=400)}
    )
    shutil.copytree(folder / "a", folder / "b")
    second = Layout(folder / "b")
    gold = pd.read_parquet(first.gold("demo"))
    for seed in study.seeds:
        rewrite_traces(second.run("demo", "jca", seed) / "traces.parquet", _noisy)
        rewrite_traces(
            second.run("demo", "audio", seed) / "traces.parquet", lambda t: _towards(t, gold)
        )
    changed = study.model_copy(update={"train": study.train.model_copy(update={"lr": 0.5})})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # protocols are in config/
        return scored(first, study), scored(second, changed)


def _noisy(table):
    """Predictions of another video each: nothing of the gold standard is left."""
    columns = ["valence", "arousal"]
    return table.assign(**{name: -table[name] for name in columns})


def _towards(table, gold):
    """Predictions that are nearly the gold standard at the same time."""
    merged = pd.merge_asof(
        table.assign(row=range(len(table))).sort_values("time_s"),
        gold.assign(time_s=gold["time_s"] - 1.0).sort_values("time_s"),
        on="time_s", by="video", direction="nearest", suffixes=("", "_gold"),
    ).sort_values("row")  # fmt: skip
    near = {
        name: merged[f"{name}_gold"].fillna(merged[name]).to_numpy()
        for name in ("valence", "arousal")
    }
    return table.assign(**near)


def test_each_fusion_has_the_decision_that_was_planted(sides):
    table = compare(*sides)
    of = table[table["target"] == "mean"].set_index("fusion")
    assert of["decision"][["concat", "jca", "audio"]].to_dict() == {
        "concat": "same",
        "jca": "worse",
        "audio": "better",
    }
    assert of.loc["concat", "difference"] == 0
    assert of.loc["jca", "b"] - of.loc["jca", "a"] == pytest.approx(of.loc["jca", "difference"])
    assert of.loc["jca", "high"] < 0 < of.loc["audio", "low"]
    assert (of["videos"] == 11).all(), "one of 12 cannot be read"


def test_turned_round_the_decisions_are_opposite(sides):
    forth, back = compare(*sides), compare(*sides[::-1])
    opposite = {"better": "worse", "worse": "better"}
    keys = ["protocol", "fusion", "target"]
    forth, back = forth.set_index(keys), back.set_index(keys)
    turned = back["decision"].map(lambda word: opposite.get(word, word))
    assert forth["decision"].to_dict() == turned.to_dict()


def test_settings_that_differ_are_listed_and_no_others(sides):
    table = settings(*sides)
    assert table["setting"].tolist() == ["train.lr"]
    assert settings(sides[0], sides[0]).empty


def test_another_machine_of_the_runs_is_listed(sides, tmp_path):
    folder = tmp_path / "there"
    shutil.copytree(sides[0].layout.results, folder)
    for path in folder.glob("runs/demo/*/seed*/settings.json"):
        record = json.loads(path.read_text())
        record["machine"] = {**record["machine"], "isa": "other", "slurm_job": "7"}
        write_sealed(path, record)
    table = settings(sides[0], Side(sides[0].study, Layout(folder)))
    assert table.set_index("setting")["b"].to_dict() == {"machine of demo: isa": "other"}


def test_what_only_one_study_has_is_named(sides):
    first, second = sides
    fewer = second.study.model_copy(
        update={"fusions": {"concat": {}, "audio": {}}, "seeds": [5], "protocols": ["pooled"]}
    )
    table = compare(first, Side(fewer, second.layout))
    notes = set(table.loc[table["decision"] == "not compared", "note"])
    assert "only in A" in notes
    other = second.study.model_copy(update={"corpora": {"elsewhere": next(iter(
        second.study.corpora.values()))}})  # fmt: skip
    with pytest.raises(AvfError, match="no corpus in common"):
        compare(first, Side(other, second.layout))


@pytest.fixture(scope="module")
def rated_again(sides, tmp_path_factory):
    """The first study, and its copies with another gold standard of two test videos, and of all."""
    first, made = sides[0], []
    gold = pd.read_parquet(first.layout.gold("demo"))
    manifest = pd.read_parquet(first.layout.manifest("demo"))
    tested = manifest.loc[manifest["partition"] == "test", "video"].tolist()
    for count in (2, len(tested)):
        there = Layout(tmp_path_factory.mktemp("rated") / "again")
        shutil.copytree(first.layout.results, there.results)
        changed = gold["video"].isin(tested[:count])
        shifted = gold["valence"].where(~changed, gold["valence"] * 0.9)
        gold.assign(valence=shifted).to_parquet(there.gold("demo"), index=False)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(ROOT)
            made.append(scored(there, first.study))
    return made


def test_videos_with_another_gold_standard_are_left_out_and_counted(sides, rated_again):
    for pair in ((sides[0], rated_again[0]), (rated_again[0], sides[0])):
        table = compare(*pair)
        assert set(table["decision"]) == {"same"}, "on the other videos, nothing differs"
        assert set(table["videos"]) == {9}, "one of 12 cannot be read"
        assert set(table["note"]) == {"2 videos are left out: their gold standard differs"}


def test_studies_without_a_video_of_the_same_gold_standard_are_not_compared(sides, rated_again):
    (row,) = compare(sides[0], rated_again[1]).to_dict("records")
    assert row["decision"] == "not compared"
    assert row["note"] == ("no video that both have scored by the same gold standard; 11 differ")


def test_a_comparison_with_an_unfinished_study_says_so_in_each_form(sides, tmp_path, capsys):
    second = Layout(tmp_path / "provisional")
    shutil.copytree(sides[1].layout.results, second.results)
    write_origins(sides[1].study, second, stamp="PROVISIONAL, 3 of 6 runs")
    folders = [str(sides[0].layout.results), str(second.results)]
    assert main(["compare", *folders, "--out", str(tmp_path / "both.csv")]) == 0
    assert f"B: {second.results} (PROVISIONAL, 3 of 6 runs)" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "both.csv")
    assert set(table["provisional_b"]) == {"PROVISIONAL, 3 of 6 runs"}
    assert "provisional_a" not in table


def test_the_command_prints_both_tables_and_writes_them(sides, tmp_path, capsys):
    folders = [str(side.layout.results) for side in sides]
    assert main(["compare", *folders, "--out", str(tmp_path / "both.md")]) == 0
    printed = capsys.readouterr().out
    assert "| demo" in printed
    assert "train.lr" in printed
    assert (tmp_path / "both.md").read_text().strip() == printed.strip()
    assert main(["compare", *folders, "--out", str(tmp_path / "both.csv")]) == 0
    table = pd.read_csv(tmp_path / "both.csv")
    assert {"same", "worse", "better"} <= set(table["decision"])
    assert main(["compare", *folders, "--out", str(tmp_path / "both.pdf")]) == 1


def test_a_study_without_scores_is_named_with_the_command_that_scores_it(sides, tmp_path):
    first, other = sides[0], Layout(tmp_path / "my study")
    shutil.copytree(first.layout.results, other.results)
    shutil.rmtree(other.scores("demo"))
    (note,) = compare(first, Side(first.study, other))["note"]
    assert note.startswith("not scored in B; run")
    assert note.endswith(f"avf score demo --results '{other.results}' --config FILE")
