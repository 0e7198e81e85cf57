"""Soft shapes, noise and strokes that portraits are painted with."""

import cv2
import numpy as np
from numpy.typing import ArrayLike

from avfusion.corpora.demo import mesh
from avfusion.corpora.demo.puppet import CANVAS_PX

_SKINS = ((198, 214, 238), (170, 192, 226), (140, 168, 208), (104, 138, 186), (70, 98, 146))
_HAIR = ((28, 26, 30), (38, 52, 78), (62, 92, 130), (92, 142, 186), (150, 158, 164), (40, 58, 122))
_GREY = (172, 176, 180)


class Brush:
    """A picture being painted: `image` (H, W, 3) float32 BGR."""

    def __init__(self, landmarks: np.ndarray, rng: np.random.Generator) -> None:
        self.points, self.rng = landmarks, rng
        self.width, self.height = CANVAS_PX
        self.image = np.zeros((self.height, self.width, 3), np.float32)
        self.unit = mesh.eye_distance_px(landmarks)
        rows, columns = np.mgrid[: self.height, : self.width].astype(np.float32)
        oval = landmarks[list(mesh.OVAL)]
        self.middle = (oval.max(axis=0) + oval.min(axis=0)) / 2
        self.half = np.ptp(oval, axis=0) / 2
        self.x, self.y = columns, rows
        tone = rng.uniform(0, len(_SKINS) - 1)
        self.skin = between(_SKINS, tone) * rng.uniform(0.97, 1.03, 3)
        self.age = rng.uniform()  # 0 young, 1 old
        self.hair = between(_HAIR, rng.uniform(0, len(_HAIR) - 1)) * rng.uniform(0.8, 1.1)
        grey = np.clip(2.5 * self.age - 1.5, 0, 1)
        self.hair = self.hair * (1 - grey) + np.array(_GREY) * grey
        self.light = np.array([rng.uniform(-0.7, 0.7), rng.uniform(-0.6, -0.2), 1.0])
        self.light /= np.linalg.norm(self.light)
        self.long_hair = rng.random() < 0.5

    def blend(self, colour: ArrayLike, mask: np.ndarray) -> None:
        """Blend a colour (3,) or picture (H, W, 3) over the image where mask (H, W) is 1."""
        box = _box(mask)
        paint = np.asarray(colour, np.float32)
        share = mask[box][..., None].astype(np.float32)
        below = self.image[box]
        self.image[box] = below * (1 - share) + (paint[box] if paint.ndim == 3 else paint) * share

    def shape(self, outline: np.ndarray, soft_px: float) -> np.ndarray:
        """Return the mask (H, W) of a polygon with soft edges."""
        mask = np.zeros((self.height, self.width), np.uint8)
        dots = np.round(np.asarray(outline) * 16).astype(np.int32)
        cv2.fillPoly(mask, [dots], 255, lineType=cv2.LINE_AA, shift=4)
        return cv2.GaussianBlur(mask, (0, 0), soft_px).astype(np.float32) / 255

    def bump(self, at: np.ndarray, across: float, down: float) -> np.ndarray:
        """Return a Gaussian (H, W) around a point, with widths in eye distances."""
        u = self.unit
        wide = np.exp(-(((self.x[0] - at[0]) / (across * u)) ** 2))
        return wide * np.exp(-(((self.y[:, 0] - at[1]) / (down * u)) ** 2))[:, None]

    def noise(self, across_px: float, down_px: float) -> np.ndarray:
        """Return smooth noise (H, W) of unit variance with the given grain."""
        raw = self.rng.standard_normal((self.height, self.width), dtype=np.float32)
        smooth = cv2.GaussianBlur(raw, (0, 0), sigmaX=across_px, sigmaY=down_px)
        return smooth / smooth.std()

    def strands(self) -> np.ndarray:
        """Return the colour (H, W, 3) of hair: fine streaks under a soft sheen."""
        sheen = np.exp(-(((self.y - self.middle[1] + 0.95 * self.half[1]) / 30) ** 2))
        streak = 1 + 0.18 * self.noise(0.6, 13) + 0.12 * self.noise(2.5, 30) + 0.35 * sheen
        return self.hair * np.clip(streak, 0.3, 2)[..., None]

    def stroke(self, line: np.ndarray, width: float, colour: np.ndarray, share: float) -> None:
        """Draw a soft line through points (N, 2); width in eye distances."""
        mask = np.zeros((self.height, self.width), np.uint8)
        dots = np.round(line * 16).astype(np.int32)
        thick = max(1, round(width * self.unit))
        cv2.polylines(mask, [dots], False, 255, thick, lineType=cv2.LINE_AA, shift=4)
        self.blend(colour, share * cv2.GaussianBlur(mask, (0, 0), 0.6).astype(np.float32) / 255)


def _box(mask: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns of a mask (H, W) that colour a picture.

    Less than 1e-12 of a colour is below the rounding step of a float32 picture.
    """
    seen = mask > 1e-12
    rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return slice(0), slice(0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def between(colours: tuple[tuple[int, int, int], ...], at: float) -> np.ndarray:
    """Return a colour (3,) interpolated on a scale of colours; `at` counts entries."""
    index = min(int(at), len(colours) - 2)
    share = at - index
    return np.array(colours[index]) * (1 - share) + np.array(colours[index + 1]) * share
