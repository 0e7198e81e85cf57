"""A miniature of RAVDESS: six actors, two emotions, twins without sound, songs and sound files.

Each clip has a different number in its pictures, and a tone. Actor 18 has no song. One
sound file is stereo, as four of the release are.
"""

from pathlib import Path

import numpy as np

from support.miniatures import _film
from support.miniatures._ravdess_faults import faults
from support.miniatures.iemocap import write_wav

ACTORS = (1, 2, 3, 8, 10, 18)
SPEECH = ((1, 1), (5, 1), (5, 2))  # emotion and intensity: neutral, angry
SONG = ((1, 1), (5, 2))
FRAMES, FPS, WIDTH_PX, HEIGHT_PX = 20, 30, 320, 240
END_S = FRAMES / FPS
HZ = 48000
SENTENCE = "Kids are talking by the door\n"  # of every clip
OPTIONS = {
    "actors": "1-3,8,10,18",
    "expect": {
        "speech": {"neutral": 1, "angry": 2},
        "song": {"neutral": 1, "angry": 1},
        "stereo": 1,
        "picture_px": [WIDTH_PX, HEIGHT_PX],
    },
}
FAULTS = faults()


def name(modality: int, channel: int, emotion: int, intensity: int, actor: int) -> str:
    """Return the name of a file of the first statement and repetition."""
    return f"{modality:02d}-{channel:02d}-{emotion:02d}-{intensity:02d}-01-01-{actor:02d}"


def takes(actor: int) -> list[tuple[int, int, int]]:
    """Return vocal channel, emotion and intensity of each take of an actor."""
    sung = [] if actor == 18 else [(2, *kind) for kind in SONG]
    return [*[(1, *kind) for kind in SPEECH], *sung]


def number(actor: int, at: int) -> int:
    """Return the number of an actor's take, which its pictures and its tone encode."""
    return 5 * ACTORS.index(actor) + at


def build(root: Path) -> None:
    """Write the clean tree, with the extra folder that unpacking by hand makes."""
    for actor in ACTORS:
        top = "Video_Speech_Actor_18/" if actor == 18 else ""
        folder = root / f"{top}Actor_{actor:02d}"
        folder.mkdir(parents=True)
        for at, take in enumerate(takes(actor)):
            path = folder / f"{name(1, *take, actor)}.mp4"
            film(path, number(actor, at))
            film(path.with_name(f"{name(2, *take, actor)}.mp4"), number(actor, at), sound=False)
    sounds = root / "Audio_Speech_Actors_01-24/Actor_01"
    sounds.mkdir(parents=True)
    for at, (emotion, intensity) in enumerate(SPEECH):
        path = sounds / f"{name(3, 1, emotion, intensity, 1)}.wav"
        wav(path, number(1, at), channels=1 + (at == 1))
    (root / "sentences").mkdir()
    (root / "sentences/01.sentence").write_text(SENTENCE)
    (root / "Actor_01/._01-01-05-01-01-01-01.mp4").write_bytes(b"\0\5\x16\7\0\xff")


def film(path: Path, code: int, frames: int = FRAMES, sound: bool = True, scale: int = 1) -> None:
    """Write a film whose pictures and tone encode a number."""
    image = _film.coded(_film.picture(1), code / 1000)[::scale, ::scale].copy()
    times_ms = [round(1000 * at / FPS) for at in range(frames)]
    level = code % _film.TONES
    samples = _film.sound(np.full(frames, level), np.array(times_ms) / 1000, frames / FPS, 0.0)
    _film.write(path, [image] * frames, times_ms, (0.0, samples) if sound else None, FPS)


def wav(path: Path, code: int, channels: int = 1, hz: int = HZ) -> None:
    """Write the tone of a take as a wav file of the release's form."""
    at_s = np.arange(round(END_S * hz)) / hz
    tone = np.sin(2 * np.pi * _film.tone_hz(code % _film.TONES) * at_s)
    write_wav(path, np.repeat(tone[:, None], channels, axis=1), hz)
