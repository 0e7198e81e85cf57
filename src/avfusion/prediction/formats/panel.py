"""Draw the strip of traces below the picture of a video: ten seconds around the current frame."""

from typing import NamedTuple

import cv2
import numpy as np
from matplotlib.colors import to_rgb

from avfusion.prediction.formats.look import DARK, PERSONS_DARK, nth
from avfusion.prediction.formats.names import as_text
from avfusion.prediction.formats.steps import GAP, changes, label, printed, scale, tracks
from avfusion.prediction.prediction import Doubt, Prediction, Target

AROUND_S = 5.0
"""The strip shows this time before and after the frame."""

_SUB = 4  # bits after the point in coordinates of OpenCV
_LISTED = 3  # persons whose values are written; lines of all are drawn


class _Trace(NamedTuple):
    """One person: times (N,), and value, low and high per target, (N, 3) each."""

    track_id: int | None
    time_s: np.ndarray
    values: list[np.ndarray]
    colour: tuple[int, int, int]


class Panel:
    """Images of the traces at given times.

    Parameters
    ----------
    prediction
        What is drawn.
    width
        Width of the images in pixels; their height follows from the number of targets.
    """

    def __init__(self, prediction: Prediction, width: int) -> None:
        self.prediction, self.width = prediction, width
        self.row_px = int(np.clip(round(0.11 * width), 64, 150))
        self.foot_px = round(0.38 * self.row_px)
        height = self.row_px * len(prediction.targets) + self.foot_px
        self.height = height + height % 2
        self.left = round(0.3 * width)
        self.traces = [
            _Trace(
                track_id, rows["time_s"].to_numpy(float), _values(prediction, rows), _rgb(colour)
            )
            for track_id, rows in tracks(prediction)
            for colour in [nth(PERSONS_DARK, track_id)]
        ]
        self._changes_s = np.array(changes(prediction))
        self._background = self._still()

    def at(self, time_s: float) -> np.ndarray:
        """Return the strip at a time: RGB uint8 (height, width, 3)."""
        image = self._background.copy()
        doubts = [d for d in self.prediction.doubts if abs_gap(d, time_s) < AROUND_S]
        for number, target in enumerate(self.prediction.targets):
            top = number * self.row_px
            area = image[top + 3 : top + self.row_px - 3, self.left :]
            for doubt in doubts:
                self._shade(area, doubt, time_s)
            for x in self._x(self._changes_s, time_s).round().astype(int).tolist():
                cv2.line(area, (x, 0), (x, area.shape[0]), _rgb(DARK[1]), 1)
            for trace in self.traces:
                self._draw(area, trace, number, target, time_s)
            self._write(image, number, target, time_s)
        middle = (self.left + self.width) // 2
        cv2.line(image, (middle, 0), (middle, self.height - self.foot_px), _rgb(DARK[0]), 1)
        if any(d.start_s <= time_s <= d.end_s for d in doubts):
            self._text(image, "in doubt", (round(0.025 * self.width), self.height - 8), DARK[0])
        return image

    def _x(self, time_s: np.ndarray, now_s: float) -> np.ndarray:
        return (time_s - now_s + AROUND_S) / (2 * AROUND_S) * (self.width - self.left)

    def _shade(self, area: np.ndarray, doubt: Doubt, now_s: float) -> None:
        ends = self._x(np.array([doubt.start_s, doubt.end_s]), now_s)
        left, right = np.clip(ends, 0, area.shape[1]).astype(int)
        part = area[:, left:right]
        part[:] = cv2.addWeighted(part, 0.75, np.full_like(part, 120), 0.25, 0) if part.size else 0

    def _draw(
        self, area: np.ndarray, trace: _Trace, number: int, target: Target, now_s: float
    ) -> None:
        """Draw one person's interval and line where they have values."""
        first, last = np.searchsorted(trace.time_s, [now_s - AROUND_S, now_s + AROUND_S])
        rows = slice(max(0, first - 1), last + 1)
        values = trace.values[number][rows]
        x = self._x(trace.time_s[rows], now_s)
        y = (target.high - values) / (target.high - target.low) * (area.shape[0] - 1)
        y = np.clip(y, 0, area.shape[0] - 1)
        known = np.flatnonzero(~np.isnan(values[:, 0]))
        gaps = np.diff(trace.time_s[rows][known]) > GAP * self.prediction.step_s
        for run in np.split(known, np.flatnonzero((np.diff(known) > 1) | gaps) + 1):
            if not len(run):
                continue
            low, high = (np.where(np.isnan(y[run, i]), y[run, 0], y[run, i]) for i in (1, 2))
            outline = np.stack([np.r_[x[run], x[run][::-1]], np.r_[low, high[::-1]]], 1)
            band = area.copy()
            cv2.fillPoly(band, [_fixed(outline)], trace.colour, cv2.LINE_AA, _SUB)
            area[:] = cv2.addWeighted(area, 0.72, band, 0.28, 0)
            line = _fixed(np.stack([x[run], y[run, 0]], 1))
            cv2.polylines(area, [line], False, trace.colour, 2, cv2.LINE_AA, _SUB)
            if len(run) == 1:
                cv2.circle(area, tuple(line[0].tolist()), 3 << _SUB, trace.colour, -1, cv2.LINE_AA,
                           _SUB)  # fmt: skip

    def _write(self, image: np.ndarray, number: int, target: Target, now_s: float) -> None:
        """Write the values of the step that contains the time."""
        for place, trace in enumerate(self.traces[:_LISTED]):
            row = int(np.searchsorted(trace.time_s, now_s - 1e-6))
            inside = row < len(trace.time_s) and (
                trace.time_s[row] - self.prediction.step_s <= now_s + 1e-6
            )
            value = trace.values[number][row, 0] if inside else np.nan
            text = printed(value, target).replace("−", "-").replace("–", "-")  # ASCII only
            left = round((0.025 + 0.085 * place) * self.width)
            at = (left, number * self.row_px + round(0.78 * self.row_px))
            self._text(image, text, at, nth(PERSONS_DARK, trace.track_id))

    def _text(self, image: np.ndarray, text: str, at: tuple[int, int], colour: str) -> None:
        size = self.row_px / 140
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, _rgb(colour), 1, cv2.LINE_AA)

    def _still(self) -> np.ndarray:
        """Return what is the same in all images: names, scales, grid and times."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        size_px = self.row_px / 6.2
        figure = Figure(figsize=(self.width / 100, self.height / 100), dpi=100, facecolor=DARK[4])
        canvas = FigureCanvasAgg(figure)
        style = {"fontsize": 0.72 * size_px, "color": DARK[1], "parse_math": False}

        def write(x_px: float, y_px: float, text: str, **more: object) -> None:
            at = x_px / self.width, 1 - y_px / self.height
            figure.text(*at, as_text(text), **{**style, **more})  # type: ignore[arg-type]

        for number, target in enumerate(self.prediction.targets):
            top = number * self.row_px
            name = f"{target.name}  ({scale(target)})"
            write(0.025 * self.width, top + 0.36 * self.row_px, name, color=DARK[0])
        foot = self.height - 0.3 * self.foot_px
        middle = (self.left + self.width) / 2
        write(self.left + 4, foot, f"−{AROUND_S:g} s", ha="left")
        write(middle, foot, "now", ha="center")
        write(self.width - 4, foot, f"+{AROUND_S:g} s", ha="right")
        if len(self.traces) > 1:
            for place, trace in enumerate(self.traces[:_LISTED]):
                left = (0.42, 0.7, 0.8)[place] * self.width  # between the times
                write(left, foot, label(trace.track_id), color=nth(PERSONS_DARK, trace.track_id))
        canvas.draw()
        image = np.asarray(canvas.buffer_rgba())[..., :3].copy()
        for number in range(len(self.prediction.targets)):
            for share in (0.0, 0.5, 1.0):
                y = number * self.row_px + 3 + round(share * (self.row_px - 7))
                cv2.line(image, (self.left, y), (self.width, y), _rgb(DARK[2]), 1)
        return image


def abs_gap(doubt: Doubt, time_s: float) -> float:
    """Return how far a time is from a doubt in seconds; 0 inside it."""
    return max(0.0, doubt.start_s - time_s, time_s - doubt.end_s)


def _values(prediction: Prediction, rows: object) -> list[np.ndarray]:
    return [
        rows[[t.name, f"{t.name}_low", f"{t.name}_high"]].to_numpy(float)  # type: ignore[index]
        for t in prediction.targets
    ]


def _fixed(points: np.ndarray) -> np.ndarray:
    """Return points (N, 2) in OpenCV's fixed-point coordinates."""
    return np.round(points * (1 << _SUB)).astype(np.int32)


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in to_rgb(colour))
    return red, green, blue
