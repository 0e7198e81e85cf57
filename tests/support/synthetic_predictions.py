"""Predictions of small clips without a trained model, for the tests of the formats."""

from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.prediction.prediction import Doubt, Prediction, Target
from support import odd_videos

AFFECT = (Target("valence", -1.0, 1.0), Target("arousal", -1.0, 1.0))


def clip(folder: Path, name: str = "talk.mp4", seconds: float = 4.0, sound: bool = True) -> Path:
    """A video of a painted face with a tone; frames are numbered."""
    folder.mkdir(parents=True, exist_ok=True)
    images = odd_videos.pictures(round(seconds * odd_videos.FPS))
    audio = [(0.0, odd_videos.tone(seconds))] if sound else None
    return odd_videos.write(folder / name, images, audio=audio)


def predict(
    path: Path,
    seconds: float = 4.0,
    persons: int | None = 1,
    targets: tuple[Target, ...] = AFFECT,
    step_s: float = 0.16,
    **changes: object,
) -> Prediction:
    """Slow waves with intervals; `persons` is None for a clip without a face.

    The last second of person 0 (of a short clip, the last quarter) has no face and no prediction.
    """
    rng = np.random.default_rng(3)
    times_s = np.round(step_s * np.arange(1, int(seconds / step_s + 1e-9) + 1), 6)
    tables = [_rows(times_s, p, targets, rng) for p in range(persons or 1)]
    table = pd.concat(tables, ignore_index=True)
    if persons is None:
        table["track_id"] = pd.array([pd.NA] * len(table), "Int64")
        table["face"], table["face_score"] = False, np.nan
    doubts = [
        Doubt(1.0, 2.0, "the face is turned away", 0),
        Doubt(1.5, 2.5, "two people speak"),
    ]
    given: dict[str, object] = {
        "table": table,
        "targets": targets,
        "step_s": step_s,
        "level": 0.95,
        "clip": {
            "name": path.name,
            "path": str(path.absolute()),
            "sha256": "0" * 64,
            "duration_s": seconds,
            "start_s": 0.0,
            "end_s": seconds,
        },
        "bundle": {
            "name": "demo_jca",
            "id": "a1b2c3",
            "corpus": "demo",
            "fusion": "jca",
            "members": 3,
            "terms": "MIT",
        },
        "columns": _meanings(targets),
        "doubts": doubts,
        "remarks": ["the sound is only in the left channel"],
        "options": {"face": "largest"},
        "key": "k1",
        "everyone": (persons or 1) > 1,
    }
    return Prediction(**{**given, **changes})


def _rows(
    times_s: np.ndarray, person: int, targets: tuple[Target, ...], rng: np.random.Generator
) -> pd.DataFrame:
    count = len(times_s)
    columns: dict[str, object] = {
        "time_s": times_s,
        "track_id": pd.array([person] * count, "Int64"),
    }
    unseen_s = min(1.0, times_s[-1] / 4)
    seen = ~((times_s > times_s[-1] - unseen_s) & (person == 0) & (count > 1))
    for number, target in enumerate(targets):
        middle, half = (target.low + target.high) / 2, (target.high - target.low) / 2
        wave = 0.5 * np.sin(times_s / (2 + number + person) + number + 2 * person)
        value = middle + half * (wave + rng.normal(0, 0.03, count))
        value = np.where(seen, value, np.nan)
        columns[target.name] = value
        columns[f"{target.name}_low"] = value - 0.2 * half
        columns[f"{target.name}_high"] = value + 0.25 * half
    columns["face"] = seen
    columns["face_score"] = np.where(seen, 0.9, np.nan)
    columns["voiced"] = np.clip(0.5 + 0.7 * np.sin(times_s * 1.3), 0, 1)
    columns["gate_audio"] = 0.5 + 0.3 * np.sin(times_s / 3)
    columns["unlike_training"] = 0.4 + 0.2 * np.cos(times_s)
    return pd.DataFrame(columns)


def _meanings(targets: tuple[Target, ...]) -> dict[str, str]:
    meanings = {
        "time_s": "End of the step in seconds; 0 is the first picture.",
        "track_id": "The person.",
        "face": "Whether a face of the person is in the step.",
        "face_score": "Score of the face, 0 to 1.",
        "voiced": "Probability of speech, 0 to 1.",
        "gate_audio": "Weight of the attended audio features, 0 to 1.",
        "unlike_training": "Distance of the features from the training features; 1 is far.",
    }
    for t in targets:
        meanings[t.name] = f"Predicted {t.name}, {t.low:g} to {t.high:g}."
        meanings[f"{t.name}_low"] = f"Lower end of the interval of {t.name}."
        meanings[f"{t.name}_high"] = f"Upper end of the interval of {t.name}."
    return meanings
