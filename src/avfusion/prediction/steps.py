"""Rows at another step: means over time."""

import numpy as np
import pandas as pd

from avfusion.errors import ConfigError


def averaged(table: pd.DataFrame, step_s: float, every_s: float) -> pd.DataFrame:
    """Return the means over each `every_s` of a table of predictions.

    Parameters
    ----------
    table
        See `Prediction.table`.
    step_s
        Time between its rows in seconds.
    every_s
        Time between the rows of the result in seconds, at least `step_s`.

    Returns
    -------
    DataFrame
        A row at the end of each `every_s` that has rows. Ends of intervals are means too, which is
        wider than the interval of the mean. `face` is true if a face is in any of the rows.

    Raises
    ------
    ConfigError
        If `every_s` is shorter than `step_s`.

    Examples
    --------
    >>> rows = pd.DataFrame({"time_s": [0.5, 1.0, 1.5], "track_id": 0, "valence": [0.0, 1.0, 0.5]})
    >>> averaged(rows, 0.5, 1.0).to_dict("list")
    {'time_s': [1.0, 2.0], 'track_id': [0, 0], 'valence': [0.5, 0.5]}
    """
    if every_s < step_s - 1e-9:
        raise ConfigError(
            f"--every {every_s:g}: the model has a step every {step_s:g} s. Give at least that."
        )
    number = np.ceil(np.round(table["time_s"] / every_s, 6)).astype(int)
    keys = [table["track_id"].fillna(-1).astype("Int64"), number]
    groups = table.drop(columns=["time_s", "track_id"]).astype(float).groupby(keys, sort=True)
    means = groups.mean().reset_index(names=["track_id", "time_s"])
    means["time_s"] = means["time_s"] * every_s
    means["track_id"] = means["track_id"].astype(table["track_id"].dtype).replace({-1: pd.NA})
    if "face" in means:
        means["face"] = means["face"] > 0
    return means[list(table.columns)]
