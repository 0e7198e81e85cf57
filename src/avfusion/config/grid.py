"""The points of a hyper-parameter grid, and the settings of a run at one point."""

import itertools
import re
from typing import Any

from avfusion.errors import ConfigError

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
