"""The option `ratings` of your own recordings: unit of times, and whether a rating holds."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avfusion.errors import ConfigError

if TYPE_CHECKING:
    from avfusion.media.timing import Timing

SECONDS = {"seconds": 1.0, "milliseconds": 1e-3, "minutes": 60.0, "hours": 3600.0}
UNITS = (*SECONDS, "frames", "timecode")
EXPECTED = (
    "own: ratings is {given!r}; write `held`, or a mapping such as {{unit: minutes, held: true}}. "
    "Units: {units}."
)
_CODE = re.compile(
    r"(?:(?P<h>\d{1,2}):)?(?P<m>\d{1,2}):(?P<s>\d{1,2})"
    r"(?:[.,](?P<part>\d+)|(?P<mark>[:;])(?P<frame>\d{1,3}))?",
    flags=re.ASCII,
)
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}", flags=re.ASCII)


@dataclass(frozen=True)
class RatingRules:
    """How the lines of rating tables are read.

    Attributes
    ----------
    unit
        Unit of `time_s`, one of `UNITS`; "" is seconds that the corpus did not state.
    held
        Whether a rating holds until the next line. If not, ratings are interpolated.
    """

    unit: str = ""
    held: bool = False

    @classmethod
    def of(cls, given: str | dict[str, Any]) -> "RatingRules":
        """Read the option; raise ConfigError if it is something else.

        >>> RatingRules.of("held"), RatingRules.of({"unit": "minutes"})
        (RatingRules(unit='', held=True), RatingRules(unit='minutes', held=False))
        """
        values = {"held": given == "held"} if given in ("", "held", "interpolated") else given
        if (
            not isinstance(values, dict)
            or set(values) - {"unit", "held"}
            or values.get("unit", "seconds") not in UNITS
            or not isinstance(values.get("held", False), bool)
        ):
            raise ConfigError(EXPECTED.format(given=given, units=", ".join(UNITS)))
        return cls(**values)

    @property
    def needs_clock(self) -> bool:
        """Whether the times of a video's frames are needed to read its ratings."""
        return self.held or self.unit in ("frames", "timecode")

    def time_s(self, text: str, clock: "Timing | None") -> tuple[float | None, str]:
        """Return a cell of `time_s` in seconds, or None and why it cannot be read.

        Parameters
        ----------
        text
            The cell, a timecode or a number; the caller reads other numbers.
        clock
            Times of the video's frames; None if the video cannot be read.
        """
        if _DATE.match(text):
            return None, "a date; write the time from the start of the video"
        match = _CODE.fullmatch(text)
        if self.unit != "timecode":
            if match is None:
                return None, ""
            return None, "a timecode; set the option `ratings: {unit: timecode}`"
        if match is None or int(match["s"]) > 59 or (match["h"] and int(match["m"]) > 59):
            return None, "no timecode such as 00:01:02.5 or 00:01:02:12"
        second = 3600 * int(match["h"] or 0) + 60 * int(match["m"]) + int(match["s"])
        if match["frame"] is None:
            return second + float(f"0.{match['part'] or 0}"), ""
        if clock is None or len(clock.times_s) < 2:
            return None, "a timecode in frames, and the frames of its video cannot be read"
        nominal = round(_rate_hz(clock))
        number = second * nominal + int(match["frame"])
        if match["mark"] == ";":  # drop-frame: 2 numbers a minute are left out, not every tenth
            minutes = second // 60
            number -= round(nominal / 15) * (minutes - minutes // 10)
        return frame_s(number, clock), ""

    def in_seconds(self, number: float, clock: "Timing | None") -> float:
        """Convert a number of the column `time_s` to seconds from the start of the video."""
        if self.unit != "frames":
            return number * SECONDS.get(self.unit, 1.0)
        assert clock is not None  # a file in frames is refused without
        return frame_s(number, clock)

    def stated(self) -> dict[str, Any]:
        """Return the entry of the corpus' card; empty at the defaults."""
        words = {"unit": self.unit, "held": self.held}
        words = {name: value for name, value in words.items() if value}
        return {"ratings": words} if words else {}


def frame_s(number: float, clock: "Timing") -> float:
    """Return when a frame (counted from 0) is shown, in seconds; beyond the ends by the rate.

    The video has two frames or more.
    """
    times_s = clock.times_s
    if 0 <= number <= len(times_s) - 1:
        before = int(number)
        after = min(before + 1, len(times_s) - 1)
        share = number - before
        return float((1 - share) * times_s[before] + share * times_s[after])
    if number < 0:
        return float(number / _rate_hz(clock))
    return float(times_s[-1] + (number - len(times_s) + 1) / _rate_hz(clock))


def _rate_hz(clock: "Timing") -> float:
    return float((len(clock.times_s) - 1) / (clock.times_s[-1] - clock.times_s[0]))


def unit_of(last: float, end_s: float, frames: int) -> str:
    """Return the unit that makes the last time of a file the end of its video; "" if none does.

    Parameters
    ----------
    last
        Last time of a rating file, as written.
    end_s
        Length of the video in seconds.
    frames
        Number of its frames.

    Examples
    --------
    >>> [unit_of(last, 20.0, 500) for last in (19.5, 0.33, 19800, 499, 4)]
    ['', 'minutes', 'milliseconds', 'frames', '']
    """
    if not last > 0 or end_s <= 0 or 0.5 <= last / end_s <= 1.2:
        return ""
    fits = {name: last * factor / end_s for name, factor in SECONDS.items() if name != "seconds"}
    fits["frames"] = (last + 1) / frames if frames and float(last).is_integer() else 0.0
    close = {name: abs(1 - fit) for name, fit in fits.items() if 0.85 <= fit <= 1.1}
    return min(close, key=lambda name: close[name]) if close else ""
