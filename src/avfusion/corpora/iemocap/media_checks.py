"""Checks of IEMOCAP's sound and films."""

import wave
from collections.abc import Iterator
from typing import TYPE_CHECKING

from avfusion.corpora.check import READ, Check, check
from avfusion.corpora.clocks import clocks
from avfusion.corpora.wording import listed

if TYPE_CHECKING:
    from avfusion.corpora.iemocap.release import IemocapRelease


WAV_S, FILM_S = 0.05, 0.5  # accepted differences in length


_HEAD = 44  # bytes of a wav file before its samples


FORM = (16000, 1, 2)  # Hz, channels, bytes per sample


AGAIN = "Unpack that session again. For the contact, run: avf obtain iemocap"


def media_checks(corpus: "IemocapRelease") -> Iterator[Check]:
    """Yield the checks of turns, dialogs and films."""
    yield from _turns(corpus)
    yield from _dialogs(corpus)
    yield from _films(corpus)


def _turns(corpus: "IemocapRelease") -> Iterator[Check]:
    wavs = corpus.parts.wavs
    lost = [turn.name for turn in corpus.turns if turn.name not in wavs]
    yield check(
        "wavs", not lost, "a recording of every turn", listed_or(lost, f"{len(wavs):,} files"),
        "Its sound is cut from the film, which has both voices. Unpack sentences/wav again.",
        verdict="WARN",
    )  # fmt: skip
    forms = {turn.name: _form(corpus, wavs[turn.name]) for turn in corpus.turns
             if turn.name in wavs}  # fmt: skip
    odd = [f"{name}: {_described(form)}" for name, form in forms.items() if form[:3] != FORM]
    yield check(
        "form of wavs", not odd, _described(FORM), listed_or(odd, f"{len(forms):,} files"), AGAIN,
        verdict="WARN", certainty=READ,
    )  # fmt: skip
    off = [
        f"{turn.name} by {by_s:+.2f} s"
        for turn in corpus.turns
        if turn.name in forms and forms[turn.name][:3] == FORM
        and not abs(by_s := forms[turn.name][3] - (turn.end_s - turn.start_s)) <= WAV_S
    ]  # fmt: skip
    yield check(
        "length of wavs", not off, f"end minus start, within {WAV_S:g} s", listed_or(off),
        "Sound and pictures of that turn cover different spans. Compare the files of two labs.",
        verdict="WARN",
    )  # fmt: skip


def _dialogs(corpus: "IemocapRelease") -> Iterator[Check]:
    forms = {d: _form(corpus, p) for d, p in sorted(corpus.parts.dialog_wavs.items())}
    ends_s = _ends(corpus)
    late = [
        f"{dialog}: {ends_s[dialog]:.2f} of {form[3]:.2f} s"
        for dialog, form in forms.items()
        if ends_s.get(dialog, 0.0) > form[3] + WAV_S
    ]
    yield check(
        "turns within dialogs", not late, "every turn ends before its dialog's wav",
        listed_or(late, f"{len(forms)} dialogs"), AGAIN, verdict="WARN",
    )  # fmt: skip


def _films(corpus: "IemocapRelease") -> Iterator[Check]:
    from avfusion.media.probe import picture_px

    films = corpus.parts.films
    strays = sorted(films.keys() - corpus.evaluations.keys())
    yield check(
        "rated films", not strays, "an evaluation for every film", listed_or(strays), AGAIN,
        verdict="WARN",
    )  # fmt: skip
    timed = clocks(corpus, films)
    broken = [f"{films[d]}: {clock.reason}" for d, clock in timed.items() if clock.reason]
    yield check(
        "films readable", not broken, "every film", listed_or(broken, f"{len(timed)} films"),
        AGAIN,
    )  # fmt: skip
    readable = {d: clock for d, clock in sorted(timed.items()) if not clock.reason}
    ends_s = _ends(corpus)
    short = [
        f"{d}: {clock.end_s:.2f} s for {ends_s[d]:.2f} s"
        for d, clock in readable.items()
        if ends_s.get(d, 0.0) > clock.end_s + FILM_S
    ]
    yield check(
        "length of films", not short, "a film lasts to the end of its last turn",
        listed_or(short), AGAIN, verdict="WARN",
    )  # fmt: skip
    size = corpus.expected.picture_px
    sizes = {d: picture_px(corpus.root / films[d]) for d in readable}
    odd = [f"{d}: {w}x{h}" for d, (w, h) in sizes.items() if (w, h) != size]
    yield check(
        "two halves", not odd, f"{size[0]}x{size[1]}, both actors side by side",
        listed_or(odd, f"{len(sizes)} films"),
        "Half of another picture may not show one person. Use the films of the release.",
        verdict="WARN", certainty=READ,
    )  # fmt: skip


def _ends(corpus: "IemocapRelease") -> dict[str, float]:
    """Return when the last turn of each dialog ends, in seconds."""
    return {
        dialog: max(turn.end_s for turn in one.turns)
        for dialog, one in corpus.evaluations.items()
        if one.turns
    }


def _form(corpus: "IemocapRelease", path: str) -> tuple[int, int, int, float]:
    """Return rate in Hz, channels, bytes per sample and length in s; zeros if not a wav file."""
    try:
        with wave.open(str(corpus.root / path)) as file:
            rate = file.getframerate()
            channels, width = file.getnchannels(), file.getsampwidth()
            size, _ = corpus.tree.find(path) or (0, None)  # the header of a cut file is too long
            frames = min(file.getnframes(), (size - _HEAD) // max(1, channels * width))
            return rate, channels, width, frames / max(1, rate)
    except (OSError, EOFError, wave.Error):
        return 0, 0, 0, 0.0


def _described(form: tuple[float, ...]) -> str:
    rate, channels, width = form[:3]
    return f"{rate} Hz, {channels} channel, {8 * width} bit" if rate else "not a PCM wav file"


def listed_or(wrong: list[str], fine: str = "none") -> str:
    """Return the first few faults, or `fine` if there are none."""
    return listed(wrong) or fine
