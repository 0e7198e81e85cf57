"""Hyper-parameters chosen on validation: a grid's points, their runs, and the point that is taken.

A grid point is trained like any run, but sees the videos of train and validation alone, and its
predictions are those on validation: what chooses knows nothing of the test partition. Each point
is judged as training judges an epoch, by pooled CCC on validation at its best epoch.
"""

import json
from pathlib import Path
from typing import Any

from avfusion.config.grid import points
from avfusion.errors import AvfError, ConfigError
from avfusion.io.atomic import write_text
from avfusion.layout import Layout
from avfusion.runs.files import command

CRITERION = (
    "mean over seeds of the best epoch's score on validation (pooled CCC, of classes UA); ties: "
    "first in the file"
)


def choose(own: dict[str, Any], layout: Layout) -> dict[str, Any]:
    """Write chosen.json: every point with its validation score, and the best one.

    own: `{"corpus", "fusion", "grid", "seeds"}`. A point of which a run failed is not taken; where
    all failed, the first is, so that the fusion's own runs say how it fails.
    """
    name = own["corpus"], own["fusion"]
    if not own["grid"]:
        raise ConfigError(f"{own['fusion']} has no grid; its options are those of the config.")
    rows = [_judge(own, point, options, layout) for point, options in points(own["grid"]).items()]
    scored = [row for row in rows if row["score"] is not None]
    best = max(scored, key=lambda row: row["score"]) if scored else rows[0]  # first of equals
    said = {
        **{key: own[key] for key in ("corpus", "fusion", "grid", "seeds")},
        "criterion": CRITERION,
        "chosen": best["point"],
        "options": best["options"],
        "score": best["score"],
        "points": rows,
    }
    write_text(layout.chosen(*name), json.dumps(said, indent=2) + "\n")
    return said


def _judge(
    own: dict[str, Any], point: str, options: dict[str, Any], layout: Layout
) -> dict[str, Any]:
    """One point's row: its options, the score of each seed, their mean, and why it has none."""
    scores, failed = {}, ""
    for seed in own["seeds"]:
        folder = layout.grid_run(own["corpus"], own["fusion"], point, seed)
        scores[str(seed)], why = _best(folder, own | {"point": point, "seed": seed}, layout)
        failed = failed or why
    values = [score for score in scores.values() if score is not None]
    mean = None if failed else sum(values) / len(values)
    return {"point": point, "options": options, "score": mean, "seeds": scores, "failed": failed}


def _best(folder: Path, own: dict[str, Any], layout: Layout) -> tuple[float | None, str]:
    """The best epoch's validation score, or None and why the run failed."""
    import pandas as pd

    from avfusion.runs.files import (
        failure,
        predictions,
        read_settings,
        read_traces,
        refuse_other_inputs,
    )

    again = f"Run `{command(own)}`."
    if not predictions(folder).is_file():
        raise AvfError(f"{folder}: this point is not trained. {again}")
    said = read_settings(folder)
    read_traces(folder, said)
    data_hash = json.loads(layout.card(own["corpus"]).read_text())["data_hash"]
    refuse_other_inputs(own | said, data_hash, folder, layout)
    if failure(folder):
        return None, failure(folder)
    return float(pd.read_csv(folder / "epochs.csv")["score"].max()), ""
