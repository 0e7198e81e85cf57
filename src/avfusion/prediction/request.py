"""What to predict: which person, which part of a clip, and how often."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avfusion.config.sections import Rule
from avfusion.errors import ConfigError
from avfusion.media.person import Person

FACES = ("largest", "left", "right", "speaker", "all")
END_S = math.inf
"""The end of a span that goes on to the end of the clip."""


@dataclass(frozen=True)
class Request:
    """Options of a prediction.

    Attributes
    ----------
    face
        Which person is followed, as `media.face`; by default that of the bundle. With `all`, every
        person has rows.
    start_s, end_s
        Span of the clip in seconds; None is its start or end.
    every_s
        Time between rows: means over this time; None keeps the steps of the bundle.

    Raises
    ------
    ConfigError
        If a value is out of range.
    """

    face: Rule | None = None
    start_s: float | None = None
    end_s: float | None = None
    every_s: float | None = None

    def __post_init__(self) -> None:
        if self.face is not None and self.face not in FACES:
            raise ConfigError(f"--face {self.face}: expected one of {', '.join(FACES)}.")
        if not self.begin_s >= 0:
            raise ConfigError(f"--start {self.begin_s:g}: expected 0 or more seconds.")
        if self.end_s is not None and not self.end_s > self.begin_s:
            raise ConfigError(
                f"--end {self.end_s:g}: expected a time after --start ({self.begin_s:g} s)."
            )
        if self.every_s is not None and not self.every_s > 0:
            raise ConfigError(f"--every {self.every_s:g}: expected more than 0 seconds.")

    @property
    def begin_s(self) -> float:
        """The start of the span."""
        return self.start_s or 0.0

    def person(self, recording: Path | None) -> Person:
        """Return what the media stage reads; `recording` is a clip without pictures."""
        complete = self.start_s is None and self.end_s is None
        cut_s = None if complete else (self.begin_s, END_S if self.end_s is None else self.end_s)
        return Person(face=self.face, sound=recording, cut_s=cut_s)

    def everyone(self, default: Rule) -> bool:
        """Return whether every person has rows; `default` is `media.face` of the bundle."""
        return (self.face or default) == "all"

    def document(self) -> dict[str, Any]:
        """Return the options as a JSON-ready mapping."""
        names = ("face", "start_s", "end_s", "every_s")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}
