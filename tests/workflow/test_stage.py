"""workflow/stage.sh: the first stage takes over all results, and a failure stops it."""

import os
import subprocess

import pytest

from support.scratch import ROOT


@pytest.fixture
def stage(tmp_path):
    """Run a stage in a folder with fetched results; programs that note their words stand in."""
    (tmp_path / "results/settings").mkdir(parents=True)
    (tmp_path / "results/settings/jobs.json").write_text("{}")
    (tmp_path / "bin").mkdir()

    def run(target, adopt):
        for name, does in {"avf": adopt, "snakemake": "mkdir -p .snakemake/metadata/x"}.items():
            path = tmp_path / "bin" / name
            path.write_text(f'#!/bin/sh\necho "{name} $*" >> words\n{does}\n')
            path.chmod(0o755)
        env = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
        words = ["bash", str(ROOT / "workflow/stage.sh"), target]
        done = subprocess.run(words, cwd=tmp_path, env=env, check=False)
        noted, file = (tmp_path / "words").read_text().splitlines(), tmp_path / "words"
        file.unlink()
        return done.returncode, noted

    return run


def test_the_first_stage_adopts_all_and_later_ones_force_what_is_still_stale(stage):
    status, words = stage("corpus_all", "echo results/run.txt")
    assert (status, words[0]) == (0, "avf adopt --stale all")
    assert "--forcerun results/run.txt -- corpus_all" in words[1]
    status, words = stage("all", "exit 1")
    assert (status, len(words)) == (0, 1), "it is not adopted twice"
    assert "--forcerun results/run.txt -- all" in words[0]


def test_a_failed_adoption_stops_the_stage_and_the_next_one_tries_again(stage):
    status, words = stage("corpus_all", "exit 1")
    assert status != 0
    assert words == ["avf adopt --stale all"]
    assert stage("corpus_all", "true")[1][0] == "avf adopt --stale all"
