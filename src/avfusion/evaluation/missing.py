"""List the videos without a score or a prediction, with the stage and the reason."""

from pathlib import Path

import pandas as pd

from avfusion.io.atomic import write_text
from avfusion.io.cells import safe_csv

PREDICT = "predict"
"""Stage of a video without a prediction, which is scored all the same."""


def write_missing(
    missing: dict[str, tuple[str, str]], partition: dict[str, str], folder: Path
) -> None:
    """Write missing.csv: video, partition, and the stage and reason of the loss."""
    rows = [(v, partition[v], *missing[v]) for v in sorted(missing)]
    table = pd.DataFrame(rows, columns=["video", "partition", "stage", "reason"])
    write_text(folder / "missing.csv", safe_csv(table))
