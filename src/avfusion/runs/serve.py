"""A finished run as a function from a table of features to the corpus' targets.

What MLflow serves (see record_model.py), kept apart from it so that anybody can call it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.modalities import MODALITIES
from avfusion.errors import AvfError
from avfusion.features.windows import join
from avfusion.models.model import Model, build
from avfusion.rating import Rating
from avfusion.runs.inputs import off_baseline
from avfusion.training.checkpoint import load_weights
from avfusion.training.loop import deterministic

SLACK_S = 1e-3


@dataclass(frozen=True)
class Served:
    """Weights and settings of one run; `predict` needs no file besides."""

    own: dict[str, Any]
    model: Model

    @classmethod
    def open(cls, weights: Path) -> "Served":
        """The run behind a best.safetensors, whose metadata holds its settings."""
        tensors, own = load_weights(weights)
        read = [name for name in MODALITIES if f"{name}.mean" in tensors]
        model = build(own, *(len(tensors[f"{name}.mean"]) for name in read))
        model.load_state_dict(tensors)
        return cls(own, model.eval())

    @property
    def targets(self) -> tuple[str, ...]:
        """What is predicted, in the corpus' own unit."""
        return Rating.of(self.own).names

    def columns(self) -> dict[str, list[str]]:
        """Modality -> its columns in order: `audio_0`, `audio_1`, …; encoders side by side."""
        read = [name for name in MODALITIES if name in self.own["features"]]
        widths = {name: len(getattr(self.model, name).mean) for name in read}
        return {name: [f"{name}_{i}" for i in range(width)] for name, width in widths.items()}

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Every target for every row of `video, time_s, audio_0, …, video_0, …`.

        Rows of a video lie every hop_s, in any order; NaN = the modality is absent. Give whole
        videos: windows, and a baseline of `video`, look at more than one row.
        """
        names = self.columns()
        needed = ["video", "time_s", *(column for own in names.values() for column in own)]
        lacking = [column for column in needed if column not in frame.columns]
        if lacking:
            raise AvfError(
                f"The table lacks {len(lacking)} of {len(needed)} columns, such as {lacking[0]!r}. "
                f"Features of {self.own['features']} in this order are expected."
            )
        place = np.arange(len(frame))
        found = np.full((len(frame), len(self.targets)), np.nan)
        for video, rows in frame.assign(_row=place).groupby("video", sort=False):
            rows = rows.sort_values("time_s")
            self._check_grid(str(video), rows["time_s"].to_numpy(float))
            found[rows["_row"]] = self._video([rows[own].to_numpy() for own in names.values()])
        return pd.DataFrame(found, index=frame.index, columns=list(self.targets))

    def _video(self, modalities: list[np.ndarray]) -> np.ndarray:
        """Predictions (R, K) from one video's features, each (R, D)."""
        cuts = self.own["windows"]
        rows = [part.astype(np.float32) for part in modalities]
        if self.own["train"].get("baseline") == "video":
            rows = [off_baseline(part) for part in rows]
        blank = np.full((len(rows[0]), len(self.targets)), np.nan, np.float32)
        given = iter([(*rows[:2], blank, *rows[2:])])
        windows = join(given, cuts["clips"], round(cuts["clip_s"] / cuts["hop_s"]))
        with deterministic(self.own["seed"]):
            return Rating.of(self.own).outward(windows.predict(self.model).numpy())

    def _check_grid(self, video: str, time_s: np.ndarray) -> None:
        hop_s = self.own["windows"]["hop_s"]
        wrong = np.flatnonzero(np.abs(np.diff(time_s) - hop_s) > SLACK_S)
        if len(wrong):
            at = time_s[wrong[0]]
            raise AvfError(
                f"Video {video!r}: the row after {at:g} s lies at {time_s[wrong[0] + 1]:g} s, "
                f"expected {at + hop_s:g} s. Give a row every {hop_s:g} s, NaN where absent."
            )
