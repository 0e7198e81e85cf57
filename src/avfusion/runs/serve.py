"""A trained run as a function from a table of features to the corpus' targets.

MLflow serves it (avfusion.tracking.served); it can also be called without MLflow.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.config.jobs import TrainedSettings
from avfusion.config.modalities import MODALITIES
from avfusion.errors import AvfError
from avfusion.features.windows import join, stride_of
from avfusion.models.model import Model, build
from avfusion.runs.files import checked
from avfusion.runs.inputs import off_baseline
from avfusion.training.checkpoint import load_weights
from avfusion.training.loop import deterministic

SLACK_S = 1e-3


@dataclass(frozen=True)
class Served:
    """Weights and settings of one run; `predict` needs no other file."""

    settings: TrainedSettings
    model: Model

    @classmethod
    def open(cls, weights: Path) -> "Served":
        """Open a best.safetensors, whose metadata holds the settings of its run.

        Raises
        ------
        DamagedError
            If the file is damaged or of another schema version.
        """
        tensors, document = load_weights(weights)
        remedy = "Run `snakemake all`, which trains and records the run again."
        settings = checked(TrainedSettings, document, weights, remedy)
        read = [name for name in MODALITIES if f"{name}.mean" in tensors]
        model = build(settings, *(len(tensors[f"{name}.mean"]) for name in read))
        model.load_state_dict(tensors)
        return cls(settings, model.eval())

    @property
    def targets(self) -> tuple[str, ...]:
        """What is predicted, in the corpus' unit."""
        return self.settings.rating.names

    def columns(self) -> dict[str, list[str]]:
        """Return modality -> columns in order: `audio_0`, `audio_1`, …; encoders side by side."""
        read = self.settings.features.by_modality
        widths = {name: len(getattr(self.model, name).mean) for name in read}
        return {name: [f"{name}_{i}" for i in range(width)] for name, width in widths.items()}

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Predict every target for every row.

        Parameters
        ----------
        frame
            Columns `video, time_s, audio_0, …, video_0, …`. The rows of a video are hop_s apart,
            in any order; NaN means that the modality is absent. Give complete videos: windows,
            and a baseline of `video`, use more than one row.

        Returns
        -------
        pandas.DataFrame
            One column per target, with the index of `frame`.

        Raises
        ------
        AvfError
            If columns are missing or a row is not on the grid.
        """
        columns = self.columns()
        needed = ["video", "time_s", *(column for part in columns.values() for column in part)]
        missing = [column for column in needed if column not in frame.columns]
        if missing:
            raise AvfError(
                f"The table lacks {len(missing)} of {len(needed)} columns, such as {missing[0]!r}. "
                f"Features of {self.settings.features.by_modality} in this order are expected."
            )
        position = np.arange(len(frame))
        predicted = np.full((len(frame), len(self.targets)), np.nan)
        for video, rows in frame.assign(_row=position).groupby("video", sort=False):
            rows = rows.sort_values("time_s")
            self._check_grid(str(video), rows["time_s"].to_numpy(float))
            modalities = [rows[part].to_numpy() for part in columns.values()]
            predicted[rows["_row"]] = self._video(modalities)
        return pd.DataFrame(predicted, index=frame.index, columns=list(self.targets))

    def _video(self, modalities: list[np.ndarray]) -> np.ndarray:
        """Return predictions (R, K) from one video's features, each (R, D)."""
        cuts, rating = self.settings.windows, self.settings.rating
        rows = [part.astype(np.float32) for part in modalities]
        if self.settings.train.baseline == "video":
            rows = [off_baseline(part) for part in rows]
        blank = np.full((len(rows[0]), len(self.targets)), np.nan, np.float32)
        windows = join(iter([(*rows[:2], blank, *rows[2:])]), cuts.clips, stride_of(cuts))
        with deterministic(self.settings.seed):
            return rating.outward(windows.predict(self.model).numpy())

    def _check_grid(self, video: str, time_s: np.ndarray) -> None:
        hop_s = self.settings.windows.hop_s
        wrong = np.flatnonzero(np.abs(np.diff(time_s) - hop_s) > SLACK_S)
        if len(wrong):
            at = time_s[wrong[0]]
            raise AvfError(
                f"Video {video!r}: the row after {at:g} s is at {time_s[wrong[0] + 1]:g} s, "
                f"expected {at + hop_s:g} s. Give a row every {hop_s:g} s, NaN where absent."
            )
