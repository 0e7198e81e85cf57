"""What the numbers of a prediction mean, as JSON next to the other files."""

import json
import math
from dataclasses import asdict
from typing import Any

from avfusion.io.version import __version__
from avfusion.prediction.formats.names import as_text
from avfusion.prediction.prediction import Prediction


def description(prediction: Prediction) -> dict[str, Any]:
    """Return everything about a prediction except its rows, JSON-ready."""
    rows = prediction.table
    facts = {
        "avfusion": __version__,
        "key": prediction.key,
        "clip": prediction.clip,
        "bundle": prediction.bundle,
        "rows": len(rows),
        "persons": persons(prediction),
        "step_s": prediction.step_s,
        "targets": [asdict(target) for target in prediction.targets],
        "level": prediction.level,
        "interval": interval_meaning(prediction),
        "columns": {name: _column(prediction, name) for name in rows.columns},
        "doubts": [doubt._asdict() for doubt in prediction.doubts],
        "remarks": prediction.remarks,
        "options": prediction.options,
    }
    ready: dict[str, Any] = _ready(facts)
    return ready


def description_text(facts: dict[str, Any]) -> str:
    """Return the description as the text of a JSON file."""
    return json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def interval_meaning(prediction: Prediction) -> str:
    """Return what the columns `_low` and `_high` are, in a sentence."""
    ends = (
        f"<target>_low and <target>_high are the ends of an interval with a nominal coverage of "
        f"{100 * prediction.level:g} % for the rating at that time"
    )
    every_s = prediction.options.get("every_s")
    return f"{ends}, as means over {every_s:g} s." if every_s else f"{ends}."


def persons(prediction: Prediction) -> list[int]:
    """Return the numbers of the persons with rows; empty if no face was ever found.

    One followed person has the number of the first track.
    """
    numbers = [int(number) for number in prediction.table["track_id"].dropna().unique()]
    return sorted(numbers) if prediction.everyone else numbers[:1]


def _column(prediction: Prediction, name: str) -> dict[str, Any]:
    """Return meaning, type and, of targets, the range of a column."""
    entry: dict[str, Any] = {"meaning": prediction.columns.get(name, "")}
    entry["type"] = str(prediction.table[name].dtype)
    for target in prediction.targets:
        if name in (target.name, f"{target.name}_low", f"{target.name}_high"):
            entry["range"] = [target.low, target.high]
    return entry


def _ready(value: Any) -> Any:
    """Replace what JSON or UTF-8 cannot hold: NaN by null, odd bytes in names by a sign."""
    if isinstance(value, dict):
        return {as_text(str(key)): _ready(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [_ready(inner) for inner in value]
    if hasattr(value, "item"):  # a NumPy scalar
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if text.isascii() else text.encode(errors="replace").decode()
