"""A tiny corpus after the media stage: drawn faces and sounds that show known valence and arousal.

The mouth's curve shows valence and the eyes' opening arousal; loudness shows arousal and the
spectrum's slope valence. Written by the store's own writer, so it is a real record.
"""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy.signal import istft, stft

from avfusion.config.jobs import EncoderSettings
from avfusion.config.sections import ClipSettings, SignalSettings
from avfusion.layout import Layout
from avfusion.media.new_record import write_record
from avfusion.media.store import MediaRecord
from avfusion.media.transcript import Transcript

RATE_HZ, SOUND_HZ, HOP_S = 12.5, 16_000, 0.01
DELAY_S = {"valence": 0.8, "arousal": 0.4}
WINDOWS = {"clip_s": 0.64, "hop_s": 0.16, "clips": 16}


def settings(encoder: str, root: Path | None = None, **options: object) -> EncoderSettings:
    """Settings of one encoder as a study makes them; `root` is for encoders of text."""
    windows = ClipSettings(clip_s=WINDOWS["clip_s"], hop_s=WINDOWS["hop_s"])
    media = SignalSettings()
    rest = {"windows": windows, "media": media, "root": root, "code": "0" * 16}
    return EncoderSettings(encoder=encoder, class_=encoder, options=options, **rest)


def make_words(felt: np.ndarray, rng: np.random.Generator) -> list[tuple[str, float, float]]:
    """A word each half second: valence by its name, one of three words for each sign."""
    times_s = np.arange(0, len(felt) / RATE_HZ - 0.5, 0.5)
    signs = np.interp(times_s, np.arange(len(felt)) / RATE_HZ, felt[:, 0]) > 0
    kinds = rng.integers(3, size=len(times_s))
    words = zip(times_s, signs, kinds, strict=True)
    return [(f"{'good' if s else 'bad'}{k}", t, t + 0.4) for t, s, k in words]


def transcript(words: list[tuple[str, float, float]], seconds: float) -> Transcript:
    """The same, as an encoder is given it."""
    names, start_s, end_s = zip(*words, strict=True) if words else ((), (), ())
    return Transcript(names, np.array(start_s), np.array(end_s), seconds)


def write_words(path: Path, words: list[tuple[str, float, float]]) -> None:
    """A transcript as a corpus holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["word,start_s,end_s", *(f"{w},{s:.3f},{e:.3f}" for w, s, e in words)]
    path.write_text("\n".join(lines) + "\n")


def write_vectors(path: Path, words: tuple[str, ...] = ("good0", "good1", "bad0", "bad1")) -> Path:
    """Vectors in GloVe's form, four numbers a word; two of the six words made here have none."""
    rows = np.random.default_rng(7).normal(size=(len(words), 4))
    lines = [f"{w} {' '.join(f'{x:.5f}' for x in row)}" for w, row in zip(words, rows, strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


def course(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Smooth valence and arousal in (-1, 1) at RATE_HZ: (N, 2)."""
    knots = rng.uniform(-0.9, 0.9, (int(seconds) + 4, 2))
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.stack([np.interp(at, np.arange(len(knots)), knots[:, d]) for d in (0, 1)], 1)


def draw_face(valence: float, arousal: float, rng: np.random.Generator) -> np.ndarray:
    """An aligned cartoon face, RGB uint8 (112, 112, 3)."""
    face = np.full((112, 112, 3), 190, np.uint8)
    x = np.linspace(-18, 18, 20)
    mouth = np.stack([56 + x, 88 - 9 * valence * (x / 18) ** 2 + 4 * valence], 1)
    cv2.polylines(face, [mouth.astype(np.int32)], False, (120, 40, 40), 3)
    for eye in (38, 74):
        cv2.ellipse(face, (eye, 50), (8, int(4 + 3 * arousal)), 0, 0, 360, (30, 30, 30), -1)
    return (face + rng.normal(0, 4, face.shape)).clip(0, 255).astype(np.uint8)


def draw_sound(felt: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise float32 (N,) at SOUND_HZ under valence and arousal (M, 2) at RATE_HZ."""
    noise = rng.normal(0, 0.01, round(len(felt) / RATE_HZ * SOUND_HZ))
    hz, at_s, spectrum = stft(noise, SOUND_HZ, nperseg=512, noverlap=352)  # (bins, rows)
    at = (at_s * RATE_HZ).astype(int).clip(max=len(felt) - 1)
    valence, arousal = felt[at].T  # (rows,) each
    slope = 2 * np.log1p(hz / 700) / np.log1p(hz[-1] / 700) - 1  # even in mel
    gain = np.exp(0.75 * arousal + 0.75 * valence * slope[:, None])
    return istft(spectrum * gain, SOUND_HZ, nperseg=512, noverlap=352)[1][: len(noise)].astype("f4")


def make_record(
    folder: Path,
    felt: np.ndarray,
    rng: np.random.Generator,
    faceless: slice = slice(0),
    silent: slice = slice(0),
) -> MediaRecord:
    """One record; `faceless` frames have no face, `silent` rows of 10 ms no audio."""
    times_s = np.arange(len(felt)) / RATE_HZ
    frames = pd.DataFrame({"time_s": times_s, "faces": 1, "score": 0.9})
    frames.iloc[faceless, 1:] = [0, np.nan]
    crops = {i: draw_face(*felt[i], rng) for i in np.flatnonzero(frames["score"].notna())}
    sound, step = draw_sound(felt, rng), round(HOP_S * SOUND_HZ)
    first, last = step * (silent.start or 0), step * silent.stop
    pieces = [(0, sound[:first]), (last, sound[last:])]
    duration_s = len(felt) / RATE_HZ
    meta = {"face_px": 112, "duration_s": duration_s}
    return write_record(folder, frames, crops, pieces, meta, SOUND_HZ)


def make_corpus(
    results: Path, partitions: dict[str, int], seconds: float = 6.0, seed: int = 0
) -> Layout:
    """Manifest, gold, card, transcripts, media records and media index of corpus `tiny`."""
    layout, rng = Layout(results), np.random.default_rng(seed)
    rng_words = np.random.default_rng([seed, 1])  # words change no face and no sound
    manifest, gold, media = [], [], []
    for partition, count in partitions.items():
        for number in range(count):
            video, felt = f"{partition}_{number}", course(rng, seconds)
            make_record(layout.media("tiny") / video, felt, rng)
            script = f"transcripts/{video}.csv"
            write_words(results / script, make_words(felt, rng_words))
            manifest.append({"video": video, "partition": partition, "transcript": script})
            media.append({"video": video, "status": "ok", "reason": None})
            rated_s = np.arange(len(felt)) / RATE_HZ
            late = {
                k: np.interp(rated_s - d, rated_s, felt[:, i])
                for i, (k, d) in enumerate(DELAY_S.items())
            }
            gold.append(pd.DataFrame({"video": video, "time_s": rated_s, **late}))
    layout.manifest("tiny").parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(manifest).to_parquet(layout.manifest("tiny"))
    pd.concat(gold, ignore_index=True).to_parquet(layout.gold("tiny"))
    pd.DataFrame(media).to_parquet(layout.media("tiny") / "index.parquet")
    card = {"name": "tiny", "delay_s": DELAY_S, "rating_hz": RATE_HZ, "data_hash": "0" * 64}
    layout.card("tiny").write_text(json.dumps(card))
    return layout
