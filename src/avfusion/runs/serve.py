"""A trained run as a function from a table of features to the corpus' targets.

MLflow serves it (avfusion.tracking.served); it can also be called without MLflow.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from avfusion.config.jobs import TrainedSettings
from avfusion.config.modalities import MODALITIES
from avfusion.errors import AvfError, DamagedError
from avfusion.features.arrange import off_baseline, side_by_side
from avfusion.features.windows import Windows, is_present, join, last_of, stride_of
from avfusion.models.model import Model, build
from avfusion.models.standardise import Standardise
from avfusion.runs.files import checked
from avfusion.runs.predictor import reads, warn_outside
from avfusion.runs.scaling import SHARE
from avfusion.training.checkpoint import load_weights
from avfusion.training.loop import deterministic

log = logging.getLogger(__name__)

SLACK_S = 1e-3


@dataclass(frozen=True)
class Served:
    """Weights and settings of one run; `predict` needs no other file."""

    settings: TrainedSettings
    model: Model

    @classmethod
    def open(cls, weights: Path, fusion: str | None = None) -> "Served":
        """Open a best.safetensors, whose metadata holds the settings of its run.

        Parameters
        ----------
        weights
            The file.
        fusion
            Class that the run must have, before it is built.

        Raises
        ------
        DamagedError
            If the file is damaged, of another schema version or of another class.
        """
        tensors, document = load_weights(weights)
        remedy = "Run `snakemake all`, which trains and records the run again."
        settings = checked(TrainedSettings, document, weights, remedy)
        if fusion is not None and settings.class_ != fusion:
            raise DamagedError(f"{weights}: of class {settings.class_}, expected {fusion}.")
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
            in any order. The modality is absent where all columns of one of its encoders are NaN;
            a single NaN is a missing feature. Give complete videos: windows, and a baseline of
            `video`, use more than one row.

        Returns
        -------
        pandas.DataFrame
            One column per target, with the index of `frame`. NaN in a video without any of the
            modalities that the fusion reads. A warning is logged if more than 1 % of a video's
            values are missing or far from the train partition's, and if predictions are beyond the
            scale of the corpus.

        Raises
        ------
        AvfError
            If columns are missing, a value is infinite or a row is not on the grid.
        """
        settings = self.settings
        predicted = np.full((len(frame), len(self.targets)), np.nan)
        listed, hop_s = settings.features.by_modality, settings.windows.hop_s
        for video, at, rows in videos_of(frame, self.columns(), hop_s, listed):
            predicted[at] = self._video(video, rows)
        table = pd.DataFrame(predicted, index=frame.index, columns=list(self.targets))
        warn_outside(f"{len(table)} rows", table, self.settings.rating)
        return table

    def _video(self, video: str, features: dict[str, np.ndarray]) -> np.ndarray:
        """Return predictions (R, K) from one video's features by modality, each (R, D)."""
        split = {
            name: np.split(part.astype(np.float32), self._ends(name), axis=1)
            for name, part in features.items()
        }
        return self.predicted(self.windows(video, split))

    def windows(self, video: str, features: Mapping[str, list[np.ndarray]]) -> Windows:
        """Return the windows of one video.

        Parameters
        ----------
        video
            Its name, for warnings.
        features
            Modality -> features (R, D) of each of its encoders, float32, in the order of
            `settings.features`. Rows are hop_s apart and begin at hop_s; NaN where absent.
        """
        cuts = self.settings.windows
        rows = {name: side_by_side(parts) for name, parts in features.items()}
        if self.settings.train.baseline == "video":
            rows = {name: off_baseline(part) for name, part in rows.items()}
        self._warn_limited(video, rows)
        count = len(next(iter(rows.values())))
        blank = np.full((count, len(self.targets)), np.nan, np.float32)
        absent = np.full((count, 1), np.nan, np.float32)  # a modality without encoders
        both = rows.get("audio", absent), rows.get("video", absent)
        given = iter([(*both, blank, *([rows["text"]] if "text" in rows else []))])
        return join(given, cuts.clips, stride_of(cuts), cuts.advance, last_of(cuts))

    def predicted(self, windows: Windows) -> np.ndarray:
        """Return predictions (R, K) for the windows of one video, in the unit of the corpus.

        They are NaN in a video without any of the modalities that the fusion reads.
        """
        with deterministic(self.settings.seed):
            prediction = windows.predict(self.model)
        prediction[windows.without(reads(self.settings))] = torch.nan
        return self.settings.rating.outward(prediction.numpy())

    def _ends(self, modality: str) -> list[int]:
        """Return the columns of a modality where its second and later encoders begin."""
        widths = self.settings.inputs.get("widths", {})
        encoders = self.settings.features.by_modality[modality]
        return np.cumsum([widths.get(name, 0) for name in encoders])[:-1].tolist()

    def _warn_limited(self, video: str, rows: dict[str, np.ndarray]) -> None:
        """Log the modalities with many values that are missing or far from the train partition."""
        for name, part in rows.items():
            scale: Standardise = getattr(self.model, name)
            x = torch.from_numpy(part)
            x = x[is_present(x)]
            if scale.kind == "none" or not len(x):
                continue
            far = (scale.beyond(x) | x.isnan()).float().mean(0)  # (D,)
            if far.mean() > SHARE:
                worst = int(far.argmax())
                log.warning(
                    "%s: %.1f%% of the %s values are missing or far from the train partition's, "
                    "most in %s_%d (%.1f%%); predictions are less certain",
                    *(video, 100 * far.mean(), name, name, worst, 100 * far[worst]),
                )


