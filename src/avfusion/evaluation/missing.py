"""List the videos without a score, with the stage that lost them and the reason."""

from pathlib import Path

import pandas as pd

from avfusion.io.atomic import write_text


def write_missing(
    missing: dict[str, tuple[str, str]], partition: dict[str, str], folder: Path
) -> None:
    """Write missing.csv: video, partition, and the stage and reason of the loss."""
    rows = [(v, partition[v], *missing[v]) for v in sorted(missing)]
    table = pd.DataFrame(rows, columns=["video", "partition", "stage", "reason"])
    write_text(folder / "missing.csv", table.to_csv(index=False))
