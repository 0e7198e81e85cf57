"""Test that a cell leads to its runs, files and commands, and that a repeated run is compared."""

import json
import shlex
import subprocess
import sys

import pandas as pd
import pytest

from avfusion.cli import main
from avfusion.config.grid import at_point, points
from avfusion.config.jobs import EncoderSettings
from avfusion.config.sections import (
    CorpusEntry,
    FeatureSettings,
    SignalSettings,
    StatisticsSettings,
)
from avfusion.config.study import Study
from avfusion.errors import AvfError, TrainError
from avfusion.evaluation.score import score_corpus
from avfusion.io.stamped import read_stamped, write_sealed, write_stamped
from avfusion.layout import Layout
from avfusion.lineage import commands
from avfusion.lineage.tables import read_origins, write_origins
from avfusion.lineage.trace import trace
from avfusion.report.page import origin
from avfusion.report.tables.write import write_tables
from avfusion.runs.files import run_folder
from avfusion.runs.repeat import repeat
from avfusion.runs.train import train_run
from support.synthetic_features import Plan, write_inputs

PLAN = Plan(videos={"train": 3, "validation": 2, "test": 3}, duration_s=12.0)
STUDY = Study(
    corpora={"toy": CorpusEntry(root="data/toy")},
    fusions={"concat": {}, "video": {}},
    features=FeatureSettings(audio=["ear"], video=["eye"]),
    seeds=[0, 1],
    train={"epochs": 2},
    protocols=["pooled"],
    statistics=StatisticsSettings(draws=200),
)


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Layout:
    """A finished study: four runs, scores and tables; read by the tests, not changed."""
    layout = Layout(tmp_path_factory.mktemp("study") / "results")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(__file__.rpartition("/tests/")[0])
        write_inputs(layout, PLAN)
        for fusion in STUDY.fusions:
            for seed in STUDY.seeds:
                train_run(STUDY.run_settings("toy", fusion, seed), layout)
        score_corpus("toy", STUDY.score_settings("toy"), layout)
        write_tables(STUDY, layout)
    return layout


@pytest.fixture(autouse=True)
def known_encoders(monkeypatch, project):
    """`ear` and `eye` are no entries; their commands need only exist."""
    monkeypatch.chdir(project)
    monkeypatch.setattr("avfusion.registry.Registry.constant", lambda *_: None)

    def settings(self, name, corpus=""):
        return EncoderSettings(
            encoder=name, class_=name, windows=self.windows, media=SignalSettings(), code=""
        )

    monkeypatch.setattr(Study, "encoder_settings", settings)


def states(found) -> set[str]:
    every = [*found["files"].values(), *(s for r in found["runs"] for s in r["files"].values())]
    return {found["table"]["state"], *every} - {"absent"}


def test_a_row_leads_to_every_seed_and_their_mean_is_the_cell(done):
    found = trace(done.tables / "scores.csv", 1, "mean")
    name = found["row"]["fusion"]
    folders = [done.run("toy", name, seed) for seed in STUDY.seeds]
    assert [run["folder"] for run in found["runs"]] == [str(folder) for folder in folders]
    each = [row["ccc"] for row in found["seeds"]]
    assert sum(each) / len(each) == pytest.approx(found["cell"]["value"], abs=1e-6)
    assert states(found) == {"as recorded"}
    own = json.loads((folders[0] / "settings.json").read_text())
    assert found["runs"][0]["data_hash"] == own["data_hash"]
    assert found["runs"][0]["settings_hash"] == own["run"]
    assert found["runs"][0]["features"] == own["predicted"]


def test_a_row_of_one_seed_or_of_a_pair_leads_to_those_runs(done):
    one = trace(done.tables / "runs.csv", 1)
    assert [run["folder"] for run in one["runs"]] == [str(done.run("toy", "concat", 0))]
    pair = trace(done.tables / "comparisons.csv", 1)
    assert len(pair["runs"]) == 4


