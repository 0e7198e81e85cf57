"""Parts of a face as indices of the 478 landmarks of a face mesh.

Indices are those of the MediaPipe face mesh. "right" is the right of the person, which is on the
left of the picture.
"""

from functools import cache

import numpy as np
from scipy.optimize import linear_sum_assignment

OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
RIGHT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
LEFT_EYE = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
RIGHT_IRIS = (468, 469, 470, 471, 472)
LEFT_IRIS = (473, 474, 475, 476, 477)
RIGHT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
LEFT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
LIPS = (
    *(61, 185, 40, 39, 37, 0, 267, 269, 270, 409),
    *(291, 375, 321, 405, 314, 17, 84, 181, 91, 146),
)
MOUTH = (
    *(78, 191, 80, 81, 82, 13, 312, 311, 310, 415),
    *(308, 324, 318, 402, 317, 14, 87, 178, 88, 95),
)
PARTS: dict[str, tuple[int, ...]] = {
    "right_corner": (61,),
    "left_corner": (291,),
    "inner_corners": (78, 308),
    "right_upper_lip": (185, 40, 39, 37),
    "left_upper_lip": (409, 270, 269, 267),
    "upper_lip_top": (0,),
    "upper_lip_edge": (13, 82, 81, 80, 191, 312, 311, 310, 415),
    "lower_lip": (17, 84, 181, 91, 146, 314, 405, 321, 375),
    "lower_lip_edge": (14, 87, 178, 88, 95, 317, 402, 318, 324),
    "chin": (152, 148, 377, 176, 400, 149, 378),
    "jaw": (150, 136, 172, 379, 365, 397),
    "right_inner_brow": (107, 66, 55, 65),
    "left_inner_brow": (336, 296, 285, 295),
    "right_outer_brow": (70, 63, 105, 46, 53, 52),
    "left_outer_brow": (300, 293, 334, 276, 283, 282),
    "right_upper_lid": (159, 158, 160, 161, 157),
    "left_upper_lid": (386, 385, 387, 388, 384),
    "right_lower_lid": (145, 144, 153, 154, 163),
    "left_lower_lid": (374, 373, 380, 381, 390),
    "eye_corners": (33, 133, 362, 263),
    "nose": (1, 4, 168, 6, 98, 327, 2),
    "cheeks": (50, 280, 205, 425),
}
CONTROLS: tuple[int, ...] = tuple(sorted({i for part in PARTS.values() for i in part} | {*OVAL}))


@cache
def rows(*parts: str) -> list[int]:
    """Return the positions in `CONTROLS` of the landmarks of some parts."""
    return [CONTROLS.index(i) for part in parts for i in PARTS[part]]


def eye_distance_px(landmarks: np.ndarray) -> float:
    """Return the distance of the outer eye corners, the unit of expressions; landmarks (478, 2)."""
    return float(np.linalg.norm(landmarks[33] - landmarks[263]))


def twins(shapes: np.ndarray) -> np.ndarray:
    """Return the index of the mirror image of each landmark (478,), from shapes (N, 478, 2)."""
    units = np.array([eye_distance_px(shape) for shape in shapes])[:, None, None]
    mean = ((shapes - shapes[:, 168:169]) / units).mean(axis=0)
    gap = np.linalg.norm(mean[:, None] - (mean * (-1, 1))[None], axis=-1)
    return linear_sum_assignment(gap)[1]
