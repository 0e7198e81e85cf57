"""Register results that DVC fetched with Snakemake, under the settings that made them.

    python workflow/adopt.py [--again]    # in `make restore` and before every stage of dvc.yaml

DVC restores files, but neither their order in time nor Snakemake's records of them. Without records
Snakemake would not notice a changed setting. This script dates the outputs of each job in order and
records them under the settings in dvc.lock. Afterwards `snakemake` runs only what has changed.

It does nothing if Snakemake has records already, unless `--again` is given. It exits with 1 if the
code differs from the code committed with dvc.lock, because then the results may differ too.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

CODE = ("Snakefile", "workflow", "src/avfusion", "config/protocols")
STAGE = "report"
"""The last stage of dvc.yaml; its settings are those of the complete study."""
RECORDS = Path(".snakemake/metadata")
"""Snakemake's records of outputs. It documents no command that tells whether there are any."""


def main() -> int:
    """Register the results of this folder; return the exit code."""
    if any(RECORDS.glob("*")) and "--again" not in sys.argv:
        return 0
    settings = locked()
    if settings is None:
        return 0
    if not committed():
        print("adopt: the code differs from the commit of dvc.lock; results are not registered")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "config.yaml"
        study.write_text(yaml.safe_dump(settings, sort_keys=False))
        touch = ["--touch", "--forceall", "--cores", "1", "--quiet", "all"]
        words = ["snakemake", *touch, "--configfile", str(study), "--", "report_all"]
        return subprocess.run(words, check=False).returncode


def locked() -> dict | None:
    """Return the settings that made the results of dvc.lock; None without results."""
    lock = Path("dvc.lock")
    stages = yaml.safe_load(lock.read_text())["stages"] if lock.is_file() else {}
    if STAGE not in stages or not any(Path(out["path"]).exists() for out in stages[STAGE]["outs"]):
        return None
    (settings,) = stages[STAGE]["params"].values()
    return settings


def committed() -> bool:
    """Return whether code and dvc.lock are unchanged since the last commit."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    words = ["git", "status", "--porcelain", "--", "dvc.lock", *CODE]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
    return done.returncode == 0 and not done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
