"""Encode a record, let every member of a bundle predict, and combine what they predict."""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from avfusion.encoders.records import Record
from avfusion.errors import MediaError
from avfusion.features.windows import Windows
from avfusion.prediction import calibrate
from avfusion.prediction.bundle import Bundle
from avfusion.prediction.prediction import UNLIKE
from avfusion.robustness.gate_weights import gate_weights
from avfusion.runs.serve import Served
from avfusion.training.loop import deterministic


def encoded(bundle: Bundle, name: str, record: Record, ends_s: np.ndarray) -> np.ndarray:
    """Return the features of one encoder, float16 (R, D), as a study stores them.

    Raises
    ------
    MediaError
        If a feature is beyond the range of float16.
    """
    with deterministic(seed=0):
        rows = bundle.encoders[name].encode(record, ends_s, bundle.document.windows.clip_s)
    with np.errstate(over="ignore"):
        rounded: np.ndarray = np.asarray(rows).astype(np.float16)
    if np.isinf(rounded).any():
        at = int(np.isinf(rounded).any(1).argmax())
        raise MediaError(
            f"{name} gave a feature beyond the range of float16 at {ends_s[at]:g} s. Check the "
            f"recording there, or leave the span out with --start and --end."
        )
    return rounded


def unread(bundle: Bundle, rows: int) -> dict[str, np.ndarray]:
    """Return absent features, NaN (R, D), of the encoders that the fusion does not read."""
    ignored = [name for name in bundle.document.encoders if name not in bundle.read]
    return {
        name: np.full((rows, len(bundle.outlooks[name].mean)), np.nan, np.float16)
        for name in ignored
    }


def member_rows(
    name: str, members: Sequence[Served], features: dict[str, np.ndarray]
) -> Iterator[tuple[Served, Windows]]:
    """Yield each member and the windows of its own encoders' features."""
    for member in members:
        by_modality = member.settings.features.by_modality
        parts = {
            kind: [features[encoder].astype(np.float32) for encoder in names]
            for kind, names in by_modality.items()
            if names
        }
        yield member, member.windows(name, parts)


def combined(name: str, bundle: Bundle, features: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return predictions with intervals, gates and the distance from training, a row per step.

    Parameters
    ----------
    name
        Name of the clip, for warnings.
    bundle
        The model.
    features
        Encoder -> features (R, D).
    """
    document = bundle.document
    each: list[np.ndarray] = []
    gates: dict[str, list[np.ndarray]] = {}
    for member, windows in member_rows(name, bundle.members, features):
        each.append(member.predicted(windows))
        with deterministic(member.settings.seed):
            for gate, weights in gate_weights(member.model, windows).items():
                gates.setdefault(gate, []).append(weights)
    values = np.stack(each).astype(np.float64)  # (M, R, K)
    columns: dict[str, np.ndarray] = {}
    for index, target in enumerate(document.targets):
        of = values[..., index]
        middle = of.mean(0)
        low, high = calibrate.ends(of, document.calibration.intervals[target], *document.range)
        columns |= {target: middle, f"{target}_low": low, f"{target}_high": high}
    columns |= {gate: np.mean(weights, 0) for gate, weights in gates.items()}
    columns[UNLIKE] = _furthest(
        bundle.outlooks[encoder].distance(features[encoder])
        for names in document.features.values()  # of what the fusion reads
        for encoder in names
    )
    return pd.DataFrame(columns)


def _furthest(distances: Iterable[np.ndarray]) -> np.ndarray:
    """Return the greatest distance of each row (R,); NaN where no encoder has one."""
    every = np.stack(list(distances))
    filled = np.where(np.isnan(every), -math.inf, every).max(0)
    return np.where(np.isinf(filled), np.nan, filled)
