"""Faults of a RAVDESS folder: one edit each, and the check that must report it."""

from collections.abc import Callable
from pathlib import Path

from support.miniatures import Fault
from support.miniatures._edits import copied, cut, gone
from support.miniatures._film import without_sound

CLIP = "Actor_10/01-01-05-02-01-01-10.mp4"
TWIN = CLIP.replace("/01-", "/02-")
SOUNDS = "Audio_Speech_Actors_01-24/Actor_01"
WAV = f"{SOUNDS}/03-01-05-02-01-01-01.wav"
RATINGS = "ratings.csv"
COUNTS = ("clips per actor", "clips per emotion")


def faults() -> dict[str, Fault]:
    """Return all faults."""
    return {**_of_names(), **_of_media(), **_of_ratings()}


def moved(path: str, to: str) -> Callable[[Path], None]:
    """Return an edit that moves a file."""

    def plant(root: Path) -> None:
        (root / to).parent.mkdir(parents=True, exist_ok=True)
        (root / path).rename(root / to)

    return plant


def _of_names() -> dict[str, Fault]:
    lost = (*COUNTS, "takes")
    return {
        "a clip missing": Fault(
            gone(CLIP), "clips per actor", "Actor_10 speech: 2 for 3",
            also=("clips per emotion", "takes"),
        ),
        "an actor missing": Fault(
            gone("Actor_08"), "clips per actor", "Actor_08 speech: 0 for 3",
            also=("clips per emotion",),
        ),
        "a clip of another emotion": Fault(
            moved(CLIP, CLIP.replace("-05-02-", "-02-01-")), "clips per emotion",
            "Actor_10 speech calm: 1 for 0, Actor_10 speech angry: 1 for 2",
            also=("takes", "labels"),
        ),
        "a name with six numbers": Fault(
            moved(CLIP, "Actor_10/01-01-05-02-01-10.mp4"), "file names",
            "not seven numbers", "WARN", also=lost,
        ),
        "an emotion out of range": Fault(
            moved(CLIP, CLIP.replace("-05-", "-09-")), "file names", "emotion is 09", "WARN",
            also=lost,
        ),
        "a strong neutral clip": Fault(
            copied(CLIP, CLIP.replace("-05-", "-01-")), "file names", "normal intensity only",
            "WARN",
        ),
        "a clip of another actor": Fault(
            moved(CLIP, CLIP.replace("Actor_10", "Actor_03")), "file names",
            "actor 10 in the folder of another", "WARN", also=lost,
        ),
        "a clip in no folder of an actor": Fault(
            moved(CLIP, CLIP.replace("Actor_10", "new")), "file names", "not in a folder", "WARN",
            also=lost,
        ),
        "a sound-only number on a video": Fault(
            copied(TWIN, CLIP.replace("/01-", "/03-")), "file names", "no .wav file", "WARN",
        ),
        "a folder twice": Fault(
            copied("Actor_03", "copy/Actor_03"), "one release", "copy/Actor_03",
        ),
        "a twin of another take": Fault(
            copied(TWIN, TWIN.replace("-01-01-10", "-02-01-10")),
            "takes", "02-01-05-02-02-01-10", "WARN",
        ),
        "a song of actor 18": Fault(
            copied(CLIP, "Video_Speech_Actor_18/Actor_18/01-02-05-02-01-01-18.mp4"),
            "clips per actor", "Actor_18 song: 1 for 0", also=("clips per emotion",),
            options=(("channel", "both"),),
        ),
        "a part of a download left": Fault(
            lambda root: (root / "Video_Speech_Actor_04.zip.part").write_bytes(b"PK"), "archives",
            "Actor_04.zip.part", "WARN",
        ),
    }  # fmt: skip


def _of_media() -> dict[str, Fault]:
    return {
        "a clip empty": Fault(
            cut(CLIP, 0), "pictures readable", "is empty", "WARN",
            also=("empty files", "gold of train"),
        ),
        "a clip cut off": Fault(
            cut(CLIP, 0.3), "pictures readable", CLIP, "WARN", also=("gold of train",),
        ),
        "a clip without sound": Fault(
            lambda root: without_sound(root / CLIP), "sound", "01-01-05-02-01-01-10", "WARN",
        ),
        "a clip of a moment": Fault(
            lambda root: _film(root, frames=8), "duration", "01-01-05-02-01-01-10: 0.27 s", "WARN",
        ),
        "a clip too long": Fault(
            lambda root: _film(root, frames=330), "duration", "01-10: 11.00 s", "WARN",
        ),
        "a clip scaled down": Fault(
            lambda root: _film(root, scale=2), "picture size", "01-10: 160x120", "WARN",
        ),
        "a second stereo wav": Fault(
            lambda root: _wav(root, channels=2), "form of sound files", "2 channels", "WARN",
        ),
        "a wav of another rate": Fault(
            lambda root: _wav(root, hz=16000), "form of sound files", "16000 Hz, 16 bit", "WARN",
        ),
        "a wav that is none": Fault(
            lambda root: (root / WAV).write_text("gone"), "form of sound files", "no PCM wav",
            "WARN",
        ),
    }  # fmt: skip


def _of_ratings() -> dict[str, Fault]:
    given = (("ratings", RATINGS),)
    return {
        "a rating that is no number": Fault(
            rated(last="high"), "rating lines", "ratings.csv:19: intensity is 'high'",
            also=("gold of validation",), options=given,
        ),
        "a rating out of range": Fault(
            rated(last="6"), "rating lines", "intensity is 6, not from 1 to 5",
            also=("gold of validation",), options=given,
        ),
        "a clip rated twice": Fault(
            rated(more="01-01-01-01-01-01-01,3"), "rating lines", "is listed twice", options=given,
        ),
        "a rating of an unknown clip": Fault(
            rated(more="kids_angry_7,3"), "rated clips", "kids_angry_7", "WARN", options=given,
        ),
        "a clip without a rating": Fault(
            rated(last=""), "gold of validation", "01-01-05-02-01-01-18", "WARN", options=given,
        ),
    }  # fmt: skip


def rated(last: str = "4.5", more: str = "") -> Callable[[Path], None]:
    """Return an edit that adds a table of ratings with one changed and perhaps one more line."""

    def plant(root: Path) -> None:
        from support.miniatures import ravdess

        clips = [
            ravdess.name(1, 1, *kind, actor) for actor in ravdess.ACTORS for kind in ravdess.SPEECH
        ]
        lines = [f"{clip},{1 + at % 4}" for at, clip in enumerate(clips)]
        lines[-1] = f"{clips[-1]},{last}"
        text = "\n".join(["clip,intensity", *lines, *([more] if more else [])])
        (root / RATINGS).write_text(f"{text}\n")

    return plant


def _film(root: Path, **changed: int) -> None:
    from support.miniatures import ravdess

    ravdess.film(root / CLIP, 7, **changed)


def _wav(root: Path, **changed: int) -> None:
    from support.miniatures import ravdess

    ravdess.wav(root / WAV, 2, **changed)
