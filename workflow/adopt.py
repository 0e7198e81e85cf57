"""Results that DVC brought become Snakemake's own, under the settings that made them.

    python workflow/adopt.py [--again]    # in `make restore` and before every stage of dvc.yaml

DVC restores files, not their order in time nor what Snakemake noted of them, without which a
changed setting would go unseen. Here each job's outputs are dated in order and noted as made under
the settings that dvc.lock holds, so that `snakemake` afterwards runs what has changed since, and
nothing else. Does nothing where Snakemake has notes already, unless --again. Leaves with 1 where
the code is not the one that was committed with dvc.lock: then nothing can be vouched for.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

CODE = ("Snakefile", "workflow", "src/avfusion", "config/protocols")
STAGE = "report"  # the last one: its settings are those of a whole study


def main() -> int:
    """Adopt what is here; 0 where it is done, or there is nothing to do."""
    if any(Path(".snakemake/metadata").glob("*")) and "--again" not in sys.argv:
        return 0
    settings = locked()
    if settings is None:
        return 0
    if not committed():
        print("adopt: code has changed since dvc.lock; results cannot be vouched for")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "config.yaml"
        study.write_text(yaml.safe_dump(settings, sort_keys=False))
        touch = ["--touch", "--forceall", "--cores", "1", "--quiet", "all"]
        words = ["snakemake", *touch, "--configfile", str(study), "--", "report_all"]
        return subprocess.run(words, check=False).returncode


def locked() -> dict | None:
    """The settings under which the results of dvc.lock were made; None without results."""
    lock = Path("dvc.lock")
    stages = yaml.safe_load(lock.read_text())["stages"] if lock.is_file() else {}
    if STAGE not in stages or not any(Path(out["path"]).exists() for out in stages[STAGE]["outs"]):
        return None
    (settings,) = stages[STAGE]["params"].values()
    return settings


def committed() -> bool:
    """Whether code and dvc.lock are as in the last commit."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    words = ["git", "status", "--porcelain", "--", "dvc.lock", *CODE]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
    return done.returncode == 0 and not done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
