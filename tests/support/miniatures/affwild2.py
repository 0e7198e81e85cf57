"""A miniature of Aff-Wild2: nine trials of eight raw videos, in ABAW 6's folders."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from support.miniatures import _film
from support.miniatures._affwild2_faults import LISTS, TEMPLATE, TEST_LIST, faults
from support.miniatures._affwild2_faults import TRACK as ANNOTATIONS

PARTS = {"train": "Train_Set", "validation": "Validation_Set"}


@dataclass(frozen=True)
class Raw:
    """One raw video; `late_s` is when its sound starts, None without sound."""

    path: str
    frames: int
    fps: int
    uneven: bool = False
    persons: int = 1
    late_s: float | None = 0.0

    @property
    def name(self) -> str:
        return Path(self.path).stem

    @property
    def times_ms(self) -> list[int]:
        """Times of the frames in ms; steps alternate between 33 and 67 ms if uneven."""
        if not self.uneven:
            return [round(1000 * i / self.fps) for i in range(self.frames)]
        return [0, *np.cumsum([67 if i % 2 else 33 for i in range(self.frames - 1)]).tolist()]


@dataclass(frozen=True)
class Trial:
    """One annotated person, with `gap` more rows than frames and the rows of missing images."""

    name: str
    raw: str
    partition: str
    gap: int = 1
    gone: tuple[range, ...] = ()

    @property
    def person(self) -> int:
        return int(self.name.endswith("_right"))


RAWS = (
    Raw("batch1/3-30-320x240.mp4", 660, 30),
    Raw("batch1/7-25-320x240-2.avi", 75, 25),
    Raw("batch1/video4.mp4", 90, 30, uneven=True, late_s=None),
    Raw("batch2/video5_2.mp4", 90, 30, late_s=-0.1),
    Raw("new_vids/451.avi", 75, 25),
    Raw("batch2/105.mp4", 90, 30, persons=2, late_s=0.2),
    Raw("batch2/10-60-640x240.mp4", 120, 60, persons=2),
    Raw("batch1/200.avi", 12, 25),  # of another track: no trial
)
TRIALS = (
    Trial("3-30-320x240", "3-30-320x240", "train", 1, (range(21, 621),)),
    Trial("7-25-320x240-2", "7-25-320x240-2", "train", 0, (range(30, 33),)),
    Trial("video4", "video4", "train", 2, (range(1, 4), range(40, 45))),
    Trial("105_left", "105", "train", 1, (range(86, 92),)),
    Trial("105_right", "105", "train", 1),
    Trial("10-60-640x240", "10-60-640x240", "validation", 1),
    Trial("10-60-640x240_right", "10-60-640x240", "validation", -1),
    Trial("video5_2", "video5_2", "test", 1),
    Trial("451", "451", "test", 1, (range(50, 55),)),
)
RAW = {raw.name: raw for raw in RAWS}
# Unrated rows by 0-based index, as they are written.
UNRATED = {
    "3-30-320x240": {5: "-5,-5", 6: "-5,-5", 300: "-5.000,-5.000"},
    "video4": {10: "-0.024,-5", 11: "-5.0,0.5"},
    "10-60-640x240": {0: "-5,-5", 50: "-5,0.1"},
}


def rows_of(trial: Trial) -> int:
    return RAW[trial.raw].frames + trial.gap


def ratings(trial: Trial) -> np.ndarray:
    """Return valence and arousal of every row (N, 2), three decimals; neighbours differ."""
    raw = RAW[trial.raw]
    rng = np.random.default_rng([len(trial.name), *trial.name.encode()])
    steps = rng.integers(20, 120, rows_of(trial)) * rng.choice([-1, 1], rows_of(trial))
    valence = np.round((np.abs((np.cumsum(steps) + 40_000) % 3600 - 1800) - 900) / 1000, 3)
    return np.stack([valence, _film.tone_value(levels(raw)[: rows_of(trial)])], 1)


def levels(raw: Raw) -> np.ndarray:
    """Return the tone of every frame and of two more; both persons of a video share it."""
    rng = np.random.default_rng([raw.frames, *raw.name.encode()])
    return np.cumsum(rng.integers(2, _film.TONES - 2, raw.frames + 2)) % _film.TONES


def images_of(trial: Trial) -> list[int]:
    """Return the rows that have an aligned image."""
    gone = {row for part in trial.gone for row in part}
    return [row for row in range(1, rows_of(trial) + 1) if row not in gone]


OPTIONS = {
    "edition": "abaw6",
    "expect": {
        "train": 5,
        "validation": 2,
        "test": 2,
        "raw": 8,
        "valid_rows": {
            "train": sum(rows_of(t) for t in TRIALS if t.partition == "train") - 5,
            "validation": sum(rows_of(t) for t in TRIALS if t.partition == "validation") - 2,
        },
        "template_rows": sum(rows_of(t) for t in TRIALS if t.partition == "test"),
        "images": sum(len(images_of(t)) for t in TRIALS),
        "frames": {raw.name: raw.frames for raw in RAWS},
    },
}


FAULTS = faults(OPTIONS["expect"]["frames"], OPTIONS["expect"])


def build(root: Path, style: str = "abaw6") -> None:
    """Write the clean tree; `style` is the edition of the template."""
    for raw in RAWS:
        _write_raw(root, raw)
    for trial in TRIALS:
        _write_images(root, trial)
        if trial.partition in PARTS:
            _write_rows(root, trial)
    tested = [t for t in TRIALS if t.partition == "test"]
    (root / LISTS).mkdir()
    (root / TEST_LIST).write_text("".join(f"{t.name}\n" for t in tested))
    dummy = {"abaw5": "", "abaw6": "0.5,-0.5"}[style]
    lines = [f"{t.name}/{row:05d}.jpg,{dummy}" for t in tested for row in range(1, rows_of(t) + 1)]
    text = "\n".join(["image_location,valence,arousal", *lines])
    (root / TEMPLATE).write_text(text + "\n")
    for junk in ("cropped_aligned/.DS_Store", f"{ANNOTATIONS}/Train_Set/.DS_Store"):
        (root / junk).write_bytes(b"\0\0\0\1Bud1")
    (root / "cropped_aligned/video4/._00004.jpg").write_bytes(b"\0\5\26\7")
    (root / ANNOTATIONS / "Train_Set/._video4.txt").write_bytes(b"\0\5\26\7\xff")
    (root / "cropped/video4").mkdir(parents=True)
    cv2.imwrite(str(root / "cropped/video4/00004.jpg"), np.zeros((97, 81, 3), np.uint8))


def _write_raw(root: Path, raw: Raw) -> None:
    path = root / raw.path
    path.parent.mkdir(parents=True, exist_ok=True)
    tracks = {t.person: ratings(t)[:, 0] for t in TRIALS if t.raw == raw.name}
    base, images = _film.picture(raw.persons), []
    for frame in range(raw.frames):
        image = base.copy()
        for person, valence in tracks.items():
            # If a trial has fewer rows than frames, the last frame has no value.
            _film.coded(image, valence[frame] if frame < len(valence) else -1, 320 * person)
        images.append(image)
    times_ms, tones = np.array(raw.times_ms), None
    end_s = times_ms[-1] / 1000 + 1 / raw.fps
    shift_s = max(0.0, -(raw.late_s or 0.0))  # sound cannot begin before the container does
    if raw.late_s is not None:
        start_s = raw.late_s
        samples = _film.sound(levels(raw), times_ms / 1000, end_s, start_s)
        tones = start_s + shift_s, samples
    _film.write(path, images, (times_ms + round(1000 * shift_s)).tolist(), tones, raw.fps)


def _write_images(root: Path, trial: Trial) -> None:
    sibling = "cropped_aligned_new_50_vids" if trial.name == "451" else "cropped_aligned"
    folder = root / sibling / trial.name
    folder.mkdir(parents=True)
    valence = ratings(trial)[:, 0]
    for row in images_of(trial):
        crop = _film.crop(valence[row - 1])[..., ::-1]
        cv2.imwrite(str(folder / f"{row:05d}.jpg"), crop, [cv2.IMWRITE_JPEG_QUALITY, 95])


def _write_rows(root: Path, trial: Trial) -> None:
    folder = root / ANNOTATIONS / PARTS[trial.partition]
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{v:.3f},{a:.3f}" for v, a in ratings(trial)]
    for row, text in UNRATED.get(trial.name, {}).items():
        lines[row] = text
    end = "\r\n" if trial.name == "7-25-320x240-2" else "\n"
    tail = end * 2 if trial.name == "105_left" else end
    header = "Valence, Arousal" if trial.name == "video4" else "valence,arousal"
    (folder / f"{trial.name}.txt").write_bytes((end.join([header, *lines]) + tail).encode())
