"""Hyper-parameters chosen on validation: a grid's points, their runs, and the point that is taken.

A grid point is trained like any run, but sees the videos of train and validation alone, and its
predictions are those on validation: what chooses knows nothing of the test partition. Each point
is judged as training judges an epoch, by pooled CCC on validation at its best epoch.
"""

import itertools
import json
import re
from pathlib import Path
from typing import Any

from avfusion.errors import AvfError, ConfigError
from avfusion.layout import Layout
from avfusion.whole import write_text

SEES = ("train", "validation")
"""Partitions whose videos a grid point is given."""
PREDICTS = ("validation",)
"""Partitions that a grid point writes predictions of."""
CRITERION = (
    "mean over seeds of the best epoch's score on validation (pooled CCC, of classes UA); ties: "
    "first in the file"
)
Grid = dict[str, list[Any]]


def grid_of(study: dict[str, Any], fusion: str) -> Grid:
    """A fusion's own grid, else the study's; `{}` is none. study: `Study.model_dump()`."""
    return study["fusions"][fusion].get("grid", study.get("grid", {}))


def points(grid: Grid) -> dict[str, dict[str, Any]]:
    """A point's name -> its options, in the file's order, the last key fastest.

    >>> list(points({"train.lr": [0.1, 0.01], "hidden": [4]}))
    ['train.lr=0.1,hidden=4', 'train.lr=0.01,hidden=4']
    """
    rows = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    return {_name(row): row for row in rows}


def at_point(own: dict[str, Any], point: str) -> dict[str, Any]:
    """Settings of one grid point's run, from those of the fusion (`Study.run_settings`)."""
    known = points(own.get("grid", {}))
    if not own.get("grid") or point not in known:
        listed = ", ".join(known) if own.get("grid") else "it has no grid"
        raise ConfigError(f"{own['fusion']} has no grid point {point!r}. Its points: {listed}.")
    return _with(own, known[point]) | {"point": point}


def resolved(own: dict[str, Any], layout: Layout) -> tuple[dict[str, Any], dict[str, Any]]:
    """A run's settings with the chosen options in place of the grid, and where they came from.

    Settings without a grid are returned as they are, with nothing to say.
    """
    if not own.get("grid"):
        return own, {}
    path = layout.chosen(own["corpus"], own["fusion"])
    again = f"avf choose {own['corpus']} {own['fusion']}"
    if not path.is_file():
        raise AvfError(f"{path}: nothing chosen yet. Run `{again}`.")
    said = json.loads(path.read_text())
    if said["grid"] != own["grid"]:
        raise AvfError(f"{path}: chosen from another grid than the config's. Run `{again}`.")
    origin = {key: said[key] for key in ("chosen", "options", "score", "seeds", "criterion")}
    return _with(own, said["options"]), {"chosen": origin | {"points": len(said["points"])}}


def run_folder(own: dict[str, Any], layout: Layout) -> Path:
    """Where the run of these settings lies: below runs/, a grid point below grids/."""
    name = own["corpus"], own["fusion"]
    if "point" in own:
        return layout.grid_run(*name, own["point"], own["seed"])
    return layout.run(*name, own["seed"])


def command(own: dict[str, Any]) -> str:
    """The command that trains the run of these settings."""
    point = f" --point '{own['point']}'" if "point" in own else ""
    return f"avf train {own['corpus']} {own['fusion']}{point} --seed {own['seed']}"


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

    from avfusion.run_files import predictions, read_settings, read_traces, refuse_other_inputs
    from avfusion.runs import failure

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


def _with(own: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Settings with a point's options set, and without the grid."""
    train, options = dict(own["train"]), dict(options)
    for key in [key for key in options if key.startswith("train.")]:
        train[key.removeprefix("train.")] = options.pop(key)
    rest = {key: value for key, value in own.items() if key != "grid"}
    return rest | {"train": train, "options": own["options"] | options}


def _name(options: dict[str, Any]) -> str:
    """A folder's name that reads as the options."""
    text = ",".join(f"{key}={value}" for key, value in options.items())
    return re.sub(r"[^A-Za-z0-9_.=,+-]", "_", text)
