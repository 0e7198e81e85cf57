"""What the script of the page draws, and the texts that stand for the drawings."""

from typing import Any

import numpy as np
import pandas as pd

from avfusion.prediction.formats.look import DASHES, PERSONS, span
from avfusion.prediction.formats.names import as_text
from avfusion.prediction.formats.player import Media
from avfusion.prediction.formats.steps import (
    changes,
    digits,
    label,
    printed,
    scale,
    tracks,
    voice,
)
from avfusion.prediction.prediction import Prediction

_DECIMALS = 4  # of times, and of values relative to their scale; the tables have all digits


def data_of(prediction: Prediction, media: Media) -> dict[str, Any]:
    """Return times, values and doubts as lists; null is a missing value. All rows are there."""
    times_s = prediction.table["time_s"]
    people = list(tracks(prediction))
    voiced = voice(prediction)
    return {
        "step": prediction.step_s,
        "shift": media.shift_s,
        "start": max(0.0, float(times_s.min() - prediction.step_s)) if len(times_s) else 0.0,
        "end": float(times_s.max()) if len(times_s) else float(prediction.clip["duration_s"]),
        "targets": [
            {"name": as_text(t.name), "low": t.low, "high": t.high, "digits": digits(t)}
            for t in prediction.targets
        ],
        "people": [_person(prediction, track_id, rows) for track_id, rows in people],
        "voiced": {"time": _listed(voiced["time_s"]), "value": _listed(voiced["voiced"])},
        "changes": changes(prediction),
        "doubts": [
            {"start": d.start_s, "end": d.end_s, "person": d.track_id, "reason": as_text(d.reason)}
            for d in prediction.doubts
        ],
    }


def doubts_listed(prediction: Prediction) -> list[dict[str, Any]]:
    """Return start, span, person and reason of each doubt as text."""
    return [
        {
            "start": doubt.start_s,
            "span": span(doubt.start_s, doubt.end_s),
            "who": "" if doubt.track_id is None else label(doubt.track_id),
            "reason": as_text(doubt.reason),
        }
        for doubt in sorted(prediction.doubts, key=lambda doubt: doubt.start_s)
    ]


def summaries(prediction: Prediction) -> list[dict[str, str]]:
    """Return title and description of each drawing of the page, targets first."""
    panels = []
    for target in prediction.targets:
        parts = [
            f"{label(track_id)}: {_summary(rows[target.name], target)}"
            for track_id, rows in tracks(prediction)
        ]
        name = as_text(target.name)
        about = f"{name} over time. {'; '.join(parts)}."
        panels.append({"kind": "target", "title": f"{name}, {scale(target)}", "about": about})
    voiced = prediction.table["voiced"].dropna()
    if len(voiced):
        about = f"Probability of speech over time, {voiced.mean():.2f} on average."
        panels.append({"kind": "voiced", "title": "Probability of speech, 0 to 1", "about": about})
    return panels


def _summary(values: pd.Series, target: Any) -> str:
    known = values.dropna()
    if not len(known):
        return "nothing could be predicted"
    mean, low, high = (printed(float(v), target) for v in (known.mean(), known.min(), known.max()))
    missing = 100 * (1 - len(known) / len(values))
    gaps = f", no prediction in {missing:.0f} % of the steps" if missing else ""
    return f"mean {mean}, from {low} to {high}{gaps}"


def _person(prediction: Prediction, track_id: int | None, rows: pd.DataFrame) -> dict[str, Any]:
    names = [f"{t.name}{end}" for t in prediction.targets for end in ("", "_low", "_high")]
    number = track_id or 0
    return {
        "id": track_id,
        "label": label(track_id),
        "colour": f"--p{number % len(PERSONS)}",
        "dash": list(DASHES[number % len(DASHES)]),
        "time": _listed(rows["time_s"]),
        "values": [_listed(rows[name]) for name in names],
    }


def _listed(column: pd.Series) -> list[float | None]:
    values = np.round(column.to_numpy(float), _DECIMALS)
    return [None if value != value else float(value) for value in values]
