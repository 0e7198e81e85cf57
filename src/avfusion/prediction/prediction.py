"""What was predicted for one clip: a table over time, and what its numbers mean."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from avfusion.config.sections import TimeZero

SIGNS = ("face", "face_score", "voiced")
"""Columns after the targets; gates and `unlike_training` follow."""

UNLIKE = "unlike_training"
"""Distance of the features from the training features; 1 is far."""


class Doubt(NamedTuple):
    """A span of the clip, or all of it, in which a prediction should not be trusted, and why.

    `track_id` is None if it concerns every person.
    """

    start_s: float
    end_s: float
    reason: str
    track_id: int | None = None


@dataclass(frozen=True)
class Target:
    """One predicted dimension and the ends of its scale, in the unit of the corpus."""

    name: str
    low: float
    high: float


@dataclass(frozen=True)
class Prediction:
    """The predictions for one clip.

    Attributes
    ----------
    table
        One row per time step and person. With every person, ascending in `track_id`, then `time_s`;
        else the rows of one followed person, ascending in `time_s`:

        - `time_s`: the end of the step in seconds; 0 is what `time_zero` says.
        - `track_id`: the person, 0, 1, …; missing (NA) if no face was ever found. Of one followed
          person, the track of its face: it changes where the tracker starts again.
        - `<target>`, `<target>_low`, `<target>_high`: the prediction and its interval, NaN where
          nothing can be predicted.
        - `face` (bool): whether a face of the person is in the step; `face_score` (0 to 1), NaN
          without one.
        - `voiced` (0 to 1): probability of speech, NaN without sound.
        - `gate_…` and `high_…`: gate weights, if the fusion has gates.
        - `unlike_training`: distance of the features from the training features, the greatest over
          encoders. Of each encoder, 1 is the distance that 1 % of the validation rows exceed.
    targets
        The predicted dimensions.
    step_s
        Time from one row of a person to the next, in seconds.
    level
        Nominal coverage of the intervals, such as 0.95.
    clip
        Of the file: `name`, `path` (absolute) and `sha256`; of the span: `duration_s`, `start_s`
        and `end_s`.
    bundle
        Of the model: `name`, `id`, `corpus`, `fusion`, `members`, `terms`.
    columns
        Column -> its meaning and unit, in a sentence.
    doubts
        When not to trust the predictions.
    remarks
        Warnings about the complete clip, such as those of the media record.
    options
        The options that the rows depend on, JSON-ready.
    time_zero
        What second 0 is: the first picture, or the start of the container.
    everyone
        Whether every person has rows (`face: all`); else the rows are those of one followed person.
    """

    table: pd.DataFrame
    targets: tuple[Target, ...]
    step_s: float
    level: float
    clip: dict[str, Any]
    bundle: dict[str, Any]
    columns: dict[str, str]
    doubts: list[Doubt] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    time_zero: TimeZero = "picture"
    everyone: bool = False
    key: str = ""
    """Hash of everything that the rows depend on."""
