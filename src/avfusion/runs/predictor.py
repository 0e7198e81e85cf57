"""Open a trained run: its model and the features that it was trained on."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from avfusion.config import modalities
from avfusion.config.jobs import RunSettings, TrainedSettings
from avfusion.errors import TrainError
from avfusion.features.windows import Windows
from avfusion.layout import Layout
from avfusion.models.model import Model, build
from avfusion.rating import Rating, in_unit
from avfusion.runs import input_hashes
from avfusion.runs.files import WEIGHTS, checked, train_command
from avfusion.runs.inputs import Inputs
from avfusion.runs.shared import ReadInputs
from avfusion.training import device
from avfusion.training.checkpoint import load_weights
from avfusion.training.loop import deterministic

log = logging.getLogger(__name__)

EDGE = 1e-6
"""Share of the width of the scale that a prediction may pass its ends by, through rounding."""


@dataclass(frozen=True)
class Trained:
    """A trained run.

    Attributes
    ----------
    settings
        Settings that the weights carry.
    model
        The model with its best weights, in evaluation mode.
    data
        Features of all partitions.
    """

    settings: TrainedSettings
    model: Model
    data: Inputs

    @classmethod
    def open(cls, folder: Path, layout: Layout, read: ReadInputs = Inputs.read) -> "Trained":
        """Open the run in `folder`; refuses one whose features have changed since training."""
        path, remedy = folder / WEIGHTS, f"Run `{train_command(folder)}`."
        weights, document = load_weights(path)
        settings = checked(TrainedSettings, document, path, remedy)
        data = read(settings, layout)
        now = input_hashes.trained_on(data)
        if now != {k: v for k, v in settings.inputs.items() if k not in ("gold", "select")}:
            raise TrainError(
                f"{folder}: its features have changed since it was trained. "
                f"Run `{settings.command}`."
            )
        model = build(settings, *data.dims())
        model.load_state_dict(weights)
        return cls(settings, model.to(device.chosen()).eval(), data)

    def rows(self, partition: str) -> pd.DataFrame:
        """Return `video, time_s` of every row of a partition's windows."""
        table = self.data.videos
        videos = table["video"][table["partition"] == partition]
        times = [self.data.times(video) for video in videos]
        names = np.repeat(videos.to_numpy(), [len(t) for t in times])
        return pd.DataFrame({"video": names, "time_s": np.concatenate(times)})

    def traces(self, partition: str) -> pd.DataFrame:
        """Return a partition's rows of traces.parquet: identity, targets and `outside`."""
        rows = self.rows(partition)
        rows.insert(1, "partition", partition)
        rows = rows.assign(**self.predict(self.data.windows(partition, keep=False)))
        return rows.assign(outside=outside(rows, self.settings.rating))

    def predict(self, windows: Windows) -> dict[str, np.ndarray]:
        """Return target -> predictions (R,) in the corpus' unit, as training writes them.

        They are NaN in a recording without any of the modalities that the fusion reads.
        """
        with deterministic(self.settings.seed):
            prediction = windows.predict(self.model)
        prediction[windows.without(reads(self.settings))] = torch.nan
        return in_unit(prediction, self.settings.rating)


def reads(settings: RunSettings) -> tuple[str, ...]:
    """Return the modalities that a run's predictions depend on."""
    return modalities.read(settings.class_, settings.options)


def outside(table: pd.DataFrame, rating: Rating) -> np.ndarray:
    """Return which rows (R,) have a prediction beyond the scale of the corpus.

    >>> outside(pd.DataFrame({"pain": [0.0, 10.2, np.nan]}), Rating(("pain",), 0, 10)).tolist()
    [False, True, False]
    """
    values = table[list(rating.names)].to_numpy(float)
    slack = EDGE * (rating.high - rating.low)
    return ((values < rating.low - slack) | (values > rating.high + slack)).any(axis=1)


def warn_outside(name: str, table: pd.DataFrame, rating: Rating) -> None:
    """Log how many rows are beyond the scale of the corpus, and the furthest value."""
    beyond = table[list(rating.names)].to_numpy(float)[outside(table, rating)]
    if len(beyond):
        middle = (rating.low + rating.high) / 2
        furthest = beyond.flat[np.nanargmax(np.abs(beyond - middle))]
        log.warning(
            "%s: %d of %d rows have a prediction beyond the scale [%g, %g]; the furthest is %.3g",
            *(name, len(beyond), len(table), rating.low, rating.high, furthest),
        )
