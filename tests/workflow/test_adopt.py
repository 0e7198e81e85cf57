"""What `avf adopt` takes over and names, and what is not overwritten before it ran."""

import os
import random
import shutil
import subprocess
import sys

import pytest

TINY = ("--configfile", "tiny.yaml")
GIT = {
    **{f"GIT_{who}_NAME": "Test" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "test@example.org" for who in ("AUTHOR", "COMMITTER")},
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def avf(study, *words, status=0):
    """What `avf WORDS` printed in the folder of a study."""
    done = subprocess.run(
        [sys.executable, "-m", "avfusion.cli", *words, "--config", "tiny.yaml"],
        cwd=study.folder, env=study.env, text=True, check=False, capture_output=True,
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def scramble(folder):
    """Give every file a date of its own, as a copy without dates may have."""
    chance = random.Random(1)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        date = 1.7e9 + chance.random() * 1e6
        os.utime(path, (date, date))


@pytest.fixture
def copied(tiny):
    """The finished tiny study without Snakemake's records, with files of any date."""
    shutil.rmtree(tiny.folder / ".snakemake")
    scramble(tiny.folder)
    return tiny


@pytest.mark.long
def test_a_copied_study_is_not_overwritten_before_it_was_adopted(copied):
    before = {p: p.read_bytes() for p in (copied.folder / "results/features").rglob("index.*")}
    printed = copied.snakemake("--cores", "1", *TINY, "--", "all", good=False)
    assert "run: avf adopt" in printed
    assert before == {path: path.read_bytes() for path in before}


def test_what_does_not_match_is_named_and_not_taken_over(copied):
    copied.edit("tiny.yaml", "  ca: {}", "  ca: {stages: 2}")
    printed = avf(copied, "adopt", status=1)
    assert "STALE   train results/runs/demo/ca/seed0/traces.parquet: made with other" in printed
    assert "--forcerun results/runs/demo/ca/seed0/traces.parquet -- all" in printed
    assert copied.jobs("all", TINY)["train"] == 1


@pytest.mark.long
def test_a_study_switched_to_another_branch_and_back_runs_nothing_after_it_was_adopted(tiny):
    tiny.env |= GIT

    def git(*words):
        subprocess.run(["git", *words], cwd=tiny.folder, env=tiny.env, check=True)

    git("init", "-q", "-b", "first")
    git("add", "-f", "tiny.yaml", "results")
    git("commit", "-q", "-m", "first")
    git("switch", "-q", "-c", "second")
    tiny.edit("tiny.yaml", "  ca: {}", "  ca: {stages: 2}")
    touch = ("--touch", "--forceall", "--cores", "1")  # Snakemake's records after a run
    tiny.snakemake(*touch, *TINY, "--", "all")
    path = tiny.folder / "results/runs/demo/ca/seed0/traces.parquet"
    path.write_bytes(path.read_bytes() + b"of the second branch")
    git("commit", "-q", "-a", "-m", "second")
    for branch in ("first", "second", "first"):
        git("switch", "-q", branch)
    assert "STALE" not in avf(tiny, "adopt")
    assert tiny.jobs("all", TINY) == {}
