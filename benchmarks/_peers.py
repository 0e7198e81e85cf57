"""Install a peer into an environment of its own and run a script of `benchmarks/peers` in it."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parent / "peers"
MOST_S = 900
"""Seconds after which an installation or a script is given up."""


class AbsentError(Exception):
    """A peer cannot be installed or does not run here; the text says why."""


@dataclass(frozen=True)
class Place:
    """Environments of peers below one folder; those that are there are used again."""

    folder: Path

    def run(self, script: str, package: str, *words: object) -> dict[str, Any]:
        """Return what a script prints in the environment of a package.

        Raises
        ------
        AbsentError
            If the package cannot be installed, or the script fails.
        """
        python = self._python(package)
        command = [str(python), str(SCRIPTS / f"{script}.py"), *map(str, words)]
        printed = _output(command, self.folder)
        return json.loads(printed.strip().splitlines()[-1])

    def _python(self, package: str) -> Path:
        folder = self.folder / package.partition("<")[0]
        python, done = folder / "bin/python", folder / ".installed"
        if not done.is_file():
            uv = str(Path(sys.executable).with_name("uv"))
            if not Path(uv).is_file():
                raise AbsentError("uv is not installed here")
            shutil.rmtree(folder, ignore_errors=True)
            _output([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], self.folder)
            _output([uv, "pip", "install", "--python", str(python), package], self.folder)
            done.touch()
        return python


def _output(command: list[str], folder: Path) -> str:
    """Return what a command prints; it sees no package of this environment."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    # So that a peer asks no host for weights: what it brings along must do.
    env |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=MOST_S, env=env, cwd=folder
        )
    except subprocess.TimeoutExpired:
        raise AbsentError(f"not finished after {MOST_S} s") from None
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        last = (lines or [f"exit code {done.returncode}"])[-1]
        raise AbsentError(re.sub(r" ?\(/[^)]*\)", "", last)[:160])  # no path of this machine
    return done.stdout
