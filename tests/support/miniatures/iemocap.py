"""A miniature of IEMOCAP: five sessions of two dialogs; only the current speaker has a face.

Frame i of a film has i written into its left half and 1000 + i into its right half. The half of the
other actor is empty. The recording of each turn has a different tone, and the film another.
"""

import wave
from collections import Counter
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from avfusion.corpora.iemocap.evaluation import CODES
from support import odd_videos
from support.miniatures import _film
from support.miniatures._iemocap_faults import faults

DIALOGS = ("F_impro01", "M_script01_1b")
TURNS, FIRST_S, STEP_S, LENGTH_S = 8, 0.5, 0.8, 0.62
END_S = FIRST_S + TURNS * STEP_S
RATE = Fraction(30000, 1001)
HALF_PX, HEIGHT_PX, HZ = 160, 120, 16000
UNALIGNED = "Ses01F_impro01_F000"
WORDS = ("EXCUSE(2)", "me", "thank", "you", "NO", "yes", "MAYBE", "well")


def dialogs(sessions=range(1, 6)) -> list[str]:
    return [f"Ses0{session}{dialog}" for session in sessions for dialog in DIALOGS]


def turns(dialog: str) -> list[tuple[str, float, float, str, tuple[float, ...]]]:
    """Return name, start_s, end_s, code and ratings of each turn; F and M alternate."""
    second, rng = dialog.endswith("b"), np.random.default_rng([3, *dialog.encode()])
    rows = []
    for at in range(TURNS):
        start_s = round(FIRST_S + at * STEP_S + 0.0101, 4)
        code = CODES[(at + second * TURNS) % len(CODES)]
        vad = tuple(np.round(rng.integers(2, 11, 3) / 2, 1).tolist())
        vad = (5.5, *vad[1:]) if at == 2 else vad
        name = f"{dialog}_{'FM'[at % 2]}{at // 2:03d}"
        rows.append((name, start_s, round(start_s + LENGTH_S, 4), code, vad))
    return rows


def tone(name: str) -> int:
    """Return the tone of the recording of a turn."""
    return 3 * int(name[-1]) + (name[-4] == "M")


def options(sessions=range(1, 6)) -> dict:
    """Return the options for a tree of the first sessions, with its counts."""
    every = [turn for dialog in dialogs(sessions) for turn in turns(dialog)]
    expect = {
        "dialogs": [len(DIALOGS)] * len(sessions),
        "turns": [len(DIALOGS) * TURNS] * len(sessions),
        "codes": dict(Counter(turn[3] for turn in every)),
        "picture_px": [2 * HALF_PX, HEIGHT_PX],
    }
    return {"fold": 5, "expect": expect}


OPTIONS = options()
FAULTS = faults()


def build(root: Path, sessions=range(1, 6)) -> None:
    """Write the clean tree: desktop files, blanks in votes, a Latin-1 comment, an XX0 turn."""
    for dialog in dialogs(sessions):
        folder = root / f"Session{dialog[4]}"
        for part in ("EmoEvaluation", "transcriptions", "avi/DivX", "wav"):
            (folder / "dialog" / part).mkdir(parents=True, exist_ok=True)
        for part in ("wav", "ForcedAlignment"):
            (folder / "sentences" / part / dialog).mkdir(parents=True, exist_ok=True)
        _texts(folder, dialog)
        _sounds(folder, dialog)
        film(folder / f"dialog/avi/DivX/{dialog}.avi", dialog)
    (root / "Session1/dialog/EmoEvaluation/._Ses01F_impro01.txt").write_bytes(b"\0\5\x16\7\0\xff")
    (root / "Session1/dialog/avi/DivX/._Ses01F_impro01.avi").write_bytes(b"\0\5\x16\7\0\xff")


