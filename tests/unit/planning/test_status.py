"""`avf status` tells from files, locks and SLURM what is done, runs, waits, failed and is left."""

import json
import os
import sys

import pytest

from avfusion import cli
from avfusion.config.load import load
from avfusion.config.sections import CorpusEntry
from avfusion.io.atomic import locked
from avfusion.layout import Layout
from avfusion.planning.items import items
from avfusion.planning.status import locks, status

STUDY = """
results: {results}
corpora: {{demo: {{root: {root}, options: {{videos: 8, seconds: 4}}}}}}
features: {{audio: [mel_cnn], video: [face_cnn]}}
fusions: {{concat: {{}}, ca: {{grid: {{stages: [1, 2]}}}}}}
seeds: [0, 1]
encoder_seeds: [0, 3]
"""


@pytest.fixture
def made(tmp_path, project, monkeypatch):
    """A study before its first job, and its paths."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    path = tmp_path / "study.yaml"
    path.write_text(STUDY.format(results=tmp_path / "results", root=tmp_path / "demo"))
    study = load(path)
    return study, Layout(tmp_path / "results"), path


def finish(study, layout, *stages) -> None:
    """Write empty results of some stages, or of all."""
    for item in items(study, layout, ["demo"]):
        if not stages or item.stage in stages:
            item.output.parent.mkdir(parents=True, exist_ok=True)
            item.output.touch()


def rows(study, layout, folder) -> dict:
    return {row.stage: row for row in status(study, layout, folder).rows}


def write_squeue(tmp_path, code: str) -> None:
    """Write a squeue that runs some Python."""
    program = tmp_path / "bin/squeue"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!{sys.executable}\n{code}\n")
    program.chmod(0o755)


def test_before_anything_runs_everything_is_left(made, tmp_path):
    study, layout, _ = made
    found = status(study, layout, tmp_path)
    states = {row.stage: (row.done, row.left) for row in found.rows}
    assert states == {
        **{"corpus": (0, 1), "verify": (0, 1), "media": (0, 2), "fit": (0, 4), "encode": (0, 8)},
        **{"grid": (0, 2), "train": (0, 6), "score": (0, 1), "report": (0, 4)},
    }
    assert found.left_s > 10
    assert len(found.text()) < 24, "one screen"
    names = [item.name for item in items(study, layout, ["demo"])]
    assert len(names) == len(set(names))


def test_what_is_done_takes_no_more_time(made, tmp_path):
    study, layout, _ = made
    before = status(study, layout, tmp_path).left_s
    finish(study, layout, "corpus", "verify", "fit", "encode", "grid", "train")
    (layout.run("demo", "concat", 1) / "traces.parquet").unlink()
    after = status(study, layout, tmp_path)
    assert {row.stage: row.left for row in after.rows if row.left} == {
        **{"media": 2, "train": 1, "score": 1, "report": 4}
    }
    assert 0 < after.left_s < before


def test_a_locked_folder_runs_and_is_not_touched(made, tmp_path):
    study, layout, _ = made
    folder = layout.run("demo", "ca", 0)
    with locked(folder):
        assert len(locks()) > 0
        found = rows(study, layout, tmp_path)["train"]
        assert (found.running, found.failed, found.left) == (1, 0, 6)
        with pytest.raises(Exception, match="another process"), locked(folder):
            pass
    assert rows(study, layout, tmp_path)["train"].running == 0


def test_failures_say_why(made, tmp_path):
    study, layout, _ = made
    finish(study, layout, "train")
    reason = {"reason": "The loss is not finite.", "next": "Lower train.lr."}
    (layout.run("demo", "ca", 1) / "failed.json").write_text(json.dumps(reason))
    log = layout.results / "logs/media/demo.1-of-2.log"
    log.parent.mkdir(parents=True)
    log.write_text("12:00:00 reading\navf media: No space left on device.\n\n")
    found = status(study, layout, tmp_path)
    assert "not finite" in found.failures["train demo ca seed1"]
    assert "No space left" in found.failures["media demo 1/2"]
    states = {row.stage: row.failed for row in found.rows if row.failed}
    assert states == {"media": 1, "train": 1}
    assert any("No space left" in line for line in found.text())


@pytest.mark.parametrize(("jobs", "failed"), [("fusion", set()), ("run", {"train demo ca seed1"})])
def test_runs_that_wait_for_their_turn_in_a_job_did_not_fail(made, tmp_path, jobs, failed):
    study, layout, _ = made
    log = layout.train_log("demo", "ca", 1)
    log.parent.mkdir(parents=True)
    log.write_text("trained, of an earlier start\n")
    with locked(layout.run("demo", "ca", 0)):
        found = status(study.model_copy(update={"training_jobs": jobs}), layout, tmp_path)
    assert set(found.failures) == failed
    assert next(row.running for row in found.rows if row.stage == "train") == 1
    assert set(status(study, layout, tmp_path).failures) == {"train demo ca seed1"}


@pytest.mark.parametrize(
    "job", ["verify/demo", "fit_encoder/demo.mel_cnn", "score/demo", "report/page"]
)
def test_a_job_without_a_lock_is_not_called_failed_while_snakemake_runs(made, tmp_path, job):
    study, layout, _ = made
    lock = tmp_path / ".snakemake/locks/0.output.lock"
    lock.parent.mkdir(parents=True)
    log = layout.results / f"logs/{job}.log"
    log.parent.mkdir(parents=True)
    log.write_text("scored 3 of 40 runs\n")
    lock.touch()
    os.utime(lock, (log.stat().st_mtime - 1,) * 2)
    found = status(study, layout, tmp_path)
    assert found.failures == {}
    assert sum(row.failed for row in found.rows) == 0
    assert sum(row.running for row in found.rows) == len(found.unsure) > 0
    assert any(line.startswith("RUNS OR FAILED") for line in found.text())
    os.utime(lock, (log.stat().st_mtime + 1,) * 2)
    assert status(study, layout, tmp_path).failures, "it is of an earlier start"
    lock.unlink()
    assert len(status(study, layout, tmp_path).failures) == len(found.unsure)


def test_a_job_that_locks_what_it_writes_failed_if_the_lock_is_gone(made, tmp_path):
    study, layout, _ = made
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    (tmp_path / ".snakemake/locks/0.output.lock").touch()
    log = layout.results / "logs/media/demo.1-of-2.log"
    log.parent.mkdir(parents=True)
    log.write_text("avf media: No space left on device.\n")
    assert set(status(study, layout, tmp_path).failures) == {"media demo 1/2"}


def test_jobs_of_this_folder_in_slurm_run_or_wait(made, tmp_path):
    study, layout, _ = made
    lines = [
        f"RUNNING|avf_1|{tmp_path}|N/A|rule_train_wildcards_demo_ca",
        f"PENDING|avf_1|{tmp_path}|N/A|rule_train_wildcards_demo_concat",
        f"PENDING|avf_1|{tmp_path}|N/A|rule_encode_fits_wildcards_demo_mel_cnn_0_2",
        "RUNNING|avf_1|/elsewhere|N/A|rule_train_wildcards_demo_ca",
        f"RUNNING|other|{tmp_path}|N/A|",
    ]
    write_squeue(tmp_path, f"print({chr(10).join(lines)!r})")
    found = rows(study, layout, tmp_path)
    assert (found["train"].running, found["train"].queued) == (1, 1)
    assert found["encode"].queued == 1
    assert found["media"].running == 0


@pytest.mark.parametrize(("task", "failed"), [("N/A", {"train demo ca seed1"}), ("3", set())])
def test_a_job_in_slurm_hides_no_failure_of_others(made, tmp_path, task, failed):
    """Of a job array, only the wildcards of the first task are known."""
    study, layout, _ = made
    for fusion in ("ca", "concat"):
        log = layout.train_log("demo", fusion, 1)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("Killed\n")
    line = f"RUNNING|avf_1|{tmp_path}|{task}|rule_train_wildcards_demo_concat"
    write_squeue(tmp_path, f"print({line!r})")
    assert set(status(study, layout, tmp_path).failures) == failed


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit('error: Unable to contact slurm controller')", "Unable to contact"),
        ("import time; time.sleep(30)", "it took more than"),
    ],
)
def test_without_an_answer_of_squeue_an_old_log_is_no_failure(
    made, tmp_path, monkeypatch, code, reason
):
    study, layout, _ = made
    if "sleep" in code:
        monkeypatch.setattr("avfusion.planning.scheduler.LIMIT_S", 1)
    finish(study, layout, "grid")
    stopped = {"reason": "The loss is not finite.", "next": "Lower train.lr."}
    found = next(item for item in items(study, layout, ["demo"]) if item.stage == "grid")
    (found.output.parent / "failed.json").write_text(json.dumps(stopped))
    log = layout.train_log("demo", "ca", 1)
    log.parent.mkdir(parents=True)
    log.write_text("epoch 3\n")
    write_squeue(tmp_path, code)
    state = status(study, layout, tmp_path)
    assert [*state.failures] == [found.name], "a run that says so failed"
    assert any("squeue did not answer" in line and reason in line for line in state.text())
    monkeypatch.setattr("avfusion.planning.scheduler.LIMIT_S", 10)
    write_squeue(tmp_path, "")
    state = status(study, layout, tmp_path)
    assert "train demo ca seed1" in state.failures
    assert not any("squeue" in line for line in state.text())


@pytest.mark.parametrize(("optional", "last"), [(False, "Nothing is left"), (True, "Everything")])
def test_a_study_is_not_complete_without_a_corpus_that_it_needs(made, tmp_path, optional, last):
    study, layout, _ = made
    finish(study, layout)
    away = CorpusEntry(root=str(tmp_path / "away"), is_="recola", if_present=optional)
    more = study.model_copy(update={"corpora": {**study.corpora, "other": away}})
    found = status(more, layout, tmp_path)
    (line,) = [line for line in found.text() if line.startswith("other: not here")]
    assert f"nothing at {tmp_path / 'away'} (`avf obtain recola`)" in line
    assert ("does not start" in line) == (not optional)
    assert found.text()[-1].startswith(last)


def test_a_finished_study_says_so_and_json_has_it_all(made, tmp_path, capsys):
    study, layout, path = made
    finish(study, layout)
    assert "Everything is there" in status(study, layout, tmp_path).text()[-1]
    assert cli.main(["status", "--json", "--config", str(path)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["total"]["left"] == 0
    assert document["total"]["done"] == sum(row["done"] for row in document["rows"])


def test_failures_of_a_corpus_that_is_made_and_of_corrupted_input_are_listed(made, tmp_path):
    _, layout, path = made
    path.write_text(path.read_text() + "robustness: {audio_noise_db: [10], audio_missing: [0.5]}\n")
    study = load(path)
    listed = list(items(study, layout, ["demo"]))
    assert len({item.name for item in listed}) == len(listed)
    logs = [item.log for item in listed if item.stage in ("corpus", "robust")]
    names = {log.relative_to(layout.results / "logs").as_posix() for log in logs}
    assert {"corrupt/demo.audio_noise_db-10.mel_cnn.log", "robust/demo.0-of-2.log"} <= names
    for log in logs:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("No space left on device.\n")
    found = status(study, layout, tmp_path)
    states = {row.stage: (row.failed, row.left) for row in found.rows}
    assert states["corpus"] == (1, 1)
    assert states["robust"][0] == states["robust"][1] == len(logs) - 1
    assert found.left_s > 0
