"""A miniature of CREMA-D: six actors, two sentences, six emotions, and votes with ties.

The number of a clip is written into its film, and its emotion is the tone of film and wav. Two
clips are among those that the release itself spoils. One wav has the name that one of the release
has, `…_X.wav`.
"""

import csv
import wave
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from support import odd_videos
from support.miniatures import _film
from support.miniatures._crema_d_faults import faults

ACTORS = (1001, 1002, 1003, 1004, 1064, 1076)
EMOTIONS = ("NEU", "HAP", "SAD", "ANG", "FEA", "DIS")
CLASSES = dict(zip(EMOTIONS, ("neutral", "happy", "sad", "anger", "fear", "disgust"), strict=True))
LEVELS = {"NEU": "XX", "HAP": "HI", "SAD": "LO", "ANG": "HI", "FEA": "LO", "DIS": "MD"}
LETTERS = "ADFHNS"
SENTENCES = {"IEO": "It's eleven o'clock\n", "TIE": "That is exactly what happened\n"}
TIE, NO_VOICE, DIFFERS = "1001_IEO_ANG_HI", "1002_TIE_NEU_XX", "1003_TIE_HAP_XX"
SPOILT = ("1064_IEO_DIS_MD", "1064_TIE_SAD_XX")
SHORT_NAME = "1004_TIE_SAD_XX"  # its wav is named …_X.wav
FPS, FRAMES, HZ, FILM_HZ = 15, 12, 16000, 22050
END_S = FRAMES / FPS
WIDTH_PX, HEIGHT_PX = 160, 120


def clips() -> list[str]:
    """Return the names of all clips, in the order of their numbers."""
    return [
        f"{actor}_{sentence}_{emotion}_{LEVELS[emotion] if sentence == 'IEO' else 'XX'}"
        for actor in ACTORS
        for sentence in ("IEO", "TIE")
        for emotion in EMOTIONS
    ]


def rows() -> list[tuple[int, str, dict[str, int], float]]:
    """Return modality, clip, votes per letter and mean level of each row of the vote table."""
    table = []
    for kind in (1, 2, 3):
        for number, clip in enumerate(clips()):
            rng = np.random.default_rng([7, kind, number])
            letter = CLASSES[clip[9:12]][0].upper()
            votes = dict.fromkeys(LETTERS, 0)
            votes[letter] = int(rng.integers(2, 5 + 2 * kind))
            for other in rng.choice([x for x in LETTERS if x != letter], 3):
                votes[str(other)] += 1
            level = round(float(rng.uniform(20, 95)), 3)
            if clip == TIE and kind == 3:
                votes = dict.fromkeys(LETTERS, 0) | {"A": 4, "D": 4}
            if clip == NO_VOICE and kind == 1:
                votes, level = dict.fromkeys(LETTERS, 0), -1.0
            table.append((kind, clip, votes, level))
    return table


def winners(votes: dict[str, int]) -> list[str]:
    """Return the letters with most votes."""
    return [x for x in LETTERS if votes[x] == max(votes.values()) > 0]


def recognition(kind: int) -> float:
    """Return the percentage of responses that name the intended emotion."""
    right = sum(v[CLASSES[c[9:12]][0].upper()] for k, c, v, _ in rows() if k == kind)
    return 100 * right / sum(sum(v.values()) for k, _, v, _ in rows() if k == kind)


OPTIONS = {
    "actors": "1-4,64,1076",
    "expect": {
        "actors": len(ACTORS),
        "clips": len(clips()),
        "per_actor": 12,
        "sentences": {"IEO": 36, "TIE": 36},
        "emotions": dict.fromkeys(CLASSES.values(), 12),
        "recognition": [round(recognition(kind), 1) for kind in (1, 2, 3)],
        "unusable": list(SPOILT),
        "disagreements": 1,
    },
}
FAULTS = faults(OPTIONS)


