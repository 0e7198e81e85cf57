"""Frames of a demo video: the face, its expressions, and planted video spans."""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from avfusion.corpora.demo import mesh
from avfusion.corpora.demo.portraits import painted
from avfusion.corpora.demo.puppet import CANVAS_PX, Portrait, Pose, Puppet
from avfusion.corpora.demo.scene import PAINTINGS, Scene, at, smooth, within
from avfusion.corpora.demo.voice import LIPS_HZ
from avfusion.errors import CorpusError

_ASSETS = Path(__file__).parent / "assets"
_DRIFT_PX = 32  # the grain of a frame begins at one of so many rows and columns


def play(
    scene: Scene, mouth: np.ndarray, size_px: tuple[int, int], fps: int
) -> Iterator[np.ndarray]:
    """Yield frames (height, width, 3) uint8 BGR; mouth (F,) is the opening at `LIPS_HZ`."""
    cv2.setNumThreads(1)
    puppet = Puppet(portrait(scene), size_px)
    rng = scene.rng(3)
    time_s = np.arange(round(scene.seconds * fps)) / fps
    poses = _poses(scene, np.interp(time_s, np.arange(len(mouth)) / LIPS_HZ, mouth), time_s, rng)
    light = 1 + 0.05 * at(smooth(rng, scene.seconds, 2.0), time_s)
    faults, camera = _VideoFaults(puppet, rng), _Camera(rng, size_px)
    spans = [(s.kind, within(s, time_s)) for s in scene.spans if s.modality == "video"]
    for number, pose in enumerate(poses):
        image = np.clip(puppet.frame(pose) * light[number], 0, 255).astype(np.uint8)
        for kind, share in spans:
            if share[number] > 0:
                image = getattr(faults, kind)(image, pose, share[number])
        yield camera.take(image)


def portrait(scene: Scene) -> Portrait:
    """Return the face of a video: a painting, or a face painted for this video."""
    stored = json.loads((_ASSETS / "landmarks.json").read_text())
    meshes = {name: np.array(points) for name, points in stored.items()}
    if scene.subject not in PAINTINGS.values():
        return painted(np.stack(list(meshes.values())), scene.rng(2), scene.subject)
    path = _ASSETS / f"{scene.subject}.png"
    image = cv2.imread(str(path))
    if image is None:
        raise CorpusError(f"{path}: cannot be read. Install avfusion again.")
    return Portrait(image, meshes[scene.subject], scene.subject)


def _poses(
    scene: Scene, mouth: np.ndarray, time_s: np.ndarray, rng: np.random.Generator
) -> Iterator[Pose]:
    """Yield a pose per frame: valence in mouth and brows, arousal weakly in eyes and motion."""
    valence, arousal = (at(scene.face[name], time_s) for name in ("valence", "arousal"))
    lively = 0.35 + 0.65 * np.clip((1 + arousal) / 2, 0, 1)
    sway = [lively * at(smooth(rng, scene.seconds, s), time_s) for s in (0.5, 0.6, 0.5)]
    blinks = _blinks(scene, time_s, rng)
    brows = 0.25 * at(smooth(rng, scene.seconds, 0.8), time_s)
    for i in range(len(time_s)):
        yield Pose(
            smile=float(1.35 * valence[i]),
            mouth=float(0.5 * mouth[i] * (0.8 + 0.5 * arousal[i])),
            brows=float(0.25 * valence[i] + 0.7 * arousal[i] + brows[i]),
            frown=float(max(0.0, -1.0 * valence[i])),
            wide=float(2.0 * arousal[i]),
            blink=float(blinks[i]),
            shift_px=(float(7 * sway[0][i]), float(5 * sway[1][i])),
            roll_deg=float(3.5 * sway[2][i]),
        )


