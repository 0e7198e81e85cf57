"""How files of features are read: columns, times, failed rows; and the presets of tools."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from avfusion.errors import CorpusError

PLACES = ("{video}", "{stem}", "{path}")
"""Placeholders of the option `path`: the video's name, and the stem and the path of its file."""

UNITS = {"seconds": 1, "milliseconds": 1000}
"""Unit of a column of times -> how many are a second."""


@dataclass(frozen=True)
class Form:
    """How the files of one encoder are read; these are options of the encoder `precomputed`.

    Attributes
    ----------
    path
        Pattern of the files below the root of the corpus, with `PLACES`; without a placeholder, one
        table holds the rows of all videos. "" if the manifest names the files.
    preset
        One of `PRESETS`; the options that are not given are those of the preset.
    columns
        Features to keep, as names or patterns such as `AU*_r`; () keeps all columns with numbers.
    leave
        Columns that are no features, as names or patterns.
    time
        Column with the time of each row, or its start.
    stop
        Column with the end of each row.
    unit
        Unit of the numbers in these columns, one of `UNITS`.
    hop_s, begin_s
        Seconds from one row to the next, and the time of the first; `begin_s` is added to `time`.
    failed
        Column that is 0 where the tool failed.
    confidence, least_confidence
        Column with a confidence, and the value below which a row counts as failed.
    video
        Column that names the video or its recording in a table of all videos.
    key
        Array or dataset in an .npz or .h5 file.
    even
        Whether rows without times are spread evenly over the video.
    zero_failed
        Whether a row of zeros is one that the tool could not compute.
    stated
        Options that were given, and are not taken from the preset.
    """

    path: str = ""
    preset: str = ""
    columns: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()
    time: str = ""
    stop: str = ""
    unit: str = "seconds"
    hop_s: float | None = None
    begin_s: float = 0.0
    failed: str = ""
    confidence: str = ""
    least_confidence: float = 0.0
    video: str = ""
    key: str = ""
    even: bool = False
    zero_failed: bool = False
    stated: frozenset[str] = frozenset()

    @classmethod
    def given(cls, options: Mapping[str, Any]) -> "Form":
        """Return the form of an encoder's options; a preset fills in what they leave out."""
        names = {*cls.__dataclass_fields__} - {"stated"}
        used = {name: value for name, value in options.items() if name in names and value}
        if "columns" in used:
            used["columns"] = tuple(used["columns"])
        preset = used.get("preset", "")
        if preset and preset not in PRESETS:
            raise CorpusError(f"No preset {preset!r}. Known: {', '.join(PRESETS)}.")
        return replace(PRESETS.get(preset, cls()), **used, stated=frozenset(used))

    @property
    def shared(self) -> bool:
        """Whether one table holds the rows of all videos."""
        return bool(self.path) and not any(place in self.path for place in PLACES)


PRESETS = {
    "openface": Form(
        time="timestamp",
        failed="success",
        confidence="confidence",
        columns=("gaze_angle_*", "pose_T*", "pose_R*", "AU*"),
    ),
    "pyfeat": Form(
        time="frame",
        confidence="FaceScore",
        columns=(
            *("AU*", "anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"),
            *("Pitch", "Roll", "Yaw"),
        ),
    ),
    "opensmile": Form(time="frameTime", video="name", leave=("frameIndex",)),
    "mertools": Form(even=True, zero_failed=True),
    "audformat": Form(time="start", stop="end", video="file"),
}
"""Forms of tools: OpenFace 2 (gaze angles, head pose and action units), Fex tables of py-feat
(action units, emotions and head pose; `frame` counts steps of `hop_s`), CSV of openSMILE, .npy of
MERTools, and tables with the index of audformat, which opensmile-python writes."""
