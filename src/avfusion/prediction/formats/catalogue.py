"""Registry of formats: the ending of each, what it is for, and the function that writes it.

A new format takes a file with its function and one entry here. Nothing heavy is imported.
"""

from importlib import import_module
from pathlib import Path
from typing import NamedTuple, Protocol

from avfusion.prediction.prediction import Prediction

PACKAGE = "avfusion.prediction.formats"


class Writer(Protocol):
    """A function that writes one file or folder, completely or not at all."""

    def __call__(self, prediction: Prediction, path: Path, embed: bool) -> None:
        """Write `path`; `embed` is whether it includes the clip."""


class Format(NamedTuple):
    """One format.

    Attributes
    ----------
    ending
        Ending of its file.
    description
        What it is and what opens it, in a sentence.
    writer
        `"module:function"` below `avfusion.prediction.formats`; the function is a `Writer`.
    """

    ending: str
    description: str
    writer: str

    @property
    def code(self) -> str:
        """The function as `module:function`."""
        return f"{PACKAGE}.{self.writer}"

    def function(self) -> Writer:
        """Return the function that writes the format, imported on first use."""
        module, _, name = self.code.partition(":")
        function: Writer = getattr(import_module(module), name)
        return function


FORMATS = {
    "csv": Format(
        "csv",
        "A table with one row per step and person, for pandas, R and spreadsheets.",
        "tables:write_csv",
    ),
    "parquet": Format(
        "parquet",
        "The same table as Parquet, with units and ranges in its schema.",
        "tables:write_parquet",
    ),
    "vtt": Format(
        "vtt",
        "WebVTT subtitles with the mean of each second, for players.",
        "subtitles:write_vtt",
    ),
    "eaf": Format(
        "eaf",
        "An ELAN file with the mean of each second, one tier per target and person.",
        "elan:write_eaf",
    ),
    "audformat": Format(
        "audformat",
        "A database folder in audformat with one table per person.",
        "database:write_audformat",
    ),
    "png": Format(
        "png",
        "A figure of all targets over time with their intervals.",
        "plot:write_png",
    ),
    "html": Format(
        "html",
        "A page that plays the clip next to its predictions, in any browser and offline.",
        "page:write_html",
    ),
    "video": Format(
        "traces.mp4",
        "The clip (H.264) with its sound and the predictions below the picture.",
        "video:write_video",
    ),
}
"""Name -> format, in the order in which they are written."""
