"""Animate a still portrait: expressions and head motion by warping its landmarks.

The basis of the thin-plate splines (Bookstein, IEEE TPAMI 11(6), 1989) is computed once per
portrait on a coarse grid. A frame then costs a matrix product, a remap and a painted mouth cavity.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from avfusion.corpora.demo import mesh

CANVAS_PX = (480, 360)  # width, height that portraits are drawn at
_GRID = (48, 36)


@dataclass(frozen=True)
class Portrait:
    """A still face: `image` (360, 480, 3) uint8 BGR and `landmarks` (478, 2) in its pixels."""

    image: np.ndarray
    landmarks: np.ndarray
    source: str  # the face that the texture is of; partitions share none


@dataclass(frozen=True)
class Pose:
    """Expression and position at one instant; actions in about [-1, 1] or [0, 1], shifts in px."""

    smile: float = 0.0
    mouth: float = 0.0  # 0 closed, 1 wide open
    brows: float = 0.0  # raised
    frown: float = 0.0
    wide: float = 0.0  # eyes
    blink: float = 0.0
    shift_px: tuple[float, float] = (0.0, 0.0)
    roll_deg: float = 0.0
    scale: float = 1.0


class Puppet:
    """Render frames of `size_px` (width, height) of one portrait."""

    def __init__(self, portrait: Portrait, size_px: tuple[int, int]) -> None:
        self.portrait = portrait
        self.size_px = size_px
        self.unit = mesh.eye_distance_px(portrait.landmarks)
        self.centre = portrait.landmarks[[33, 263, 152]].mean(axis=0)
        self.points = portrait.landmarks[list(mesh.CONTROLS)]  # (C, 2)
        self.basis = _spline_basis(np.concatenate([self.points, _anchors()]))
        self.zoom = max(size_px[0] / CANVAS_PX[0], size_px[1] / CANVAS_PX[1])
        self.scaled_px = tuple(round(side * self.zoom) for side in CANVAS_PX)
        # Averaged to the size of the picture once, so that no frame is sampled too coarsely.
        shrunk_px = tuple(min(*sides) for sides in zip(self.scaled_px, CANVAS_PX, strict=True))
        self.texture = cv2.resize(portrait.image, shrunk_px, interpolation=cv2.INTER_AREA)
        self.shrink = np.float32(min(1.0, self.zoom))
        self.corner = tuple((w - s) // 2 for w, s in zip(self.scaled_px, size_px, strict=True))
        self.grid = _grid()
        self.mouth_rows = [mesh.CONTROLS.index(i) for i in mesh.MOUTH]
        lower = portrait.landmarks[[*mesh.MOUTH[10:], mesh.MOUTH[0]]]
        self.lip_line = np.polyfit(lower[:, 0], lower[:, 1], 2)
        self.lip_middle = (lower[:, 0].max() + lower[:, 0].min()) / 2
        self.lip_half = 0.46 * np.ptp(lower[:, 0])

    def frame(self, pose: Pose) -> np.ndarray:
        """Return a picture (height, width, 3) uint8 BGR."""
        moved = self._moved(pose)  # (C, 2)
        source = self._source(moved - self.points)  # (height, width, 2)
        inside = self._part_lips(source, moved, pose.mouth)
        place = (source + np.float32(0.5)) * self.shrink - np.float32(0.5)
        image = _remapped(self.texture, place, cv2.BORDER_REFLECT)
        if inside is not None:
            self._paint_mouth(image, *inside)
        return image

    def _moved(self, pose: Pose) -> np.ndarray:
        """Return the control landmarks (C, 2) in the pose."""
        points = self.points + self.unit * _expression(pose)
        turn = np.deg2rad(pose.roll_deg)
        rotate = pose.scale * np.array(
            [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
        )
        return (points - self.centre) @ rotate + self.centre + np.array(pose.shift_px)

    def _source(self, moves: np.ndarray) -> np.ndarray:
        """Return the canvas position of each pixel (height, width, 2), by inverting the field."""
        still = np.zeros((self.basis.shape[1] - len(moves), 2))
        field = self.basis @ np.concatenate([moves, still]).astype(np.float32)
        field = field.reshape(_GRID[1], _GRID[0], 2)
        back = field
        for _ in range(3):  # x = p + field(p) solved for p by fixed point
            at = (self.grid - back + 0.5) * np.float32(_GRID[0] / CANVAS_PX[0]) - 0.5
            back = _remapped(field, at, cv2.BORDER_REPLICATE)
        source = cv2.resize(self.grid - back, self.scaled_px, interpolation=cv2.INTER_CUBIC)
        (left, top), (width, height) = self.corner, self.size_px
        return np.ascontiguousarray(source[top : top + height, left : left + width])

    def _part_lips(
        self, source: np.ndarray, moved: np.ndarray, opening: float
    ) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray] | None:
        """Open `source` along the lip line, in place: what is below the line slides down.

        Returns the region in the picture, the position of each pixel in the gap (0 upper lip,
        1 lower lip) and the share of it that is gap (0 to 1); None for a closed mouth.
        """
        if opening < 0.04:
            return None
        middle = (moved[self.mouth_rows].mean(axis=0) + 0.5) * self.zoom - self.corner
        reach = self.unit * self.zoom
        x0, x1 = np.clip([middle[0] - 0.5 * reach, middle[0] + 0.5 * reach], 0, self.size_px[0])
        y0, y1 = np.clip([middle[1] - 0.25 * reach, middle[1] + 0.9 * reach], 0, self.size_px[1])
        region = (slice(int(y0), int(y1)), slice(int(x0), int(x1)))
        x, y = np.moveaxis(source[region], -1, 0)
        across = (x - self.lip_middle) / self.lip_half
        gap = 0.24 * self.unit * opening * np.sqrt(np.clip(1 - across**2, 0, 1))
        below = y - np.polyval(self.lip_line, x)
        sliding = np.clip(1 - (below - gap) / (0.8 * self.unit), 0, 1) * gap
        source[region][..., 1] -= np.where(below > 0, np.minimum(sliding, np.maximum(below, 0)), 0)
        edge = 0.7 / self.zoom
        share = np.clip(below / edge, 0, 1) * np.clip((gap - below) / edge + 0.5, 0, 1)
        return region, below / np.maximum(gap, 1e-3), share * (gap > edge)

    @staticmethod
    def _paint_mouth(
        image: np.ndarray, region: tuple[slice, slice], depth: np.ndarray, share: np.ndarray
    ) -> None:
        """Paint a dark cavity, the edge of the upper teeth and a tongue between the lips."""
        teeth = np.clip((0.38 - depth) / 0.08, 0, 1)[..., None] * 0.75
        tongue = np.clip((depth - 0.6) / 0.3, 0, 1)[..., None] * 0.7
        colour = np.array((22, 16, 42)) * (1 - tongue) + np.array((70, 62, 138)) * tongue
        colour = colour * (1 - teeth) + np.array((172, 186, 194)) * teeth
        patch = image[region]
        mix = cv2.GaussianBlur(share, (0, 0), 0.6)[..., None]
        patch[:] = (patch * (1 - mix) + colour * mix).astype(np.uint8)


def _remapped(image: np.ndarray, source: np.ndarray, border: int) -> np.ndarray:
    """Return `image` sampled linearly at the positions `source` (H, W, 2) float32."""
    # OpenCV's stubs require a second map, which is None where the first has both coordinates.
    nothing: Any = None
    return cv2.remap(image, source, nothing, cv2.INTER_LINEAR, borderMode=border)


def _expression(pose: Pose) -> np.ndarray:
    """Return displacements (C, 2) of the control landmarks in eye distances; y points down."""
    moves = np.zeros((len(mesh.CONTROLS), 2))

    def push(part: str, right: float, down: float) -> None:
        moves[mesh.rows(part)] += (right, down)

    smile, out = pose.smile, 0.09 * max(pose.smile, 0) + 0.02 * min(pose.smile, 0)
    for side, sign in (("right", -1), ("left", 1)):
        push(f"{side}_corner", sign * out, -0.14 * smile + 0.03 * pose.mouth)
        push(f"{side}_upper_lip", sign * 0.5 * out, -0.06 * smile)
        push(f"{side}_inner_brow", -sign * 0.04 * pose.frown, 0.09 * pose.frown - 0.11 * pose.brows)
        push(f"{side}_outer_brow", 0, -0.09 * pose.brows - 0.02 * pose.frown)
        push(f"{side}_upper_lid", 0, -0.045 * pose.wide + 0.095 * pose.blink)
        push(f"{side}_lower_lid", 0, 0.01 * pose.wide - 0.03 * max(smile, 0) - 0.01 * pose.blink)
    push("inner_corners", 0, -0.11 * smile)
    push("upper_lip_edge", 0, -0.04 * smile - 0.01 * pose.mouth)
    push("lower_lip_edge", 0, -0.03 * smile)
    push("lower_lip", 0, -0.04 * smile + 0.02 * pose.mouth)
    push("cheeks", 0, -0.05 * max(smile, 0))
    push("chin", 0, 0.15 * pose.mouth)
    push("jaw", 0, 0.08 * pose.mouth)
    return moves


def _anchors() -> np.ndarray:
    """Return fixed points on the border of the canvas, which keep the background still."""
    width, height = CANVAS_PX
    x, y = np.linspace(0, width, 7), np.linspace(0, height, 5)[1:-1]
    border = [(a, b) for a in x for b in (0, height)] + [(a, b) for a in (0, width) for b in y]
    return np.array(border, float)


def _grid() -> np.ndarray:
    """Return canvas coordinates (36, 48, 2) float32 of the cell centres of the coarse grid."""
    x = (np.arange(_GRID[0]) + 0.5) * CANVAS_PX[0] / _GRID[0] - 0.5
    y = (np.arange(_GRID[1]) + 0.5) * CANVAS_PX[1] / _GRID[1] - 0.5
    return np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32)


def _spline_basis(points: np.ndarray, stiffness: float = 0.02) -> np.ndarray:
    """Return (G, P); its product with displacements at P points is the field at G grid cells."""

    def radial(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        r = np.linalg.norm(a[:, None] - b[None], axis=-1) / 100
        return r * r * np.log(np.maximum(r, 1e-9))

    count = len(points)
    plane = np.column_stack([np.ones(count), points / 100])
    system = np.block(
        [[radial(points, points) + stiffness * np.eye(count), plane], [plane.T, np.zeros((3, 3))]]
    )
    cells = _grid().reshape(-1, 2)
    reach = np.column_stack([radial(cells, points), np.ones(len(cells)), cells / 100])
    return (reach @ np.linalg.inv(system)[:, :count]).astype(np.float32)
