"""A miniature of RECOLA in AVEC 2016's folders: seven recordings of 20 s, rated 60 frames late."""

import wave
from pathlib import Path

import numpy as np

from avfusion.corpora.goldstandard import gold_standard
from support.miniatures import _film
from support.miniatures._recola_faults import faults

HZ, ROWS, LATE, FRAMES = 25, 501, 60, 530  # the films are longer than what is rated
RECORDINGS = ("train_1", "train_2", "train_3", "dev_1", "dev_2", "test_1", "test_2")
RATERS = ("FM1", "FM2", "FM3", "FF1", "FF2", "FF3")
CONSTANT = ("dev_2", "arousal", 5)  # a constant rater, as in the corpus
WAV_HZ = 44100
OPTIONS = {"rows": ROWS, "recordings": len(RECORDINGS), "delay_s": {"valence": 2.4, "arousal": 2.4}}
DIMENSIONS = ("valence", "arousal")


def levels(name: str) -> np.ndarray:
    """Return the tone of every frame; it changes every fifth frame to reveal shifts."""
    rng = np.random.default_rng([7, *name.encode()])
    steps = np.cumsum(rng.integers(1, _film.TONES - 1, FRAMES // 5 + 1)) % _film.TONES
    return np.repeat(steps, 5)[:FRAMES]


def stimulus(name: str, dimension: str) -> np.ndarray:
    """Return the value of picture (valence) or tone (arousal) in every frame (FRAMES,)."""
    if dimension == "arousal":
        return _film.tone_value(levels(name))
    rng = np.random.default_rng([8, *name.encode()])
    return np.round(rng.uniform(-0.9, 0.9, FRAMES), 3)


def ratings(name: str, dimension: str) -> np.ndarray:
    """Return six raters (ROWS, 6): the stimulus 60 frames before, with bias and noise."""
    rng = np.random.default_rng([9, len(dimension), *name.encode()])
    seen = stimulus(name, dimension)
    late = seen[np.clip(np.arange(ROWS) - LATE, 0, None)]
    bias, noise = rng.uniform(-0.05, 0.05, 6), 0.02 * rng.standard_normal((ROWS, 6))
    rated = np.clip(np.round(0.6 * late[:, None] + bias + noise, 2), -1, 1)
    if (name, dimension) == CONSTANT[:2]:
        rated[:, CONSTANT[2]] = 0.1
    return rated


FAULTS = faults()


def build(root: Path, recordings: tuple[str, ...] = RECORDINGS) -> None:
    """Write the clean tree: one file with CRLF, one with `@DATA`, features with `?`."""
    for name in recordings:
        _write_media(root, name)
        for dimension in DIMENSIONS if not name.startswith("test") else ():
            _write_ratings(root, name, dimension)
    features = root / "features_audio/arousal/train_1.arff"
    features.parent.mkdir(parents=True)
    features.write_text("@relation f\n@attribute x numeric\n@data\n'train_1',0.00,?\n")


def _write_media(root: Path, name: str) -> None:
    for folder in ("recordings_video", "recordings_audio"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    face = _film.picture(1)
    images = [_film.coded(face.copy(), v) for v in stimulus(name, "valence")]
    times_s = np.arange(FRAMES) / HZ
    samples = _film.sound(levels(name), times_s, FRAMES / HZ, 0.0)
    times_ms = np.round(1000 * times_s).astype(int).tolist()
    _film.write(root / f"recordings_video/{name}.mp4", images, times_ms, (0.0, samples), HZ)
    at = np.arange(round(len(samples) * WAV_HZ / _film.AUDIO_HZ)) / WAV_HZ
    fine = np.interp(at, np.arange(len(samples)) / _film.AUDIO_HZ, samples)
    with wave.open(str(root / f"recordings_audio/{name}.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(WAV_HZ)
        file.writeframes((32767 * fine).astype("<i2").tobytes())


def _write_ratings(root: Path, name: str, dimension: str) -> None:
    rated, end = ratings(name, dimension), "\r\n" if name == "train_2" else "\n"
    gold_folder = root / "ratings_gold_standard" / dimension
    rater_folder = root / "ratings_individual" / dimension
    rater_folder.mkdir(parents=True, exist_ok=True)
    gold_folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{k / HZ:.2f};" + ";".join(f"{x:.2f}" for x in row) for k, row in enumerate(rated)]
    text = end.join([";".join(("time", *(f"{rater} " for rater in RATERS))), *lines]) + end
    (rater_folder / f"{name}.csv").write_bytes(text.encode())
    mark = "@DATA" if name == "dev_1" else "@data"
    head = ["@relation GOLDSTANDARD", "", "@attribute Instance_name string"]
    head += ["@attribute frameTime numeric", "@attribute GoldStandard numeric", "", "", mark]
    gold = gold_standard(rated).gold
    quote = "'" if name == "dev_1" else ""
    rows = [f"{quote}{name}{quote},{k / HZ:.2f},{x:.6f}" for k, x in enumerate(gold)]
    (gold_folder / f"{name}.arff").write_bytes((end.join([*head, *rows]) + end).encode())
