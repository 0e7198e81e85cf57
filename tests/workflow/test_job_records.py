"""What the workflow records of its jobs, on three rules: copy, join and an ancient input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from avfusion.io.shards import shard_path, write_table
from avfusion.layout import Layout
from avfusion.lineage import adoption, jobs, planned
from support.scratch import ROOT

TOY = f"""
import functools, json, os
from pathlib import Path
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_common.logging import get_logger
from avfusion.commands import messages
from avfusion.errors import AvfError
from avfusion.io.atomic import write_text
from avfusion.layout import Layout

logger, lay = get_logger(), Layout(Path("results"))
os.environ.setdefault("AVF_PLANNED_BY", str(os.getpid()))
of_study = lambda text: messages.of_files(text, [*map(os.path.relpath, workflow.configfiles)])
include: "{ROOT}/workflow/rules/lost.smk"
include: "{ROOT}/workflow/rules/jobs.smk"

rule all:
    input: "results/end.txt"

rule train:
    input: "source.txt"
    output: "results/run.txt"
    params: lr=config["lr"]
    shell: "echo {{params.lr}} > {{output}}"

rule other:
    input: "source.txt"
    output: "results/other.txt"
    params:
        name=config["other"],
        lost=lambda w: losses_of("demo", "e", (0, 1)),
    shell: "echo {{params.name}} > {{output}}"

rule end:
    input: run="results/run.txt", other=ancient("results/other.txt")
    output: "results/end.txt"
    shell: "cat {{input.run}} > {{output}}"

onsuccess:
    record_jobs()
"""
LAYOUT = Layout(Path("results"))


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A finished study of three jobs, in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    Path("Snakefile").write_text(TOY)
    Path("source.txt").write_text("source")
    configure()
    snakemake("--cores", "1")
    return tmp_path


def configure(lr="0.1", other="a"):
    Path("config.json").write_text(json.dumps({"lr": lr, "other": other}))


def snakemake(*words, good=True):
    """What Snakemake printed."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--configfile", "config.json", *words],
        text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert (done.returncode == 0) == good, done.stdout
    return done.stdout


def verdicts():
    """File -> state, by the plan and the records."""
    found = judged()
    return {Path(verdict.job.outputs[0]).stem: verdict.state for verdict in found}


def judged():
    plan = planned.plan(["all"], Path("config.json"))
    return adoption.judge(plan, jobs.read(LAYOUT), LAYOUT)


def test_a_job_that_did_not_run_now_is_not_recorded_with_the_settings_of_now(toy):
    assert set(verdicts().values()) == {"matches"}
    configure(lr="0.9")
    os.utime("results/run.txt")
    snakemake("--cores", "1", "--rerun-triggers", "mtime")
    assert verdicts() == {"run": "stale", "other": "matches", "end": "stale"}


def test_a_stale_file_behind_an_ancient_input_is_not_taken_over(toy):
    configure(other="b")
    found = judged()
    assert verdicts() == {"run": "matches", "other": "stale", "end": "matches"}
    assert planned.held(found) == {"results/end.txt": "results/other.txt"}
    before = Path("results/other.txt").stat().st_mtime_ns
    planned.touch(found, Path("config.json"))
    assert Path("results/other.txt").stat().st_mtime_ns == before
    assert "other" in snakemake("-n", "results/other.txt"), "Snakemake still knows that it is due"


def test_matching_files_without_metadata_of_their_own_are_not_made_again(toy):
    """As after `avf adopt` was killed: other files have metadata."""
    snakemake("--cleanup-metadata", "results/run.txt")
    os.utime("source.txt")
    printed = snakemake("--cores", "1", good=False)
    assert "run: avf adopt --config config.json. To make" in printed
    assert "results/run.txt" in printed
    snakemake("--cores", "1", "--forcerun", "results/run.txt")


def test_lost_features_are_counted_when_jobs_start_and_not_by_plans(toy):
    folder = LAYOUT.features("demo", "e")
    table = pd.DataFrame([("a", "ok")], columns=["video", "status"])
    write_table(table, shard_path(folder, (0, 1)))
    assert "other" in snakemake("-n", "results/other.txt")
    assert verdicts()["other"] == "matches", "why a job ran says nothing about its files"
    assert not list(folder.glob(".lost*"))
    snakemake("--cores", "1", "results/other.txt")
    assert (folder / ".lost-0-of-1").read_text() == "1\n"
    for name in ("a.npy", "a.times.npy"):
        (folder / name).touch()
    assert "Nothing to be done" in snakemake("-n", "results/other.txt"), "once per loss"
