"""A clock that jumped: files dated after now are named, with a command that mends them."""

import os
import subprocess
import time

import pytest

from avfusion.io import clock


def dated(path, days):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    at = time.time() + 86400 * days
    os.utime(path, (at, at))
    return path


def test_a_file_dated_after_now_is_named_and_the_command_given_mends_it(tmp_path):
    dated(tmp_path / "old" / "a.parquet", -3)
    assert clock.explained(tmp_path) == ""
    path = dated(tmp_path / "new" / "b.parquet", 30)
    said = clock.explained(tmp_path)
    assert str(path) in said
    assert "30.0 days" in said
    subprocess.run(["bash", "-c", said.split("`")[1]], check=True)
    assert clock.explained(tmp_path) == ""
    assert (tmp_path / "old" / "a.parquet").stat().st_mtime < time.time() - 86400


def test_clocks_of_a_cluster_may_differ_by_a_little(tmp_path):
    dated(tmp_path / "a.parquet", 60 / 86400)
    assert clock.explained(tmp_path) == ""


@pytest.mark.long
def test_a_study_whose_files_are_dated_after_now_says_so_and_goes_on_once_they_are_not(tiny):
    words = ("--cores", "2", "--configfile", "tiny.yaml", "--", "media_all")
    results = tiny.folder / "results"
    for path in results.glob("manifest/*/*"):
        dated(path, 30)
    for path in results.glob("media/*/*.parquet"):
        path.unlink()
    said = tiny.snakemake(*words, good=False)
    assert "dated after now" in said
    command = said.split("the clock has jumped")[1].split("`")[1]
    subprocess.run(["bash", "-c", command], cwd=tiny.folder, check=True)
    tiny.snakemake(*words)
    assert list(results.glob("media/*/index.parquet"))
