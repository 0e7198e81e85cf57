"""Detect, track and align the face of one person in a video.

Detector  YuNet (Wu, Peng and Yu, Machine Intelligence Research 2023) on every frame.
Template  the 112 x 112 five-point positions of ArcFace (Deng et al., CVPR 2019).
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from avfusion.errors import MediaError

WEIGHTS = Path(__file__).parent / "weights" / "face_detection_yunet_2023mar.onnx"


_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"


_DETECT_PX = 640  # maximum of the longer side for detection


_OVERLAP = 0.3  # two boxes that overlap more are one face (YuNet's default)


_HOLD_S = 0.5  # how long a person may be lost before another one is tracked


# Image-left eye, image-right eye, nose, mouth corners; YuNet returns the same order.
TEMPLATE = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)


@dataclass(frozen=True)
class Face:
    """The tracked face in one frame, in pixels of the upright frame."""

    score: float
    box: np.ndarray  # (4,) x, y, w, h
    points: np.ndarray  # (5, 2) x, y in the template's order


class FaceTrack:
    """Tracker of one face; other faces are only counted.

    It tracks the largest face of the first frame that has one. With `side`, it is the left or right
    one of the two largest; a single face must be in that half.

    Parameters
    ----------
    score
        Minimum YuNet score of a face.
    face_px
        Side of the aligned crop in pixels.
    side
        "left", "right" or None.

    Raises
    ------
    MediaError
        If the weights of the detector were changed.
    """

    def __init__(self, score: float, face_px: int = 112, side: str | None = None) -> None:
        raw = WEIGHTS.read_bytes()
        if hashlib.sha256(raw).hexdigest() != _SHA256:
            raise MediaError(f"{WEIGHTS}: not the file that was shipped. Install avfusion again.")
        self._detector = cv2.FaceDetectorYN.create(str(WEIGHTS), "", (320, 320), score, _OVERLAP)
        self._face_px = face_px
        self._side = side
        self._last: np.ndarray | None = None  # (4,) box of the tracked person
        self._seen_s = 0.0

    def step(self, time_s: float, image: np.ndarray) -> tuple[int, Face | None]:
        """Return the number of faces of a frame (RGB uint8 (H, W, 3)) and the tracked one."""
        faces = self._detect(image)
        chosen = self._choose(time_s, faces, image.shape[1])
        if chosen is None:
            return len(faces), None
        self._last, self._seen_s = chosen[:4], time_s
        return len(faces), Face(float(chosen[14]), chosen[:4], chosen[4:14].reshape(5, 2))

    def crop(self, image: np.ndarray, face: Face) -> np.ndarray:
        """Align the face to the template, uint8 (face_px, face_px, 3)."""
        side = self._face_px
        matrix = similarity(face.points, np.array(TEMPLATE) * (side / 112))
        # Sample a face much larger than the crop finely and then average, to avoid aliasing.
        fine = max(1, int(1 / np.hypot(*matrix[:, 0])))
        matrix = matrix * fine
        matrix[:, 2] += (fine - 1) / 2  # pixel (0, 0) is the centre of its fine pixels
        warped = cv2.warpAffine(image, matrix, (side * fine, side * fine))
        return cv2.resize(warped, (side, side), interpolation=cv2.INTER_AREA)

    def _detect(self, image: np.ndarray) -> np.ndarray:
        """Return x, y, w, h, five points and score per face in pixels, float32 (n, 15)."""
        height, width = image.shape[:2]
        shrink = min(1.0, _DETECT_PX / max(height, width))
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        small = image if shrink == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        self._detector.setInputSize(size)
        rows: Any  # None without a face, which OpenCV's types do not say
        _, rows = self._detector.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        if rows is None:
            return np.empty((0, 15), np.float32)
        rows[:, 0:14:2] *= width / size[0]
        rows[:, 1:14:2] *= height / size[1]
        return rows

    def _choose(self, time_s: float, faces: np.ndarray, width: int) -> np.ndarray | None:
        if not len(faces):
            return None
        if self._last is not None:
            gap = np.hypot(*(_centre(faces.T) - _centre(self._last)[:, None]))
            if gap.min() <= self._last[2]:  # within one face width: the same person
                return faces[gap.argmin()]
            if time_s - self._seen_s <= _HOLD_S:
                return None  # one missed detection must not move the track to another person
        by_size = faces[np.argsort(-faces[:, 2] * faces[:, 3], kind="stable")]
        return by_size[0] if self._side is None else _on_side(by_size[:2], self._side, width)


def similarity(points: np.ndarray, template: np.ndarray) -> np.ndarray:
    """Fit rotation, scale and shift, (2, 3), of `points` to `template`, (n, 2), by least squares.

    In complex numbers: template = a * point + b.
    """
    source, target = (np.asarray(xy, np.float64) @ (1, 1j) for xy in (points, template))
    centred = source - source.mean()
    a = np.vdot(centred, target - target.mean()) / np.vdot(centred, centred)
    b = target.mean() - a * source.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def _on_side(faces: np.ndarray, side: str, width: int) -> np.ndarray | None:
    """Return the left or right one of two faces; a single face if it is in that half."""
    across = faces[:, 0] + faces[:, 2] / 2
    if len(faces) == 2:
        return faces[across.argmin() if side == "left" else across.argmax()]
    return faces[0] if (across[0] < width / 2) == (side == "left") else None


def _centre(box: np.ndarray) -> np.ndarray:
    return np.stack([box[0] + box[2] / 2, box[1] + box[3] / 2])