def _blinks(scene: Scene, time_s: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return how far the eyes are closed (F,) in [0, 1]: 0.2 s every few seconds."""
    closed = np.zeros(len(time_s))
    moment_s = rng.uniform(0.5, 3)
    while moment_s < scene.seconds:
        closed = np.maximum(closed, np.clip(1.6 - np.abs(time_s - moment_s) / 0.06, 0, 1))
        moment_s += rng.uniform(1.8, 5)
    return closed


class _Camera:
    """Exposure, white balance and grain of a camera, the same in all frames of a video."""

    def __init__(self, rng: np.random.Generator, size_px: tuple[int, int]) -> None:
        self.gains = rng.uniform(0.8, 1.15) * rng.uniform(0.92, 1.08, 3)
        levels = np.clip(np.arange(256)[:, None] * self.gains, 0, 255)
        self.table = levels.astype(np.uint8)[None]  # (1, 256, 3)
        width, height = size_px
        self.grain = rng.normal(0, rng.uniform(1, 4), (height + _DRIFT_PX, width + _DRIFT_PX, 1))
        self.rng = rng

    def take(self, image: np.ndarray) -> np.ndarray:
        """Return the picture (height, width, 3) as this camera records it."""
        exposed = cv2.LUT(image, self.table)
        return _added(exposed, self._grain(image))

    def _grain(self, image: np.ndarray) -> np.ndarray:
        """Return one grain pattern at a new place, which is cheaper than drawing a new one."""
        x, y = self.rng.integers(0, _DRIFT_PX, 2)
        return self.grain[y : y + image.shape[0], x : x + image.shape[1]]


def _added(image: np.ndarray, noise: np.ndarray) -> np.ndarray:
    return np.clip(image + noise, 0, 255).astype(np.uint8)


class _VideoFaults:
    """Four ways in which a planted video span hides the face; `share` ramps from 0 to 1."""

    def __init__(self, puppet: Puppet, rng: np.random.Generator) -> None:
        self.puppet, self.rng = puppet, rng
        width, height = puppet.size_px
        self.x, self.y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height))
        face = puppet.portrait.landmarks[list(mesh.OVAL)] * puppet.zoom - puppet.corner
        self.middle = (face.max(axis=0) + face.min(axis=0)) / 2
        self.half = np.ptp(face, axis=0) / 2
        streaks = cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), 0.8, sigmaY=9)
        self.streaks = streaks / streaks.std()
        crown = puppet.portrait.landmarks[10] - (0, 0.3 * puppet.unit)
        x, y = np.clip(crown, 8, np.array(CANVAS_PX) - 9).astype(int)
        self.hair = np.median(puppet.portrait.image[y - 8 : y + 9, x - 8 : x + 9], axis=(0, 1))
        self.card = rng.uniform(70, 190) * rng.uniform(0.85, 1.15, 3)

    def covered(self, image: np.ndarray, pose: Pose, share: float) -> np.ndarray:
        """Hold a card in front of the face."""
        cx, cy = self.middle + np.array(pose.shift_px) * self.puppet.zoom
        top = cy - 1.15 * self.half[1] + (1 - share) * 2.6 * self.half[1]
        tilted = self.y - 0.08 * (self.x - cx)
        mask = (np.abs(self.x - cx) < 1.2 * self.half[0]) & (tilted > top)
        mask &= tilted < top + 2.4 * self.half[1]
        card = self.card * (1 + 0.04 * self.streaks[..., None])
        return np.where(mask[..., None], np.clip(card, 0, 255), image).astype(np.uint8)

    def blurred(self, image: np.ndarray, pose: Pose, share: float) -> np.ndarray:
        """Put the camera out of focus."""
        return cv2.GaussianBlur(image, (0, 0), 0.3 + 0.1 * self.half[0] * share)

    def dark(self, image: np.ndarray, pose: Pose, share: float) -> np.ndarray:
        """Turn the light down until the sensor's noise shows."""
        noise = 9 * share * self.rng.standard_normal(image.shape[:2])
        return _added(image * (1 - 0.6 * share), noise[..., None])

    def turned(self, image: np.ndarray, pose: Pose, share: float) -> np.ndarray:
        """Turn the head until its back is seen."""
        cx, cy = self.middle + np.array(pose.shift_px) * self.puppet.zoom
        across = (self.x - cx) / (1.25 * self.half[0])
        down = (self.y - cy + 0.12 * self.half[1]) / (1.22 * self.half[1])
        ball = 1 - across**2 - down**2
        mask = np.clip(ball * 8, 0, 1) * np.clip((2.2 * share - 1.1 - across) / 0.12, 0, 1)
        shade = (0.55 + 0.45 * np.sqrt(np.clip(ball, 0, 1))) * (1 + 0.12 * self.streaks)
        head = np.clip(self.hair * shade[..., None], 0, 255)
        mask = mask[..., None]
        return (image * (1 - mask) + head * mask).astype(np.uint8)
