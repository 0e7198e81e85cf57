"""A bundle as a function from a table, of clips or of their features, to predictions.

MLflow serves it (avfusion.tracking.served_clips); it can also be called without MLflow.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.errors import AvfError
from avfusion.prediction.api import predict
from avfusion.prediction.bundle import Bundle
from avfusion.prediction.members import combined
from avfusion.runs.serve import videos_of

OPTIONS = {"face": str, "start_s": float, "end_s": float, "every_s": float, "transcript": str}
"""Columns or parameters that state what to predict of a clip, as in `avfusion.predict`."""


def columns_of(bundle: Bundle) -> dict[str, list[str]]:
    """Return encoder -> columns of its features in order: `<encoder>_0`, `<encoder>_1`, …"""
    return {
        name: [f"{name}_{index}" for index in range(len(outlook.mean))]
        for name, outlook in bundle.outlooks.items()
    }


def predict_frame(
    bundle: Bundle, frame: pd.DataFrame, options: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Predict every clip, or every row of features.

    Parameters
    ----------
    bundle
        The model.
    frame
        A table of clips: `path`, and columns of `OPTIONS` where a clip has its own. Or a table of
        features: `video`, `time_s` and `<encoder>_<i>` of every encoder of the bundle. The rows of
        a video are `hop_s` apart, in any order, and NaN where a modality is absent. Give complete
        videos, because windows use more than one row.
    options
        Options of all clips. A value in the row of a clip replaces them.

    Returns
    -------
    DataFrame
        For clips, `path` and the rows of `avfusion.predict`; `attrs["clips"]` holds the `attrs`
        of each clip, such as its doubts, in the order of `frame`. For features, targets with their
        intervals, gates and `unlike_training`, with the index of `frame`.

    Raises
    ------
    AvfError
        If the table is of neither kind, or of both; if a clip cannot be read; or if the features
        are not those of the bundle.
    """
    given = {name: value for name, value in (options or {}).items() if not _blank(value)}
    _refuse_unknown("options", given, OPTIONS)
    features = [column for part in columns_of(bundle).values() for column in part]
    if "path" not in frame.columns:
        if "video" not in frame.columns:
            raise AvfError(
                f"The table has the columns {_some(frame.columns)}. Give clips in a column `path`, "
                f"or features in `video`, `time_s`, {_some(features)}."
            )
        if given:
            raise AvfError(f"{', '.join(given)}: only for a table of clips. Leave them out.")
        return _of_features(bundle, frame)
    mixed = [column for column in frame.columns if column in {"video", "time_s", *features}]
    if mixed:
        raise AvfError(
            f"The table has clips (`path`) and features ({_some(mixed)}). Give two tables."
        )
    _refuse_unknown("columns", frame.columns, {"path": str, **OPTIONS})
    return _of_clips(bundle, frame, given)


def _of_clips(bundle: Bundle, frame: pd.DataFrame, options: dict[str, Any]) -> pd.DataFrame:
    if frame.empty:
        raise AvfError("The table has no row. Give the file of a clip in each row of `path`.")
    tables, about = [], []
    for number, row in enumerate(frame.to_dict("records")):
        stated = {str(name): value for name, value in row.items() if not _blank(value)}
        path = stated.pop("path", None)
        if not isinstance(path, str | Path):
            raise AvfError(f"Row {number}: `path` is {path!r}. Give the file of a clip.")
        table = predict(path, bundle, **_typed({**options, **stated}, number))
        about.append(table.attrs)
        table.attrs = {}
        table.insert(0, "path", str(path))
        tables.append(table)
    result = pd.concat(tables, ignore_index=True)
    result.attrs = {"clips": about}
    return result


def _of_features(bundle: Bundle, frame: pd.DataFrame) -> pd.DataFrame:
    document = bundle.document
    videos = videos_of(frame, columns_of(bundle), document.windows.hop_s, document.features)
    tables = [
        combined(video, bundle, rows).set_axis(frame.index[at]).assign(_row=at)
        for video, at, rows in videos
    ]
    if not tables:
        raise AvfError("The table has no row with a `video`. Give a row per step of each video.")
    result = pd.concat(tables).sort_values("_row").drop(columns="_row")
    if len(result) != len(frame):
        raise AvfError(f"{len(frame) - len(result)} rows have no `video`. Name it in each row.")
    return result


def _typed(options: dict[str, Any], number: int) -> dict[str, Any]:
    """Return options with numbers as numbers; a table that was read from a file has texts."""
    typed = {}
    for name, value in options.items():
        try:
            typed[name] = OPTIONS[name](value)
        except (TypeError, ValueError):
            raise AvfError(f"Row {number}: `{name}` is {value!r}. Give seconds.") from None
    return typed


def _refuse_unknown(what: str, names: Any, known: Mapping[str, Any]) -> None:
    unknown = [str(name) for name in names if name not in known]
    if unknown:
        raise AvfError(f"Unknown {what}: {_some(unknown)}. Known: {', '.join(known)}.")


def _blank(value: Any) -> bool:
    """Return whether a value was left out: None, NaN or an empty text."""
    return value is None or value == "" or (isinstance(value, float) and value != value)


def _some(names: Any) -> str:
    listed = [str(name) for name in names]
    return ", ".join(listed[:4]) + (f" and {len(listed) - 4} more" if len(listed) > 4 else "")
