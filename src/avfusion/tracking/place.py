"""Where the local store of a study is, and the name of its experiment in it.

All studies below the folder `results` of the project share one store, so that one page of MLflow
shows them.
"""

import os
import shlex
from pathlib import Path

from avfusion.layout import Layout

SHARED = "results"
"""Folder, below the working folder, whose studies share a store."""

FILE = "mlflow.db"


def store_folder(layout: Layout) -> Path:
    """Return the folder of the local store: `results` of the working folder, or the study's own.

    A study that lies elsewhere has its own store, so that nothing is written outside of it.

    >>> str(store_folder(Layout(Path("results/experiments/fg2021_ca"))))
    'results'
    >>> str(store_folder(Layout(Path("/srv/results/alice/study"))))
    '/srv/results/alice/study'
    """
    below = Path(os.path.relpath(layout.results)).is_relative_to(SHARED)
    return Path(SHARED) if below else layout.results


def page_command(layout: Layout) -> str:
    """Return the command that serves MLflow's page of the local store of a study.

    >>> page_command(Layout(Path("results/experiments/fg2021_ca")))
    'mlflow ui'
    >>> page_command(Layout(Path("/srv/my results")))
    "mlflow ui --backend-store-uri 'sqlite:////srv/my results/mlflow.db'"
    """
    folder = store_folder(layout)
    if folder == Path(SHARED):
        return "mlflow ui"
    return f"mlflow ui --backend-store-uri {shlex.quote(f'sqlite:///{folder / FILE}')}"


def experiment_name(corpus: str, layout: Layout) -> str:
    """Return the name of the experiment of a corpus: with the study's folder, if it has one.

    >>> experiment_name("recola", Layout(Path("results/experiments/fg2021_ca")))
    'experiments/fg2021_ca/recola'
    >>> experiment_name("demo", Layout(Path("results")))
    'demo'
    """
    folder = os.path.relpath(layout.results, store_folder(layout))
    return (Path(folder) / corpus).as_posix()