def videos_of(
    frame: pd.DataFrame,
    columns: Mapping[str, list[str]],
    hop_s: float,
    listed: Mapping[str, list[str]],
) -> Iterator[tuple[str, np.ndarray, dict[str, np.ndarray]]]:
    """Yield the videos of a table of features, in their order in the table.

    Parameters
    ----------
    frame
        Columns `video, time_s` and those of the features, with the rows of a video in any order.
    columns
        Group of features, such as a modality -> its columns in order.
    hop_s
        Time from one row of a video to the next, in seconds.
    listed
        Modality -> encoders, for the message.

    Yields
    ------
    video : str
        Its name.
    at : ndarray
        Positions of its rows (R,) in `frame`, ascending in time.
    rows : dict
        Group -> features (R, D).

    Raises
    ------
    AvfError
        If columns are missing, a value is infinite or a row is not on the grid.
    """
    needed = ["video", "time_s", *(column for part in columns.values() for column in part)]
    missing = [column for column in needed if column not in frame.columns]
    if missing:
        raise AvfError(
            f"The table lacks {len(missing)} of {len(needed)} columns, such as {missing[0]!r}. "
            f"Features of {dict(listed)} in this order are expected."
        )
    for video, rows in frame.assign(_row=np.arange(len(frame))).groupby("video", sort=False):
        rows = rows.sort_values("time_s")
        _check_grid(str(video), rows["time_s"].to_numpy(float), hop_s)
        features = {name: rows[part].to_numpy(float) for name, part in columns.items()}
        infinite = [c for part in columns.values() for c in part if np.isinf(rows[c]).any()]
        if infinite:
            raise AvfError(
                f"Video {video!r}: column {infinite[0]!r} has an infinite value. Give NaN "
                f"where a feature is missing."
            )
        yield str(video), rows["_row"].to_numpy(), features


def _check_grid(video: str, time_s: np.ndarray, hop_s: float) -> None:
    # Rows 1/29.97 s apart pass as 1/30 s one by one, but leave the grid over a video.
    expected_s = time_s[:1] + hop_s * np.arange(len(time_s))
    wrong = np.flatnonzero(np.abs(time_s - expected_s)[1:] > SLACK_S)
    if len(wrong):
        at, expected = time_s[wrong[0]], expected_s[wrong[0] + 1]
        raise AvfError(
            f"Video {video!r}: the row after {at:g} s is at {time_s[wrong[0] + 1]:g} s, "
            f"expected {expected:g} s. Give a row every {hop_s:g} s, NaN where absent."
        )
