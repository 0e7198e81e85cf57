"""Builds videos of several people who move, talk and are cut between, for the media tests."""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from avfusion.corpora.demo import portraits
from avfusion.corpora.demo.puppet import Portrait, Pose, Puppet
from support import odd_videos

ASSETS = Path(portraits.__file__).parent / "assets"
NAMES = ("gauss", "newton", "mona_lisa", "painted_3", "painted_8")
CELL_PX = (320, 240)
FPS = odd_videos.FPS


class Shot(NamedTuple):
    """Who is where from left to right, and for how many frames."""

    people: tuple[str, ...]
    frames: int
    talks: str = ""
    scale: float = 0.9


@cache
def puppet(name: str) -> Puppet:
    """A portrait of the demo corpus, or a painted one, that can move."""
    marks = {n: np.array(p, float) for n, p in json.loads(_marks()).items()}
    if not name.startswith("painted"):
        image = cv2.imread(str(ASSETS / f"{name}.png"))
        return Puppet(Portrait(image, marks[name], name), CELL_PX)
    rng = np.random.default_rng(int(name.partition("_")[2]))
    return Puppet(portraits.painted(np.stack(list(marks.values())), rng, name), CELL_PX)


def _marks() -> str:
    return (ASSETS / "landmarks.json").read_text()


def picture(shot: Shot, at: int) -> np.ndarray:
    """Frame `at` of a shot, RGB uint8 (240, 320 * people, 3)."""
    cells = []
    for place, name in enumerate(shot.people):
        turn = at / 9 + 2 * place
        talks = max(0.0, np.sin(at * 2.1)) if name == shot.talks else 0.0
        pose = Pose(
            mouth=0.9 * talks,
            smile=0.4 * np.sin(turn / 2),
            shift_px=(12 * np.sin(turn), 5 * np.cos(turn)),
            roll_deg=4 * np.sin(turn / 3),
            scale=shot.scale,
        )
        cells.append(puppet(name).frame(pose)[..., ::-1])
    return np.ascontiguousarray(np.hstack(cells))


def images(shots: list[Shot], width: int = 640) -> tuple[list[np.ndarray], list[int]]:
    """Frames of all shots, each centred in a picture of that width, and the shot of each."""
    out, shot_of = [], []
    for number, shot in enumerate(shots):
        for at in range(shot.frames):
            cell = picture(shot, at)
            frame = np.full((cell.shape[0], width, 3), 70 + 30 * number, np.uint8)
            begin = (width - cell.shape[1]) // 2
            frame[:, begin : begin + cell.shape[1]] = cell
            out.append(frame)
            shot_of.append(number)
    return out, shot_of


def who(shot: Shot, middle_px: float, width: int = 640) -> str:
    """The name of the person at a place of a picture."""
    begin = (width - CELL_PX[0] * len(shot.people)) / 2
    return shot.people[min(len(shot.people) - 1, max(0, int((middle_px - begin) // CELL_PX[0])))]