def build(root: Path) -> None:
    """Write the clean folder: tables, films, wavs, an MP3 file, and a desktop file."""
    for folder in ("VideoFlash", "AudioWAV", "AudioMP3", "processedResults", "sentences"):
        (root / folder).mkdir(parents=True)
    for code, text in SENTENCES.items():
        (root / f"sentences/{code}.sentence").write_text(text)
    tables(root)
    for number, clip in enumerate(clips()):
        film(root / f"VideoFlash/{clip}.flv", number)
        name = clip[:-1] if clip == SHORT_NAME else clip
        wav(root / f"AudioWAV/{name}.wav", clip)
    (root / f"VideoFlash/{SPOILT[1]}.flv").write_bytes(b"FLV\x01\x05\x00\x00\x00\x09")
    (root / "AudioMP3/1001_IEO_NEU_XX.mp3").write_bytes(b"ID3")
    (root / "VideoFlash/.DS_Store").write_bytes(b"\0\0\0\1Bud1")


def tables(root: Path) -> None:
    """Write the vote table, the summary table and the table of actors."""
    levels = [f"mean{name}Resp" for name in ("Anger", "Disgust", "Fear", "Happy", "Neutral", "Sad")]
    head = ["", *LETTERS, "fileName", "numResponses", "agreement", "emoVote", "meanEmoResp"]
    lines: list[list] = [[*head, *levels, "medianEmoResp", "meanEmoRespNorm"]]
    named: dict[str, list[str]] = {clip: [] for clip in clips()}
    for at, (kind, clip, votes, level) in enumerate(rows()):
        total = sum(votes.values())
        share = round(max(votes.values()) / total, 4) if total else "NA"
        vote = ":".join(winners(votes))
        each = [level if votes[x] else -1 for x in LETTERS]
        number = at % len(named) + 1
        key = str(100000 * kind + number)
        lines.append([key, *votes.values(), clip, total, share, vote, level, *each, level, "NA"])
        stated = "A" if clip == DIFFERS and kind == 3 else vote
        named[clip] += [stated, ":".join([str(level)] * len(winners(votes)))]
    columns = [
        f"{what}{part}" for what in ("Voice", "Face", "MultiModal") for part in ("Vote", "Level")
    ]
    summary = [[str(at), clip, *cells] for at, (clip, cells) in enumerate(named.items(), start=1)]
    people = [[actor, 30, "Male", "Caucasian", "Not Hispanic"] for actor in ACTORS]
    _csv(root / "processedResults/tabulatedVotes.csv", lines)
    _csv(root / "processedResults/summaryTable.csv", [["", "FileName", *columns], *summary])
    _csv(root / "VideoDemographics.csv", [["ActorID", "Age", "Sex", "Race", "Ethnicity"], *people])


def _csv(path: Path, lines: list[list]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(lines)


def tone(clip: str) -> int:
    """Return the tone of a clip's emotion."""
    return 4 * EMOTIONS.index(clip[9:12])


def wav(path: Path, clip: str, hz: int = HZ, channels: int = 1) -> None:
    """Write the tone of a clip as a 16-bit wav file."""
    at_s = np.arange(round(END_S * hz)) / hz
    samples = 9000 * np.sin(2 * np.pi * _film.tone_hz(tone(clip)) * at_s)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(hz)
        file.writeframes(np.repeat(samples.astype("<i2"), channels).tobytes())


def film(path: Path, number: int) -> None:
    """Write a Flash video: a painted face with the number of the clip, and its tone."""
    size = WIDTH_PX, HEIGHT_PX
    image = cv2.resize(odd_videos.face(), size, interpolation=cv2.INTER_AREA)
    picture = _film.coded(image, number / 1000 - 1)
    at_s = np.arange(round(END_S * FILM_HZ)) / FILM_HZ
    samples = 9000 * np.sin(2 * np.pi * _film.tone_hz(tone(clips()[number])) * at_s)
    with av.open(str(path), "w", format="flv") as file:
        video = file.add_stream("flv", rate=FPS, options={"qscale": "2"})
        video.width, video.height, video.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        video.bit_rate = 2_000_000
        sound = file.add_stream("pcm_s16le", rate=FILM_HZ, layout="mono")
        for at in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = at, Fraction(1, FPS)
            file.mux(video.encode(frame))
        file.mux(video.encode())
        for begin in range(0, len(samples), 1024):
            pcm = samples[None, begin : begin + 1024].astype(np.int16)
            piece = av.AudioFrame.from_ndarray(pcm, "s16", "mono")
            piece.sample_rate, piece.time_base = FILM_HZ, Fraction(1, FILM_HZ)
            piece.pts = begin
            file.mux(sound.encode(piece))
        file.mux(sound.encode())
