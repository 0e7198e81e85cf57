"""Where the local store of a study is, and the name of its experiment in it.

All studies below a folder `results` share one store, so that one page of MLflow shows them.
"""

from pathlib import Path

from avfusion.layout import Layout

SHARED = "results"
"""Name of the folder whose studies share a store."""

FILE = "mlflow.db"


def store_folder(layout: Layout) -> Path:
    """Return the folder of the local store: `results` above the study's results, else theirs.

    >>> str(store_folder(Layout(Path("results/experiments/fg2021_ca"))))
    'results'
    """
    parts = layout.results.parts
    if SHARED not in parts:
        return layout.results
    return Path(*parts[: len(parts) - parts[::-1].index(SHARED)])


def experiment_name(corpus: str, layout: Layout) -> str:
    """Return the name of the experiment of a corpus: with the study's folder, if it has one.

    >>> experiment_name("recola", Layout(Path("results/experiments/fg2021_ca")))
    'experiments/fg2021_ca/recola'
    >>> experiment_name("demo", Layout(Path("results")))
    'demo'
    """
    return (layout.results.relative_to(store_folder(layout)) / corpus).as_posix()
