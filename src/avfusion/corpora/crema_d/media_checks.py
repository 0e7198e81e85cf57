"""Checks of CREMA-D's films and wav files."""

import wave
from collections.abc import Iterator
from typing import TYPE_CHECKING

from avfusion.corpora.check import READ, Check, check
from avfusion.corpora.wording import listed, stated
from avfusion.io.redact import below

if TYPE_CHECKING:
    from avfusion.corpora.crema_d.release import CremaDRelease

Form = tuple[int, int, int, float]
"""Rate in Hz, channels, bytes per sample, and length in s."""


FORM = (16000, 1, 2)  # Hz, channels, bytes per sample


WAV_S = 0.2  # accepted difference in length


AGAIN = "Run: avf obtain crema_d --accept-licence"


_HEAD = 44  # bytes of a wav file before its samples


def media_checks(corpus: "CremaDRelease") -> Iterator[Check]:
    """Yield whether films and wavs are present, readable and of the same length."""
    pointers = corpus.pointers
    yield check(
        "LFS pointers", not pointers, "films and wavs, not the texts that stand for them",
        f"{len(pointers):,} pointers: {listed(pointers)}" if pointers else "none",
        f"The repository was cloned without Git LFS. {AGAIN}, or `git lfs pull`.",
    )  # fmt: skip
    yield from _pairs(corpus)
    yield _films(corpus, set(pointers))
    yield from _wavs(corpus, set(pointers))


def _pairs(corpus: "CremaDRelease") -> Iterator[Check]:
    films, wavs = corpus.parts.films, corpus.parts.wavs
    mute = [clip.name for clip in corpus.clips if clip.name in films and clip.name not in wavs]
    yield check(
        "films with wavs", not mute, "a wav file for every film",
        listed(mute) or f"{len(wavs):,} wavs",
        f"The sound of the film is used instead, which was compressed. {AGAIN}", verdict="WARN",
    )  # fmt: skip
    blind = [clip.name for clip in corpus.clips if clip.name in wavs and clip.name not in films]
    yield check(
        "wavs with films", not blind, "a film for every wav file",
        listed(blind) or f"{len(films):,} films", AGAIN, verdict="WARN",
    )  # fmt: skip


def _films(corpus: "CremaDRelease", pointers: set[str]) -> Check:
    films = corpus.parts.films
    broken = [
        below(corpus.root, clock.reason)
        for name, clock in sorted(corpus.timed.items())
        if clock.reason and films[name] not in pointers
    ]
    return check(
        "films readable", not broken, "every film", stated(broken, len(corpus.timed)),
        f"It counts as a failed video. Delete it. {AGAIN}", verdict="WARN",
    )  # fmt: skip


def _wavs(corpus: "CremaDRelease", pointers: set[str]) -> Iterator[Check]:
    wavs = {clip.name: path for clip in corpus.clips
            if (path := corpus.parts.wavs.get(clip.name)) and path not in pointers}  # fmt: skip
    forms = {name: _form(corpus, path) for name, path in wavs.items()}
    odd = [f"{name}: {_described(form)}" for name, form in forms.items() if form[:3] != FORM]
    yield check(
        "form of wavs", not odd, _described((*FORM, 0.0)), listed(odd) or f"{len(forms):,} files",
        f"Delete it. {AGAIN}", verdict="WARN", certainty=READ,
    )  # fmt: skip
    ends_s = {name: clock.end_s for name, clock in corpus.timed.items() if not clock.reason}
    off = [
        f"{name} by {by_s:+.2f} s"
        for name, form in forms.items()
        if name in ends_s and form[0] and not abs(by_s := form[3] - ends_s[name]) <= WAV_S
    ]
    yield check(
        "length of wavs", not off, f"the length of the film, within {WAV_S:g} s",
        listed(off) or "none",
        "Sound and pictures of that clip cover different spans. Delete both files. " + AGAIN,
        verdict="WARN",
    )  # fmt: skip


def _form(corpus: "CremaDRelease", path: str) -> Form:
    """Return the form of a wav file; zeros if it is none."""
    try:
        with wave.open(str(corpus.root / path)) as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            size, _ = corpus.tree.find(path) or (0, None)  # the header of a cut file is too long
            frames = min(file.getnframes(), (size - _HEAD) // max(1, channels * width))
            return rate, channels, width, frames / max(1, rate)
    except (OSError, EOFError, wave.Error):
        return 0, 0, 0, 0.0


def _described(form: Form) -> str:
    rate, channels, width, _ = form
    return f"{rate} Hz, {channels} channel, {8 * width} bit" if rate else "not a PCM wav file"
