"""Write predictions as a database of audformat (audeering.github.io/audformat), a folder."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.encoders.extras import needed
from avfusion.io.halves import half_name
from avfusion.prediction.formats.describe import description, interval_meaning
from avfusion.prediction.formats.names import as_text
from avfusion.prediction.formats.steps import label, tracks
from avfusion.prediction.prediction import Prediction


def write_audformat(prediction: Prediction, path: Path, embed: bool) -> None:
    """Write a database with a table for each person, a segment for each step.

    The index names the clip without its folder, which the header has under `clip`. Tables are
    Parquet.

    Raises
    ------
    AvfError
        If audformat is not installed.
    """
    del embed
    audformat = needed("audformat", "the format audformat")
    half = path.with_name(half_name(f".{path.name}"))
    try:
        _database(audformat, prediction).save(str(half), storage_format="parquet")
        shutil.rmtree(path, ignore_errors=True)
        os.replace(half, path)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _database(audformat: Any, prediction: Prediction) -> Any:
    facts = description(prediction)
    database = audformat.Database(
        as_text(prediction.clip["name"]),
        source="avf predict",
        usage="other",
        description=f"Predictions, not ratings. {interval_meaning(prediction)}",
        meta={key: facts[key] for key in ("avfusion", "key", "clip", "bundle", "level", "options")},
    )
    database.meta.update({key: facts[key] for key in ("doubts", "remarks", "step_s")})
    database.raters["model"] = audformat.Rater("machine", description=facts["bundle"].get("name"))
    names = [name for name in prediction.table.columns if name not in ("time_s", "track_id")]
    for name in names:
        entry = facts["columns"][name]
        dtype = "bool" if pd.api.types.is_bool_dtype(prediction.table[name]) else "float"
        # Intervals may reach beyond the scale, so the range is information and no limit.
        meta = {"range": entry["range"]} if "range" in entry else {}
        database.schemes[name] = audformat.Scheme(dtype, description=entry["meaning"], meta=meta)
    for track_id, rows in tracks(prediction):
        table = audformat.Table(_index(audformat, prediction, rows), description=label(track_id))
        database[label(track_id).replace(" ", "_")] = table
        for name in names:
            table[name] = audformat.Column(scheme_id=name, rater_id="model")
            table[name].set(rows[name].to_numpy())
    return database


def _index(audformat: Any, prediction: Prediction, rows: pd.DataFrame) -> Any:
    """Return the segments of the rows: each ends at `time_s`."""
    end_ns = np.round(1e9 * rows["time_s"].to_numpy(float)).astype("int64")
    start_ns = np.maximum(0, end_ns - round(1e9 * prediction.step_s))
    name = as_text(prediction.clip["name"])
    times = (pd.to_timedelta(start_ns, unit="ns"), pd.to_timedelta(end_ns, unit="ns"))
    return audformat.segmented_index([name] * len(rows), *times)
