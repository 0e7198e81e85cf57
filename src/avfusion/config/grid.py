"""Points of a hyper-parameter grid, and the settings of a run at one point."""

import itertools
import re
from typing import Any

from avfusion.config.jobs import Grid, RunSettings
from avfusion.errors import ConfigError

CRITERION = (
    "mean over seeds of the best epoch's score on validation (pooled CCC, of classes UA, or as "
    "`train.select` says); ties: first in the file"
)
"""How a point is chosen; see `avfusion.runs.choose`."""


def points(grid: Grid) -> dict[str, dict[str, Any]]:
    """Return point name -> options, in the order of the config; the last key varies fastest.

    >>> list(points({"train.lr": [0.1, 0.01], "hidden": [4]}))
    ['train.lr=0.1,hidden=4', 'train.lr=0.01,hidden=4']
    """
    rows = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    return {_name(row): row for row in rows}


def at_point(settings: RunSettings, point: str) -> RunSettings:
    """Return the settings of the run of one grid point.

    Parameters
    ----------
    settings
        Settings of the fusion (`Study.run_settings`), with its grid.
    point
        Name of a point, as `points` returns it.

    Raises
    ------
    ConfigError
        If the fusion has no grid, or its grid has no such point.
    """
    known = points(settings.grid) if settings.grid else {}
    if point not in known:
        listed = ", ".join(known) or "it has no grid"
        raise ConfigError(f"{settings.fusion} has no grid point {point!r}. Its points: {listed}.")
    return with_options(settings, known[point]).updated(point=point)


def with_options(settings: RunSettings, options: dict[str, Any]) -> RunSettings:
    """Return the settings with a point's options set and the grid emptied."""
    train = settings.train.model_dump()
    model = dict(settings.options)
    for key, value in options.items():
        if key.startswith("train."):
            train[key.removeprefix("train.")] = value
        else:
            model[key] = value
    return settings.updated(train=train, options=model, grid={})


def _name(options: dict[str, Any]) -> str:
    """Return a folder name that spells out the options."""
    text = ",".join(f"{key}={value}" for key, value in options.items())
    return re.sub(r"[^A-Za-z0-9_.=,+-]", "_", text)
