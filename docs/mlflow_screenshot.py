"""Make the picture in docs/how-to/mlflow.md: fusions of the demo study by rank in MLflow.

python docs/mlflow_screenshot.py        # after `make demo`; needs chromium
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs/images/mlflow-compare.png"
SIZE_PX = (1500, 2700)
SHOWN_PX = slice(0, 600), slice(200, 1105)  # rows and columns: without menu and assistant
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """Serve a copy of the demo's records, open the saved view, save what is seen."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support.mlflow_server import free_port, server

    view = json.loads((ROOT / "results/mlflow.demo.json").read_text())["view"]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy2(ROOT / "results/mlflow.db", folder)
        with server(Path(folder), free_port()) as address:
            browse(f"{address}/#{view.partition('#')[2]}", f"--screenshot={OUT}")
    cv2.imwrite(str(OUT), cv2.imread(str(OUT))[SHOWN_PX])


def browser() -> str | None:
    """Path of an installed Chromium, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def browse(page: str, *what: str) -> str:
    """Open a page without a window, let its scripts finish, and do `what`; returns what it prints.

    The browser profile is a separate folder, so that yours does not change.
    """
    with tempfile.TemporaryDirectory() as profile:
        words = [
            *(browser() or BROWSERS[0], "--headless=new", "--no-sandbox", "--disable-gpu"),
            *("--hide-scrollbars", f"--user-data-dir={profile}", "--virtual-time-budget=120000"),
            "--window-size={},{}".format(*SIZE_PX),
        ]
        done = subprocess.run([*words, *what, page], capture_output=True, text=True, check=True)
        return done.stdout


if __name__ == "__main__":
    main()
