"""A copy of the project to run workflows in."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Copy:
    """A scratch project; `snakemake` runs there and returns what it printed.

    A folder that is there already is taken as it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {**os.environ, "PYTHONPATH": str(folder / "src")}
        self.env.pop("MLFLOW_TRACKING_URI", None)
        if not folder.exists():
            self._fill()

    def _fill(self) -> None:
        folder = self.folder
        skip = shutil.ignore_patterns("__pycache__", "*.egg-info")
        for name in ("workflow", "config", "src"):
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=skip)
        shutil.copy2(ROOT / "Snakefile", folder)
        shutil.copy2(ROOT / "slurm", folder, follow_symlinks=False)
        shutil.copy2(ROOT / ".test/config/config.yaml", folder / "tiny.yaml")

    def avf(self, *words: str) -> str:
        """Run `avf WORDS`, which must succeed, and return its standard output."""
        done = subprocess.run(
            [sys.executable, "-m", "avfusion.cli", *words],
            cwd=self.folder, env=self.env, text=True, check=False, capture_output=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def snakemake(self, *words: str, good: bool = True) -> str:
        """Run `snakemake WORDS`; fails the test if it does not end as expected."""
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", *words],
            cwd=self.folder, env=self.env, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert (done.returncode == 0) == good, done.stdout[-6000:]
        return done.stdout

    def edit_profile(self, device: str) -> None:
        """Set what the SLURM profile gives to jobs that may use a GPU."""
        file = self.folder / "workflow/profiles/slurm/config.v9+.yaml"
        text = re.sub(r"fit_encoder: &gpu \{.*?\}", f"fit_encoder: {device}", file.read_text())
        file.write_text(text)

    def jobs(self, target: str, options: tuple[str, ...] = ()) -> dict[str, int]:
        """Rule -> number of jobs that would run."""
        quiet = ("--quiet", "host", "rules", "reason")
        lines = self.snakemake("-n", *options, *quiet, "--", target).split("\n")
        table = [line.split() for line in lines]
        counts = {w[0]: int(w[1]) for w in table if len(w) == 2 and w[1].isdigit()}
        counts.pop("total", None)
        return counts

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.folder / path
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new, 1))
