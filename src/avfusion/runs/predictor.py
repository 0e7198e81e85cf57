"""A finished run, opened for another look: its model, and the features it was trained on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.errors import TrainError
from avfusion.features.windows import Windows
from avfusion.layout import Layout
from avfusion.models.model import Model, build
from avfusion.rating import in_unit
from avfusion.runs.files import command
from avfusion.runs.inputs import Inputs
from avfusion.training import device
from avfusion.training.checkpoint import load_weights
from avfusion.training.loop import deterministic


@dataclass(frozen=True)
class Trained:
    """A run's settings, its model with the best weights, and its inputs."""

    own: dict[str, Any]
    model: Model
    data: Inputs

    @classmethod
    def open(cls, folder: Path, layout: Layout) -> "Trained":
        """The run in `folder`; refuses one whose features have changed since it was trained."""
        weights, own = load_weights(folder / "best.safetensors")
        data = Inputs.read(own, layout)
        if data.hashes() != {k: v for k, v in own["inputs"].items() if k != "gold"}:
            raise TrainError(
                f"{folder}: its features have changed since it was trained. Run `{command(own)}`."
            )
        model = build(own, *data.dims())
        model.load_state_dict(weights)
        return cls(own, model.to(device.chosen()).eval(), data)

    def rows(self, partition: str) -> pd.DataFrame:
        """Video and clip end of every row of a partition's windows: `video, time_s`."""
        table = self.data.videos
        videos = table["video"][table["partition"] == partition]
        times = [self.data.times(video) for video in videos]
        names = np.repeat(videos.to_numpy(), [len(t) for t in times])
        return pd.DataFrame({"video": names, "time_s": np.concatenate(times)})

    def traces(self, partition: str) -> pd.DataFrame:
        """A partition as traces.parquet holds it: `video, partition, time_s`, targets."""
        rows = self.rows(partition)
        rows.insert(1, "partition", partition)
        return rows.assign(**self.predict(self.data.windows(partition)))

    def predict(self, windows: Windows) -> dict[str, np.ndarray]:
        """Every target (R,) for every row of the windows, as training wrote its traces."""
        with deterministic(self.own["seed"]):
            return in_unit(windows.predict(self.model), self.own)
