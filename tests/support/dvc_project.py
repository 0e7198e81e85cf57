"""A scratch copy of the project as a git repository of its own, with the smallest study."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from support.scratch import Copy

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("workflow", "config", "src")
FILES = ("Snakefile", "Makefile", "dvc.yaml", ".dvc/config", ".dvc/.gitignore", ".dvcignore")


class Project:
    """Runs git, dvc, make and snakemake in its folder, with its own source."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        bin_folder = str(Path(sys.executable).parent)
        quiet = {"DVC_NO_ANALYTICS": "1", "GIT_CONFIG_GLOBAL": os.devnull, "NO_COLOR": "1"}
        name = {"GIT_AUTHOR_NAME": "Test", "GIT_AUTHOR_EMAIL": "test@example.org"}
        name |= {key.replace("AUTHOR", "COMMITTER"): value for key, value in name.items()}
        self.env = {**os.environ, **quiet, **name, "PYTHONPATH": "src"}
        self.env["PATH"] = f"{bin_folder}:{os.environ['PATH']}"
        self.env.pop("MLFLOW_TRACKING_URI", None)

    @classmethod
    def new(cls, folder: Path, finished: Copy) -> "Project":
        """A committed copy of what the study needs, with results of the finished tiny study."""
        skip = shutil.ignore_patterns("__pycache__", "*.egg-info")
        for name in FOLDERS:
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=skip)
        for name in (*FILES, ".gitignore", "slurm"):
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
        shutil.copy2(finished.folder / "tiny.yaml", folder / "config/config.yaml")
        for name in ("data", "results", ".snakemake"):
            shutil.copytree(finished.folder / name, folder / name, symlinks=True)
        project = cls(folder)
        project.run("git", "init", "-q")
        project.commit("study")
        return project

    def clone(self, folder: Path) -> "Project":
        """What a colleague has after `git clone`."""
        self.run("git", "clone", "-q", str(self.folder), str(folder))
        return Project(folder)

    def run(self, *words: str) -> str:
        """What the command printed; fails the test where the command fails."""
        done = subprocess.run(
            words, cwd=self.folder, env=self.env, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, f"{words}\n{done.stdout[-6000:]}"
        return done.stdout

    def commit(self, words: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", words)

    def jobs(self) -> dict[str, int]:
        """Rule -> number of jobs that `snakemake -n` would run."""
        quiet = ("--quiet", "host", "rules", "reason")
        lines = self.run("snakemake", "-n", *quiet, "--", "all").split("\n")
        table = [line.split() for line in lines]
        return {w[0]: int(w[1]) for w in table if len(w) == 2 and w[1].isdigit()}

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.folder / path
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new, 1))
