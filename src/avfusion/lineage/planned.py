"""Ask Snakemake for the plan of a study, and let it take over files that match."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from avfusion.errors import AvfError
from avfusion.lineage.adoption import MATCHES, Verdict
from avfusion.lineage.jobs import Job

VARIABLE = "AVF_ADOPT"
"""Read by workflow/rules/jobs.smk: where to write the plan, or "touch"."""


def plan(targets: list[str], config: Path) -> list[Job]:
    """Return all jobs behind some targets, each after those that it depends on.

    Raises
    ------
    AvfError
        If there is no workflow in the current folder, or Snakemake cannot plan.
    """
    if not Path("Snakefile").is_file():
        raise AvfError(f"{Path.cwd()}: no Snakefile here. Run `avf adopt` in the study's folder.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.json"
        printed = _snakemake(targets, config, str(path)).stdout
        if not path.is_file():
            raise AvfError(f"Snakemake cannot plan {' '.join(targets)}:\n{printed.strip()[-2000:]}")
        return [Job(**job) for job in json.loads(path.read_text(encoding="utf-8"))]


def touch(verdicts: list[Verdict], config: Path) -> None:
    """Date the files that match in the order of their jobs, and record them with Snakemake.

    Raises
    ------
    AvfError
        If Snakemake fails.
    """
    jobs = [verdict.job for verdict in verdicts if verdict.state == MATCHES]
    read = {path for job in jobs for path in job.inputs}
    last = [job.outputs[0] for job in jobs if not read.intersection(job.outputs)]
    if not last:
        return
    done = _snakemake(last, config, "touch")
    if done.returncode:
        raise AvfError(f"Snakemake cannot take over the files:\n{done.stdout.strip()[-2000:]}")


def _snakemake(targets: list[str], config: Path, variable: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake so that it touches the outputs behind some targets, and those only."""
    words = [sys.executable, "-m", "snakemake", "--touch", "--forceall", "--cores", "1"]
    words += ["--rerun-incomplete", "--quiet", "all", "--configfile", str(config), "--", *targets]
    return subprocess.run(
        words,
        env={**os.environ, VARIABLE: variable},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
