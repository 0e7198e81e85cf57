"""A small clip of a drawn person in every bundle, and whether this machine predicts the same."""

import io
from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.corpora.demo.example import example_clip
from avfusion.io.atomic import file_digest, write_text
from avfusion.prediction.bundle import Bundle
from avfusion.prediction.clip import predict_clip
from avfusion.prediction.document import Check, File
from avfusion.prediction.prediction import Prediction

TOLERANCE = 1e-3
"""Share of the scale: features are rounded to float16, and processors round differently."""

SECONDS = 6.0
SEED = 16


def add_check(bundle: Bundle) -> Check:
    """Write a clip and its predictions into the folder of a bundle that is being made."""
    folder = bundle.folder / "check"
    clip = example_clip(folder / "clip.mp4", SECONDS, SEED)
    expected = folder / "expected.csv"
    write_text(expected, _rows(predict_clip(clip, bundle)).to_csv(index=False))
    return Check(
        clip=_file(clip, bundle.folder),
        expected=_file(expected, bundle.folder),
        tolerance=TOLERANCE,
    )


def difference(bundle: Bundle) -> float:
    """Return the greatest difference from what is expected, as a share of the scale.

    It is infinite if other rows are predicted.
    """
    check = bundle.document.check
    assert check is not None, "bundle.json has no check"
    expected = pd.read_csv(io.StringIO(bundle.path(check.expected).read_text(encoding="utf-8")))
    predicted = _rows(predict_clip(bundle.path(check.clip), bundle))
    if list(predicted.columns) != list(expected.columns) or len(predicted) != len(expected):
        return float("inf")
    low, high = bundle.document.range
    gap = np.abs(predicted.to_numpy(float) - expected.to_numpy(float)) / (high - low)
    same = np.isnan(predicted.to_numpy(float)) & np.isnan(expected.to_numpy(float))
    return float(np.where(same, 0, gap).max())


def _rows(prediction: Prediction) -> pd.DataFrame:
    return prediction.table[["time_s", *(target.name for target in prediction.targets)]]


def _file(path: Path, folder: Path) -> File:
    return File(path=path.relative_to(folder).as_posix(), sha256=file_digest(path).hex())
