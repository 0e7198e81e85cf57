"""Choose hyper-parameters on validation: compare the runs of a grid and take the best point.

A grid point is trained like any run, but only on videos of train and validation, and it predicts
validation only: the choice uses nothing of the test partition. A point's score is that of its best
epoch, as during training: by default the pooled CCC on validation, else what `train.select` says.
"""

import json
from pathlib import Path
from typing import Any

from avfusion.config.grid import CRITERION, points
from avfusion.config.jobs import GridSettings
from avfusion.errors import AvfError, ConfigError
from avfusion.io.atomic import write_text
from avfusion.layout import Layout
from avfusion.runs.by_protocol import refuse_other_protocol
from avfusion.runs.files import (
    failure,
    predictions,
    read_settings,
    read_traces,
    refuse_other_inputs,
    train_command,
)


def choose(settings: GridSettings, layout: Layout) -> dict[str, Any]:
    """Write chosen.json with the score of every grid point and the best point, and return it.

    A point with a failed run is not chosen. If all points have one, the first point is chosen, so
    that the fusion's own runs report the failure.
    """
    if not settings.grid:
        raise ConfigError(f"{settings.fusion} has no grid; its options are those of the config.")
    rows = [
        _point_row(settings, point, options, layout)
        for point, options in points(settings.grid).items()
    ]
    scored = [row for row in rows if row["score"] is not None]
    best = max(scored, key=lambda row: row["score"]) if scored else rows[0]  # first of equals
    result = {
        "corpus": settings.corpus,
        "fusion": settings.fusion,
        "grid": settings.grid,
        "seeds": settings.seeds,
        "criterion": CRITERION,
        "chosen": best["point"],
        "options": best["options"],
        "score": best["score"],
        "points": rows,
    }
    write_text(layout.chosen(settings.corpus, settings.fusion), json.dumps(result, indent=2) + "\n")
    return result


def _point_row(
    settings: GridSettings, point: str, options: dict[str, Any], layout: Layout
) -> dict[str, Any]:
    """Return one point's options, score per seed, mean score, and reason if it has none."""
    scores: dict[str, float | None] = {}
    failed = ""
    for seed in settings.seeds:
        folder = layout.grid_run(settings.corpus, settings.fusion, point, seed)
        scores[str(seed)], reason = _best_score(folder, settings.corpus, layout)
        failed = failed or reason
    values = [score for score in scores.values() if score is not None]
    mean = None if failed else sum(values) / len(values)
    return {"point": point, "options": options, "score": mean, "seeds": scores, "failed": failed}


def _best_score(folder: Path, corpus: str, layout: Layout) -> tuple[float | None, str]:
    """Return the best epoch's validation score, or None and why the run failed."""
    import pandas as pd

    if not predictions(folder).is_file():
        raise AvfError(f"{folder}: this point is not trained. Run `{train_command(folder)}`.")
    record = read_settings(folder)
    read_traces(folder, record)
    data_hash = json.loads(layout.card(corpus).read_text())["data_hash"]
    refuse_other_inputs(record, data_hash, folder, layout)
    refuse_other_protocol(record, folder)
    if failure(folder):
        return None, failure(folder)
    return float(pd.read_csv(folder / "epochs.csv")["score"].max()), ""
