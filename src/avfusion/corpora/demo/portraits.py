"""Paint portraits of people who do not exist on a face mesh.

Skin is a Lambert-shaded relief (ellipsoid plus nose, brow, sockets, cheeks). Eyes, brows, lips and
hair are drawn over it with soft edges.
"""

import cv2
import numpy as np

from avfusion.corpora.demo import mesh
from avfusion.corpora.demo.brush import Brush, between
from avfusion.corpora.demo.puppet import CANVAS_PX, Portrait

_IRIS = ((52, 66, 88), (120, 96, 62), (96, 122, 92), (40, 46, 58))


def painted(shapes: np.ndarray, rng: np.random.Generator, source: str) -> Portrait:
    """Return a new face with proportions mixed from the real meshes `shapes` (N, 478, 2)."""
    landmarks = _proportions(shapes, rng)
    brush = _Painter(landmarks, rng)
    for part in (brush.background, brush.body, brush.head, brush.eyes, brush.brows, brush.lips):
        part()
    for part in (brush.wrinkles, brush.fringe, brush.glasses):
        part()
    return Portrait(np.clip(brush.image, 0, 255).astype(np.uint8), landmarks, source)


def _proportions(shapes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return landmarks (478, 2): the symmetric mean mesh plus real differences and jitter."""
    units = np.array([mesh.eye_distance_px(s) for s in shapes])
    centred = (shapes - shapes[:, 168:169]) / units[:, None, None]
    mean, twin = centred.mean(axis=0), mesh.twins(shapes)
    even = (centred + (centred * (-1, 1))[:, twin]) / 2
    base = even.mean(axis=0)
    face = base + np.tensordot(rng.normal(0, 0.45, len(shapes)), even - base, axes=1)
    face = face + rng.uniform(-0.25, 0.25) * (mean - (mean * (-1, 1))[twin]) / 2  # slightly turned
    parts = (("nose", 0.03), ("cheeks", 0.02), ("chin", 0.03), ("jaw", 0.02))
    for part, spread in parts:
        near = np.linalg.norm(face[:, None] - face[list(mesh.PARTS[part])].mean(0), axis=-1)
        face = face + np.exp(-((near / 0.35) ** 2)) * rng.normal(0, spread, 2) * (0.5, 1)
    face = face * (rng.uniform(0.94, 1.06), rng.uniform(0.95, 1.05))
    unit = 118 * rng.uniform(0.93, 1.05)
    return face * unit + (CANVAS_PX[0] / 2, 152 + rng.uniform(-5, 5))


class _Painter(Brush):
    """Paint the parts of a portrait, from back to front."""

    def background(self) -> None:
        """Paint a blurred room: a gradient with soft blotches."""
        first, second = self.rng.uniform(50, 190, (2, 1, 1, 1)) * self.rng.uniform(
            0.75, 1.25, (2, 1, 1, 3)
        )
        ramp = (self.x / self.width * self.rng.uniform(-1, 1) + self.y / self.height)[..., None]
        self.image[:] = first * (1 - ramp) + second * ramp
        self.image += 12 * self.noise(45, 45)[..., None] * self.rng.uniform(0.5, 1, 3)

    def body(self) -> None:
        """Paint hair behind the head, neck and clothes."""
        (cx, cy), (rx, ry) = self.middle, self.half
        drop = 1.5 if self.long_hair else 0.35
        behind = ((self.x - cx) / (1.24 * rx)) ** 2 + ((self.y - cy + 0.2 * ry) / (1.3 * ry)) ** 2
        mask = np.clip((1 - behind) * 8, 0, 1)
        sides = np.clip((1.22 * rx - np.abs(self.x - cx)) / 6, 0, 1)
        mask = np.maximum(mask, sides * (self.y > cy - 0.2 * ry)) * (self.y < cy + drop * ry)
        self.blend(self.strands(), cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 3))
        neck = np.abs(self.x - cx) < 0.55 * rx
        neck = cv2.GaussianBlur((neck & (self.y > cy)).astype(np.float32), (0, 0), 2.5)
        shade = 0.55 + 0.2 * np.clip((self.y - cy - 0.9 * ry) / (0.6 * ry), 0, 1)
        self.blend(self.skin * shade[..., None], neck)
        collar = cy + 1.32 * ry + 0.10 * np.abs(self.x - cx)
        collar -= 0.35 * ry * np.exp(-(((np.abs(self.x - cx) - 0.62 * rx) / (0.25 * rx)) ** 2))
        cloth = self.rng.uniform(25, 190, 3) * (1 + 0.06 * self.noise(1.5, 12)[..., None])
        self.blend(cloth, np.clip((self.y - collar) / 3, 0, 1))

    def relief(self) -> np.ndarray:
        """Return the depth (H, W) of the face in pixels."""
        p, u = self.points, self.unit
        r2 = ((self.x - self.middle[0]) / (1.12 * self.half[0])) ** 2
        r2 = r2 + ((self.y - self.middle[1]) / (1.15 * self.half[1])) ** 2
        depth = 0.75 * u * np.sqrt(np.clip(1 - r2, 0.02, 1))
        ridge = (0.35, 0.55, 0.8, 1.0)
        for point, height in zip((p[6], p[197], p[5], p[4]), ridge, strict=True):
            depth += 0.17 * u * height * self.bump(point, 0.1 + 0.05 * height, 0.2)
        for wing in (98, 327):
            depth += 0.07 * u * self.bump(p[wing], 0.08, 0.08)
        for eye, brow, cheek in ((159, 105, 50), (386, 334, 280)):
            depth -= 0.10 * u * self.bump((p[eye] + p[brow]) / 2 + (0, 0.06 * u), 0.2, 0.13)
            depth += 0.05 * u * self.bump(p[brow], 0.3, 0.09)
            depth += 0.08 * u * self.bump(p[cheek], 0.26, 0.22)
        depth += 0.06 * u * self.bump(p[17], 0.3, 0.2) + 0.09 * u * self.bump(p[152], 0.22, 0.18)
        depth -= 0.06 * u * self.bump((p[17] + p[152]) / 2, 0.22, 0.07)
        return cv2.GaussianBlur(depth.astype(np.float32), (0, 0), 1.5)

    def head(self) -> None:
        """Paint shaded skin with pores, blush, shadows around the nose and optional stubble."""
        p, u = self.points, self.unit
        depth = self.relief()
        slope_y, slope_x = np.gradient(depth)
        length = np.sqrt(slope_x**2 + slope_y**2 + 1)
        facing = (-slope_x * self.light[0] - slope_y * self.light[1] + self.light[2]) / length
        shade = 0.42 + 0.68 * np.clip(facing, 0, 1)
        shade *= 1 + 0.012 * self.noise(0.6, 0.6) + 0.02 * self.noise(6, 6)
        skin = self.skin * shade[..., None]
        for cheek in (50, 280):
            blush = self.rng.uniform(6, 20) * self.bump(p[cheek], 0.25, 0.2)
            skin -= blush[..., None] * (1, 0.7, 0)
        skin *= 1 - 0.35 * self.bump(p[2] + (0, 0.05 * u), 0.16, 0.05)[..., None]
        beard = self.rng.uniform(0.15, 0.5) * (self.rng.random() < 0.3 and not self.long_hair)
        jaw = np.clip((self.y - p[2][1]) / (0.25 * u), 0, 1) * (1 + 0.5 * self.noise(0.5, 1))
        jaw = np.clip(beard * jaw * (1 - 1.2 * self.bump((p[0] + p[17]) / 2, 0.3, 0.1)), 0, 1)
        skin = skin * (1 - jaw[..., None]) + self.hair * jaw[..., None]
        self.blend(skin, self.shape(p[list(mesh.OVAL)], 1.8))
        for side, middle in ((98, 97), (327, 326)):
            hole = self.bump((p[side] * 0.35 + p[middle] * 0.65) + (0, 0.01 * u), 0.05, 0.028)
            self.blend(self.skin * 0.25, 0.8 * np.clip(hole * 1.3, 0, 1))

    def eyes(self) -> None:
        """Paint sclera, iris, pupil, highlight, lashes and the fold above."""
        p, u = self.points, self.unit
        iris = between(_IRIS, self.rng.uniform(0, len(_IRIS) - 1))
        right, left = (mesh.RIGHT_EYE, mesh.RIGHT_IRIS), (mesh.LEFT_EYE, mesh.LEFT_IRIS)
        for contour, ring in (right, left):
            outline = p[list(contour)]
            opening = self.shape(outline, 0.6)
            centre = outline.mean(axis=0) * 0.6 + p[ring[0]] * 0.4
            self.blend(np.array((205, 212, 218)), opening)
            away = np.hypot(self.x - centre[0], self.y - centre[1]) / (0.066 * u)
            fade = 1.15 - 0.5 * np.square(np.square(away))[..., None]
            self.blend(iris * fade, opening * (away < 1))
            self.blend((12, 12, 14), opening * np.clip((0.45 - away) * 8, 0, 1))
            spark = self.bump(centre + u * np.array((0.02, -0.025)), 0.012, 0.012)
            self.blend((245, 245, 245), spark)
            self.stroke(outline[:9], 0.022, self.hair * 0.35, 0.9)
            self.stroke(outline[8:], 0.008, self.skin * 0.55, 0.6)
            self.stroke(outline[1:8] - (0, 0.055 * u), 0.012, self.skin * 0.62, 0.5)

    def brows(self) -> None:
        """Paint hair along the brow ridge, darker than on the head."""
        thick = self.rng.uniform(0.7, 1.25)
        for brow in (mesh.RIGHT_BROW, mesh.LEFT_BROW):
            ridge = (self.points[list(brow[:5])] + self.points[list(brow[:4:-1])]) / 2
            self.stroke(ridge, 0.05 * thick, self.hair * 0.6, 0.55)
            self.stroke(ridge, 0.03 * thick, self.hair * 0.45, 0.6)

    def lips(self) -> None:
        """Paint both lips, the line between them and a highlight on the lower one."""
        p, u = self.points, self.unit
        red = self.skin * (0.62, 0.6, 0.9) * self.rng.uniform(0.85, 1.05)
        self.blend(red, 0.85 * self.shape(p[list(mesh.LIPS)], 1.2))
        self.blend(red * 1.25, 0.5 * self.bump((p[14] + p[17]) / 2, 0.12, 0.025))
        line = p[[78, 80, 81, 13, 311, 310, 308]]
        self.stroke(np.vstack([p[61], line, p[291]]), 0.013, self.skin * 0.25, 0.85)
        self.stroke(p[[84, 17, 314]] + (0, 0.03 * u), 0.02, self.skin * 0.6, 0.35)

    def wrinkles(self) -> None:
        """Draw lines on the forehead, from the nose to the mouth and next to the eyes, by age."""
        p, u, shade = self.points, self.unit, self.skin * 0.6
        deep = 0.5 * self.age**2
        for height in (0.22, 0.34, 0.46):
            middle = p[9] - (0, height * u)
            arc = [(x * u, 0.12 * u * x**2) for x in np.linspace(-0.45, 0.45, 7)]
            self.stroke(middle + np.array(arc), 0.012, shade, deep)
        for wing, corner, outer, sign in ((98, 61, 33, -1), (327, 291, 263, 1)):
            self.stroke(np.array([p[wing], p[corner] + (sign * 0.06 * u, 0)]), 0.02, shade, deep)
            for rise in (-0.07, 0.0, 0.07):
                start = p[outer] + (sign * 0.05 * u, 0.3 * rise * u)
                end = p[outer] + (sign * 0.17 * u, rise * u)
                self.stroke(np.array([start, end]), 0.01, shade, deep)

    def glasses(self) -> None:
        """Draw a frame around the eyes of every fourth person."""
        drawn = self.rng.random() < 0.25
        width, colour = self.rng.uniform(0.015, 0.035), self.rng.uniform(10, 110, 3)
        angle = np.linspace(0, 2 * np.pi, 25)
        rim = np.column_stack([0.24 * np.cos(angle), 0.17 * np.sin(angle)]) * self.unit
        eyes = [self.points[list(eye)].mean(0) for eye in (mesh.RIGHT_EYE, mesh.LEFT_EYE)]
        bridge = np.array([eyes[0] + rim[0], eyes[1] + rim[12]])
        for line in (eyes[0] + rim, eyes[1] + rim, bridge):
            self.stroke(line, width, colour, 0.9 * drawn)

    def fringe(self) -> None:
        """Paint hair over the forehead, parted on one side."""
        (cx, cy), (rx, ry) = self.middle, self.half
        part = cx + self.rng.uniform(-0.6, 0.6) * rx
        high = self.rng.uniform(0.72, 0.95)
        line = cy - ry * high + 0.5 * ry * ((self.x - part) / (1.5 * rx)) ** 2
        line = line + 1.5 * self.noise(1, 15)
        crown = ((self.x - cx) / (1.2 * rx)) ** 2 + ((self.y - cy + 0.15 * ry) / (1.28 * ry)) ** 2
        mask = np.clip((line - self.y) / 2.5, 0, 1) * np.clip((1 - crown) * 10, 0, 1)
        temple = np.clip((np.abs(self.x - cx) / rx - 0.93) / 0.06, 0, 1)
        low = cy + (1.2 if self.long_hair else 0.05) * ry
        temple = temple * np.clip((1 - crown) * 10, 0, 1) * np.clip((low - self.y) / 5, 0, 1)
        self.blend(self.strands(), np.maximum(mask, temple))
