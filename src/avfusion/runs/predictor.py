"""Open a trained run: its model and the features that it was trained on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.config.jobs import TrainedSettings
from avfusion.errors import TrainError
from avfusion.features.windows import Windows
from avfusion.layout import Layout
from avfusion.models.model import Model, build
from avfusion.rating import in_unit
from avfusion.runs.files import WEIGHTS, checked, train_command
from avfusion.runs.inputs import Inputs
from avfusion.training import device
from avfusion.training.checkpoint import load_weights
from avfusion.training.loop import deterministic


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
    def open(cls, folder: Path, layout: Layout) -> "Trained":
        """Open the run in `folder`; refuses one whose features have changed since training."""
        path, remedy = folder / WEIGHTS, f"Run `{train_command(folder)}`."
        weights, document = load_weights(path)
        settings = checked(TrainedSettings, document, path, remedy)
        data = Inputs.read(settings, layout)
        if data.hashes() != {k: v for k, v in settings.inputs.items() if k != "gold"}:
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
        """Return a partition's rows of traces.parquet: `video, partition, time_s`, targets."""
        rows = self.rows(partition)
        rows.insert(1, "partition", partition)
        return rows.assign(**self.predict(self.data.windows(partition)))

    def predict(self, windows: Windows) -> dict[str, np.ndarray]:
        """Return target -> predictions (R,) in the corpus' unit, as training writes them."""
        with deterministic(self.settings.seed):
            return in_unit(windows.predict(self.model), self.settings.rating)
