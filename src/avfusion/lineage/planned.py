"""Ask Snakemake for the plan of a study, and let it take over files that match."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from avfusion.errors import AvfError
from avfusion.lineage.adoption import MATCHES, STALE, Verdict
from avfusion.lineage.jobs import Job

VARIABLE = "AVF_ADOPT"
"""Read by workflow/rules/jobs.smk: where to write the plan, or "touch"."""


def plan(targets: list[str], config: Path) -> list[Job]:
    """Return all jobs behind some targets, each after those that it depends on.

    Raises
    ------
    AvfError
        If there is no workflow in the current folder, Snakemake runs in it, or cannot plan.
    """
    if not Path("Snakefile").is_file():
        raise AvfError(f"{Path.cwd()}: no Snakefile here. Run `avf adopt` in the study's folder.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.json"
        printed = _snakemake(targets, config, str(path)).stdout
        if not path.is_file():
            raise AvfError(
                f"Snakemake cannot plan {' '.join(targets)}:\n{printed.strip()[-2000:]}\n"
                f"Correct that, then run: avf adopt"
            )
        return [Job(**job) for job in json.loads(path.read_text(encoding="utf-8"))]


def held(verdicts: list[Verdict]) -> dict[str, str]:
    """Return first output of a job that matches -> a stale file that Snakemake makes earlier.

    Snakemake takes over a file only with all that is made before it. So it would record stale files
    as those of the present settings.
    """
    makers = {path: verdict.job for verdict in verdicts for path in verdict.job.outputs}
    stale = {path for v in verdicts if v.state == STALE for path in v.job.outputs}
    behind: dict[str, str] = {}
    for verdict in verdicts:
        job = verdict.job
        for path in (*job.inputs, *job.order):
            first = makers[path].outputs[0] if path in makers else path
            cause = path if path in stale else behind.get(first)
            if cause is not None:
                behind.setdefault(job.outputs[0], cause)
    matching = [v.job.outputs[0] for v in verdicts if v.state == MATCHES]
    return {path: behind[path] for path in matching if path in behind}


def touch(verdicts: list[Verdict], config: Path) -> None:
    """Date the files that match in the order of their jobs, and record them with Snakemake.

    Those of `held` are left as they are.

    Raises
    ------
    AvfError
        If Snakemake fails.
    """
    waiting = held(verdicts)
    matching = [verdict.job for verdict in verdicts if verdict.state == MATCHES]
    jobs = [job for job in matching if job.outputs[0] not in waiting]
    read = {path for job in jobs for path in (*job.inputs, *job.order)}
    last = [job.outputs[0] for job in jobs if not read.intersection(job.outputs)]
    if not last:
        return
    done = _snakemake(last, config, "touch")
    if done.returncode:
        raise AvfError(
            f"Snakemake cannot take over the files:\n{done.stdout.strip()[-2000:]}\n"
            f"Correct that, then run: avf adopt"
        )


def _snakemake(targets: list[str], config: Path, variable: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake so that it touches the outputs behind some targets, and those only."""
    words = [sys.executable, "-m", "snakemake", "--touch", "--forceall", "--cores", "1"]
    words += ["--rerun-incomplete", "--configfile", str(config)]
    words += ["--quiet", "progress", "rules", "host", "reason"]  # `all` would hide errors too
    words += ["--", *targets]
    done = subprocess.run(
        words,
        env={**os.environ, VARIABLE: variable},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if "cannot be locked" in done.stdout:
        raise AvfError(
            f"{Path.cwd()}: Snakemake runs in this folder, or was killed. Wait until it ends, then "
            f"run: avf adopt. If it does not run, first run: snakemake --unlock"
        )
    return done
