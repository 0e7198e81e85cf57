"""A finished study read back: the numbers are those of its report, and what is missing is named."""

import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import avfusion
from avfusion.errors import AvfError
from avfusion.evaluation.score import score_corpus
from avfusion.io.atomic import write_text
from avfusion.layout import Layout
from avfusion.report.tables.write import write_tables
from support.scratch import ROOT
from support.synthetic_results import Plan, write_results

ERRORS = {"audio": 0.45, "video": 0.30, "concat": 0.15, "jca": 0.15}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Results of a study in which concat and jca are equally good; one run was never made."""
    layout = Layout(tmp_path_factory.mktemp("results"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        study = write_results(layout, Plan(errors=ERRORS, seeds=(0, 1)))
        statistics = study.statistics.model_copy(update={"draws": 1000})
        study = study.model_copy(update={"statistics": statistics})
        shutil.rmtree(layout.run("demo", "jca", 1))
        score_corpus("demo", study.score_settings("demo"), layout)
        write_tables(study, layout)
    return layout.results


@pytest.fixture(scope="module")
def study(folder):
    return avfusion.load_study(folder)


def table(folder, name):
    return pd.read_csv(folder / "tables" / f"{name}.csv")


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import avfusion, sys; print([m for m in ('torch', 'pandas', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_exists_and_is_no_module_by_accident():
    """A name that is also a subpackage would turn into that module once something imports it."""
    for name in avfusion.__all__:
        value = getattr(avfusion, name)
        home = avfusion.__name__ + "." + name
        inside = (ROOT / "src/avfusion" / name).is_dir()
        assert inside == (getattr(value, "__name__", "") == home), name
    assert set(dir(avfusion)) == set(avfusion.__all__)
    with pytest.raises(
        AttributeError, match=r"has no attribute 'load_studies'. It has: .*load_study"
    ):
        avfusion.load_studies  # noqa: B018


def test_the_names_and_corpora_are_those_of_the_study(study):
    assert study.corpora == ["demo"]
    assert study.fusions == list(ERRORS)
    assert repr(study).endswith("demo; fusions audio, video, concat, jca>")


def test_comparisons_are_the_rows_of_the_report(study, folder, tmp_path):
    path = tmp_path / "comparisons.csv"
    study.comparisons().to_csv(path, index=False, float_format="%.6f")
    pd.testing.assert_frame_equal(pd.read_csv(path), table(folder, "comparisons"))


def test_estimates_are_the_rows_of_the_report(study, folder):
    rows = table(folder, "scores")
    for protocol in rows["protocol"].unique():
        expected = rows[rows["protocol"] == protocol].reset_index(drop=True)
        ours = study.estimates(None if protocol == "pooled" else protocol)
        assert list(ours["fusion"]) == list(expected["fusion"])
        numbers = ["mean", "sd", "low", "high"]
        np.testing.assert_allclose(ours[numbers], expected[numbers], atol=1e-6)


def test_a_comparison_is_a_row_of_the_report_in_either_direction(study, folder):
    rows = table(folder, "comparisons")
    checked = set()
    for row in rows.itertuples():
        one = study.compare(row.fusion, row.other, target=row.target)
        if one.family != row.family:
            assert not one.exploratory, "a declared comparison comes before the same pair"
            continue
        checked.add(row.family)
        for name in ("difference", "low", "high", "p", "p_holm", "p_better"):
            assert getattr(one, name) == pytest.approx(getattr(row, name), abs=1e-6)
        assert (one.decision, one.significant, str(one)) == (
            row.decision, row.significant, row.verdict,
        )  # fmt: skip
        back = study.compare(row.other, row.fusion, "demo", row.target)
        assert (back.a, back.b) == (row.other, row.fusion)
        assert (back.difference, back.low, back.high) == (-one.difference, -one.high, -one.low)
        assert (back.p_worse, back.p_better, back.p) == (one.p_better, one.p_worse, one.p)
    assert checked == {"baselines", "pairs", "references"}


def test_the_other_direction_has_the_opposite_decision_and_names_the_same_winner(study):
    rows = study.comparisons()
    kinds = {"better": "worse", "undecided": "undecided"}
    for decision, opposite in kinds.items():
        row = rows[rows["decision"] == decision].iloc[0]
        one = study.compare(row["fusion"], row["other"], target=row["target"])
        other = study.compare(row["other"], row["fusion"], target=row["target"])
        assert (one.decision, other.decision) == (decision, opposite)
        if decision == "undecided":
            words = "No significant difference between {} and {}:".format
            assert one.sentence.startswith(words(one.a, one.b))
            assert other.sentence.startswith(words(other.a, other.b))
        else:
            assert one.sentence == other.sentence


def test_scores_are_those_of_every_run_and_say_why_one_is_missing(study):
    rows = study.scores()
    assert {"corpus", "fusion", "seed", "protocol", "partition", "target", "ccc"} <= set(rows)
    lost = rows[(rows["fusion"] == "jca") & (rows["seed"] == 1)]
    assert lost["ccc"].isna().all()
    assert lost["note"].str.contains("not run").all()


def test_traces_have_the_gold_that_was_given_a_delay_later(study):
    traces = study.traces(fusion="concat", seed=0)
    assert set(traces["partition"]) == {"test"}
    rated = pd.read_parquet(study.layout.gold("demo"))
    for target, delay_s in {"valence": 0.8, "arousal": 1.2}.items():
        ours = traces[f"gold_{target}"]
        assert 0.7 < ours.notna().mean() < 1, "one stretch of each video is unrated"
        for video, rows in traces.groupby("video"):
            gold = rated[rated["video"] == video].dropna()
            expected = np.interp(rows["time_s"] + delay_s, gold["time_s"], gold[target])
            known = rows[f"gold_{target}"].notna()
            given = rows.loc[known, f"gold_{target}"]
            np.testing.assert_allclose(given, expected[known], atol=1e-5)
        assert avfusion.metrics.ccc(traces[f"predicted_{target}"], ours) > 0.7


def test_traces_of_several_runs_and_a_run_that_is_missing(study):
    with pytest.warns(UserWarning, match=r"no predictions of 1 runs: jca seed 1 \(not run"):
        every = study.traces(partition=None, gold=False)
    runs = set(zip(every["fusion"], every["seed"], strict=True))
    assert runs == {(name, seed) for name in ERRORS for seed in (0, 1)} - {("jca", 1)}
    assert set(every["partition"]) == {"train", "validation", "test"}
    assert not [name for name in every if name.startswith("gold")]
    with pytest.raises(AvfError, match=r"jca seed 1 .not run.*Run: snakemake all"):
        study.traces("demo", ["jca"], [1])


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda s: s.compare("cja", "audio"), r"no fusion 'cja'. Did you mean 'jca'"),
        (lambda s: s.compare("jca", "audio", target="mood"), r"no target 'mood'.*valence, arousal"),
        (lambda s: s.compare("jca", "audio", "recola"), r"no corpus 'recola'.*demo"),
        (lambda s: s.compare("average", "stack"), "average and stack are not compared"),
        (lambda s: s.traces(seed=7), r"no seed '7'.*0, 1"),
        (lambda s: s.traces(partition="dev"), "no partition 'dev'"),
        (lambda s: s.estimates("polled"), r"no protocol 'polled'. Did you mean 'pooled'"),
    ],
)
def test_an_unknown_name_is_named_with_what_there_is(study, ask, message):
    with pytest.raises(AvfError, match=message):
        ask(study)


def test_several_corpora_need_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    layout = Layout(tmp_path)
    small = {"errors": {"audio": 0.4, "video": 0.2}, "seeds": (0,),
             "videos": {"train": 2, "validation": 2, "test": 3}, "failed": ()}  # fmt: skip
    first, second = (write_results(layout, Plan(corpus=name, **small)) for name in ("one", "two"))
    study = first.model_copy(update={"corpora": first.corpora | second.corpora})
    for corpus in study.corpora:
        score_corpus(corpus, study.score_settings(corpus), layout)
    write_tables(study, layout)
    results = avfusion.load_study(tmp_path)
    assert set(results.estimates()["corpus"]) == {"one", "two"}
    with pytest.raises(AvfError, match=r"Several corpora are scored. Pass `corpus`: one, two"):
        results.compare("audio", "video")
    assert results.compare("video", "audio", "two").difference > 0


def test_what_is_missing_is_named(folder, tmp_path):
    with pytest.raises(AvfError, match=r"no such folder.*`make demo`"):
        avfusion.load_study(tmp_path / "nowhere")
    (tmp_path / "figures").mkdir()
    with pytest.raises(
        AvfError, match=r"no tables/provenance.json. Found: figures. Run `snakemake"
    ):
        avfusion.load_study(tmp_path)
    settings = tmp_path / "settings" / "report"
    document = avfusion.load_study(folder).study.model_dump_json()
    write_text(settings / "study.aaaa.json", document)
    with pytest.raises(AvfError, match=r"no corpus is scored.*demo.*Run: snakemake all"):
        avfusion.load_study(tmp_path)
    write_text(settings / "study.bbbb.json", document)
    with pytest.raises(AvfError, match=r"Found: 2 files settings/report/study"):
        avfusion.load_study(tmp_path)


def test_the_settings_can_come_from_a_config(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = tmp_path / "study.yaml"
    config.write_text(
        "corpora: {demo: {root: data/demo}}\nfusions: {video: {}, audio: {}}\nseeds: [0]\n"
    )
    study = avfusion.load_study(folder, config)
    assert study.fusions == ["video", "audio", "ridge"]
    assert study.compare("video", "audio").seeds == 1