def test_the_train_command_makes_the_run_again(done, tmp_path):
    """The printed line, run as printed, gives the same predictions."""
    found = trace(done.tables / "runs.csv", 1)
    (line,) = [command for command in found["commands"] if command.startswith("avf train")]
    other = Layout(tmp_path / "results")
    write_inputs(other, PLAN)
    words, document = line.split(" <<< ")
    words = shlex.split(words)[1:]
    words[words.index("--results") + 1] = str(other.results)
    again = f"{sys.executable} -m avfusion.cli {shlex.join(words)} <<< {document}"
    subprocess.run(["bash", "-c", again], check=True)
    names = "traces.parquet", "best.safetensors"
    first, again = (
        [(at.run("toy", "concat", 0) / name).read_bytes() for name in names] for at in (done, other)
    )
    assert first == again


def test_where_a_corpus_lies_on_this_machine_is_in_no_record(done, capsys):
    path, record = done.tables / "scores.csv", done.tables / "provenance.json"
    kept, entry = record.read_bytes(), CorpusEntry(root="/disks/ann/licensed/toy")
    write_origins(STUDY.model_copy(update={"corpora": {"toy": entry}}), done)
    try:
        assert "ann" not in record.read_text()
        assert main(["trace", str(path), "--row", "1"]) == 0
        said = capsys.readouterr().out
    finally:
        record.write_bytes(kept)
    assert '"root": "…/toy"' in said
    assert "put your own" in said


@pytest.mark.parametrize("name", ["tables/scores.csv", "runs/toy/video/seed0/epochs.csv"])
def test_what_changed_since_is_stale_and_the_command_says_so(done, capsys, name):
    path, harmed = done.tables / "scores.csv", done.results / name
    row = 1 + pd.read_csv(path)["fusion"].tolist().index("video")
    kept = harmed.read_bytes()
    harmed.write_bytes(kept + b"\n")
    assert main(["trace", str(path), "--row", str(row)]) == 1
    assert "STALE" in capsys.readouterr().out
    harmed.write_bytes(kept)
    assert main(["trace", str(path), "--row", str(row)]) == 0
    assert states(trace(path, row)) == {"as recorded"}


def test_what_all_runs_share_is_said_once_and_the_rest_beside_each(done, capsys):
    assert main(["trace", str(done.tables / "scores.csv"), "--row", "1", "--column", "mean"]) == 0
    printed = capsys.readouterr().out
    first, *runs = printed.split("\nrun ")
    assert "all 2 runs" in first
    for said in ("settings.train", "data_hash", "machine"):
        assert printed.count(f"  {said}: ") == 1
        assert f"  {said}: " in first
    for seed, part in enumerate(runs):
        assert f"  settings.seed: {seed}\n" in part
        assert "weights_sha256" in part
    assert "absent" not in printed, "the study asks for no corruption"
    assert printed.rstrip().endswith("seed0"), "and how one of them is repeated"


def test_what_is_not_there_is_refused_with_what_is(done):
    with pytest.raises(AvfError, match="has rows 1 to"):
        trace(done.tables / "scores.csv", 10_000)
    with pytest.raises(AvfError, match=r"scores\.csv.*avf report"):
        trace(done.tables / "none.csv", 1)
    with pytest.raises(AvfError, match="no column 'men'"):
        trace(done.tables / "scores.csv", 1, "men")


def test_provenance_edited_by_hand_is_refused(done):
    path = done.tables / "provenance.json"
    kept = path.read_text()
    path.write_text(kept.replace('"draws": 200', '"draws": 900'))
    with pytest.raises(AvfError, match="edited or damaged"):
        read_origins(done)
    path.write_text(kept)


def test_a_run_repeated_is_equal_and_the_first_is_not_touched(done):
    folder = done.run("toy", "concat", 1)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    verdict = repeat(folder, done)
    assert verdict.equal
    assert verdict.lines[-1] == "EQUAL"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_run_whose_options_come_from_a_grid_has_the_code_of_its_study(done):
    """The grid names losses and corruptions that the chosen options no longer name."""
    grid = {"train.loss": ["pooled", "per_window"], "train.corrupt": [{}, {"audio_missing": 0.5}]}
    study = STUDY.model_copy(update={"grid": grid})
    at_first, *_ = points(grid)
    settings = at_point(study.run_settings("toy", "concat", 0), at_first)
    assert settings.code != STUDY.run_settings("toy", "concat", 0).code
    train_run(settings, done)
    verdict = repeat(run_folder(settings, done), done)
    assert verdict.equal
    assert f"  code: {settings.code}, unchanged since" in verdict.lines


