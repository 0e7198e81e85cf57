"""Results as users take them: rows without the parts that they left out, in several formats."""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np

from avfusion.errors import AvfError
from avfusion.io.atomic import write_bytes
from avfusion.prediction.formats.describe import description, description_text
from avfusion.prediction.formats.look import span
from avfusion.prediction.formats.names import as_text, stem_of
from avfusion.prediction.formats.page import render
from avfusion.prediction.formats.player import Media
from avfusion.prediction.formats.tables import csv_text
from avfusion.prediction.prediction import Prediction

FORMATS = {"csv": "text/csv", "json": "application/json", "html": "text/html"}
"""Ending -> media type of what can be downloaded."""

MOST_RANGES = 200
_SLACK_S = 1e-6

Range = tuple[float, float]


def ranges_of(text: str) -> list[Range]:
    """Return the ranges of time in a text, in order and joined where they overlap.

    Raises
    ------
    AvfError
        If it is no such text.

    Examples
    --------
    >>> ranges_of("4-6,1-2.5,2-3"), ranges_of("")
    ([(1.0, 3.0), (4.0, 6.0)], [])
    """
    listed = list(filter(None, text.split(",")))
    if len(listed) > MOST_RANGES:
        raise AvfError(f"{len(listed)} ranges, expected {MOST_RANGES} at most. Join some.")
    joined: list[Range] = []
    for start_s, end_s in sorted(map(_range, listed)):
        if joined and start_s <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end_s)
        else:
            joined.append((start_s, end_s))
    return joined


def _range(text: str) -> Range:
    try:
        start_s, end_s = map(float, text.split("-"))
    except ValueError:
        start_s, end_s = math.nan, math.nan
    if not 0 <= start_s < end_s < math.inf:
        raise AvfError(f"{text!r}: expected START-END in seconds, such as 1.5-3.")
    return start_s, end_s


def without(prediction: Prediction, ranges: Sequence[Range]) -> Prediction:
    """Leave out the rows whose step overlaps a range; say so in remarks and options.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"time_s": [0.5, 1.0, 1.5, 2.0]})
    >>> every = Prediction(rows, (), 0.5, 0.95, {}, {}, {})
    >>> without(every, [(0.6, 1.0)]).table["time_s"].tolist()
    [0.5, 1.5, 2.0]
    """
    if not ranges:
        return prediction
    ends_s = prediction.table["time_s"].to_numpy(float)
    out = np.zeros(len(ends_s), bool)
    for start_s, end_s in ranges:
        out |= (ends_s > start_s + _SLACK_S) & (ends_s - prediction.step_s < end_s - _SLACK_S)
    listed = ", ".join(span(*each) for each in ranges)
    remark = f"Left out by the user: {listed} ({out.sum()} of {len(out)} rows)."
    return replace(
        prediction,
        table=prediction.table[~out].reset_index(drop=True),
        remarks=[*prediction.remarks, remark],
        options={**prediction.options, "left_out_s": [list(each) for each in ranges]},
    )


def content(prediction: Prediction, media: Media, form: str) -> bytes:
    """Return a result as the bytes of a file; `form` is one of `FORMATS`.

    The page refers to the clip by its name, so it plays the clip if both are in one folder.
    """
    if form == "html":
        source = quote(prediction.clip["name"].encode(errors="surrogateescape"))
        return render(prediction, media, source, embed=False).encode()
    if form == "json":
        rows = json.loads(prediction.table.to_json(orient="records", double_precision=15))
        return description_text({**description(prediction), "table": rows}).encode()
    return csv_text(prediction).encode()


def file_name(prediction: Prediction, form: str) -> str:
    """Return the name of a downloaded file."""
    return f"{as_text(stem_of(prediction.clip['name']))}.{form}"


def keep(prediction: Prediction, media: Media, folder: Path) -> Path:
    """Write all formats to a new folder within `folder` and return it; the clip is not kept."""
    stem, now = stem_of(prediction.clip["name"]), time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True, exist_ok=True)
    number, target = 1, folder / f"{stem}-{now}"
    while True:
        try:
            target.mkdir(mode=0o700)  # results are about people
            break
        except FileExistsError:
            number += 1
            target = folder / f"{stem}-{now}-{number}"
    for form in FORMATS:
        write_bytes(target / file_name(prediction, form), content(prediction, media, form))
    return target
