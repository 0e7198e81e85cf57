"""The comparison of two fusions in the tables of comparisons: the declared one, if there is one."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd


def against(
    tables: Iterable[pd.DataFrame], first: str, second: str, target: str
) -> dict[str, Any] | None:
    """Return the comparison of two fusions, with the sign of `first` minus `second`.

    Parameters
    ----------
    tables
        Rows of comparisons.csv; declared ones count before exploratory ones.
    first, second
        Names of the fusions, in any order of the tables.
    target
        A target, or "mean".

    Returns
    -------
    dict or None
        The row, its difference and interval turned where needed; None if it was not compared.
    """
    matches = []
    for table in tables:
        rows = table[(table["target"] == target) & table["difference"].notna()]
        for sign, one, other in ((1, first, second), (-1, second, first)):
            match = rows[(rows["fusion"] == one) & (rows["other"] == other)]
            matches += [(sign, row) for row in match.to_dict("records")]
    if not matches:
        return None
    sign, row = min(matches, key=lambda each: bool(each[1]["exploratory"]))
    low, high = np.sort(sign * np.array([row["low"], row["high"]]))
    ends = {"low": float(low), "high": float(high)}
    return {**row, "fusion": first, "other": second, "difference": sign * row["difference"], **ends}