def words(steps) -> list[str]:
    return [step.words for step in steps]


def test_the_commands_are_complete_and_in_order():
    study = STUDY.model_copy(
        update={
            "grid": {"train.lr": [0.01, 0.001]},
            "grid_seeds": [7],
            "robustness": {"audio_noise_db": [10.0], "video_missing": [0.5]},
            "encoders": {"ear": {"is": "mel_cnn"}, "eye": {"is": "face_cnn"}},
        }
    )
    lines = words(commands.steps("toy", study, "my results", [("video", 1)]))
    assert lines == [
        "avf verify toy",
        "avf media toy",
        "avf index 'my results/media/toy' --shards 1",
        "avf encode toy ear",
        "avf index 'my results/features/toy/ear' --shards 1",
        "avf encode toy eye",
        "avf index 'my results/features/toy/eye' --shards 1",
        "avf train toy video --point train.lr=0.01 --seed 7",
        "avf train toy video --point train.lr=0.001 --seed 7",
        "avf choose toy video",
        "avf train toy video --seed 1",
        "avf score toy",
        "avf corrupt toy audio_noise_db 10 ear",
        "avf corrupt toy video_missing 0.5 eye",
        "avf robust toy",
    ]
    assert words([commands.report(study)]) == ["avf report"]
    every = words(commands.steps("toy", study, "results"))
    assert [line for line in every if " --seed 0" in line] == [
        "avf train toy concat --seed 0", "avf train toy video --seed 0"
    ]  # fmt: skip
    points_of_concat = [
        step for step in commands.steps("toy", study, "r") if "--point" in step.words
    ]
    assert [step.settings().train.lr for step in points_of_concat[:2]] == [0.01, 0.001]
    demo = Study(corpora={"demo": CorpusEntry(root="data/demo")}, fusions={"ca": {}})
    assert words(commands.steps("demo", demo, "results"))[0] == "avf make-corpus demo"


def test_the_page_and_the_trace_list_the_same_commands(done):
    """Those of the trace are of the runs behind the row, and each has its settings."""
    study = STUDY.model_copy(update={"results": str(done.results)})
    page = origin.origin(study, done)["commands"]
    traced = trace(done.tables / "scores.csv", 1)
    short = [
        line.partition(" --results ")[0].partition(" --settings ")[0] for line in traced["commands"]
    ]
    trained = [line for line in page if line.startswith("avf train")]
    behind = [run["train"] for run in traced["runs"]]
    assert len(trained) == 4
    assert set(behind) < set(trained)
    assert short[-1] == "avf report --only tables"
    assert short[:-1] == [line for line in page[:-1] if line not in set(trained) - set(behind)]
    assert page[-1] == "avf report"
    assert f"avf index {done.results}/media/toy --shards 1" in page
    report = json.loads(shlex.split(traced["commands"][-1])[-1])
    assert list(report["fusions"]) == list(STUDY.fusions)


def test_other_numbers_on_the_same_kind_fail_and_on_another_are_stated(done, tmp_path):
    folder = done.run("toy", "video", 1)
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    table, origin = read_stamped(folder / "traces.parquet", "")
    write_stamped(table.assign(valence=table["valence"] + 1e-4), folder / "traces.parquet", origin)
    verdict = repeat(folder, done, tmp_path / "kept")
    assert not verdict.good
    assert any("valence: predictions differ by up to 0.0001" in line for line in verdict.lines)
    own = json.loads((folder / "settings.json").read_text())
    own["machine"]["isa"] = "other"
    write_sealed(folder / "settings.json", own)
    verdict = repeat(folder, done)
    assert verdict.good
    assert not verdict.equal
    assert "isa other" in "".join(verdict.lines)
    with pytest.raises(TrainError, match="not empty"):
        repeat(folder, done, tmp_path / "kept")
    for name, data in kept.items():
        (folder / name).write_bytes(data)