def _texts(folder: Path, dialog: str) -> None:
    rated = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
    lines = []
    for name, start_s, end_s, code, vad in turns(dialog):
        ratings = ", ".join(f"{x:.4f}" for x in vad)
        rated += [f"[{start_s:.4f} - {end_s:.4f}]\t{name}\t{code}\t[{ratings}]"]
        rated += ["C-E2:\tNeutral state;\t()", "C-E3:\tAnger; Other;\t(très fâché)"]
        rated += ["C-F1:\tNeutral;\t()", "A-E3:\tval 3; act 2; dom  2;\t()"]
        rated += ["A-E4:\tval ; act ; dom ;\t()", ""]
        lines += [f"{name} [{start_s:08.4f}-{end_s:08.4f}]: Excuse me. [LAUGHTER]"]
        if name != UNALIGNED:
            path = folder / f"sentences/ForcedAlignment/{dialog}/{name}.wdseg"
            path.write_text(_alignment(int(name[-1])))
    lines.insert(1, f"{dialog}_MXX0 [000.1000-000.4000]: Hm.")
    lines.insert(2, "M: sorry")
    path = folder / f"dialog/EmoEvaluation/{dialog}.txt"
    path.write_bytes("\n".join(rated).encode("latin-1"))
    (folder / f"dialog/transcriptions/{dialog}.txt").write_text("\n".join(lines) + "\n")


def _alignment(number: int) -> str:
    rows = [(0, 4, "<s>"), (5, 24, WORDS[number]), (25, 29, "++LAUGHTER++")]
    rows += [(30, 49, WORDS[number + 1]), (50, 61, "</s>")]
    lines = [f"{first:6d}{last:6d}{-4321:12d} {word}" for first, last, word in rows]
    return "\n".join(["\t SFrm\t EFrm\t   SegAScr Word", *lines, " Total score:    -21605"]) + "\n"


def _sounds(folder: Path, dialog: str) -> None:
    at_s = np.arange(round(END_S * HZ)) / HZ
    both = np.stack([np.sin(2 * np.pi * hz * at_s) for hz in (300, 500)], axis=-1)
    write_wav(folder / f"dialog/wav/{dialog}.wav", both)
    for name, start_s, end_s, _, _ in turns(dialog):
        at_s = np.arange(round((end_s - start_s) * HZ)) / HZ
        path = folder / f"sentences/wav/{dialog}/{name}.wav"
        write_wav(path, np.sin(2 * np.pi * _film.tone_hz(tone(name)) * at_s)[:, None])


def write_wav(path: Path, samples: np.ndarray, hz: int = HZ) -> None:
    """Write samples (N, channels) in [-1, 1] as a 16-bit wav file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(hz)
        file.writeframes((9000 * samples).astype("<i2").tobytes())


def film(path: Path, dialog: str, halves: int = 2) -> None:
    """Write a film of both actors side by side, or of the left actor only."""
    rooms = {None: _rooms(None), "left": _rooms("left"), "right": _rooms("right")}
    count = int(END_S * RATE)
    images = []
    for i in range(count):
        here = [t for t in turns(dialog) if t[1] <= i / RATE < t[2]]
        speaks = here[0][0][-4] if here else None
        half = None if speaks is None else "left" if speaks == dialog[5] else "right"
        image = _film.coded(rooms[half].copy(), i / 1000 - 1)
        _film.coded(image, i / 1000, HALF_PX)
        images.append(np.ascontiguousarray(image[:, : halves * HALF_PX]))
    times_ms = [round(1000 * i / RATE) for i in range(count)]
    at_s = np.arange(round(END_S * HZ)) / HZ
    samples = 0.3 * np.sin(2 * np.pi * _film.tone_hz(24) * at_s)
    _film.write(path, images, times_ms, (0.0, samples.astype(np.float32)), RATE)


def _rooms(half: str | None) -> np.ndarray:
    """Return RGB uint8 (HEIGHT_PX, 2 HALF_PX, 3) with a face in one half."""
    image = np.full((HEIGHT_PX, 2 * HALF_PX, 3), 90, np.uint8)
    image[:, HALF_PX:] = (60, 90, 120)
    if half is not None:
        left = 0 if half == "left" else HALF_PX
        size = HALF_PX, HEIGHT_PX
        face = cv2.resize(odd_videos.face(), size, interpolation=cv2.INTER_AREA)
        image[:, left : left + HALF_PX] = face
    return image
