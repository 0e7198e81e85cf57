"""The plan that `avf adopt` asks Snakemake for, next to a Snakemake that runs or was killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from avfusion.errors import AvfError
from avfusion.lineage import planned

SNAKEFILE = """
rule all:
    output:
        "made.txt",
    shell:
        "sleep 60; touch {output}"
"""


@pytest.fixture
def killed(tmp_path, monkeypatch):
    """A folder whose Snakemake was killed while a job ran."""
    monkeypatch.chdir(tmp_path)
    Path("Snakefile").write_text(SNAKEFILE)
    Path("config.yaml").write_text("{}")
    job = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", "all"],
        start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until_s = time.monotonic() + 120
        while not list(Path(".snakemake/locks").glob("*")) and time.monotonic() < until_s:
            time.sleep(0.05)
    finally:
        os.killpg(job.pid, signal.SIGKILL)
        job.wait()
    assert list(Path(".snakemake/locks").glob("*"))


def test_a_lock_that_was_left_is_named_with_the_command_that_removes_it(killed):
    with pytest.raises(AvfError, match="first run: snakemake --unlock"):
        planned.plan(["all"], Path("config.yaml"))
    assert not Path("made.txt").exists()
