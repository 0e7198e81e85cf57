"""Checks of RECOLA's films and sound."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from avfusion.corpora.check import READ, Check, check
from avfusion.corpora.clocks import clocks
from avfusion.corpora.wording import stated

if TYPE_CHECKING:
    from avfusion.corpora.recola.release import RecolaRelease
    from avfusion.media.lag import File


MOST_LAG_S = 0.04  # one frame


AGAIN = "Unpack that file again. For the contact, run: avf obtain recola"


def media_checks(corpus: "RecolaRelease") -> Iterator[Check]:
    """Yield the checks of films and of the wav files next to them."""
    from avfusion.media.lag import lags

    needed = set(corpus.videos()["video"])
    files = {n: p for n, p in corpus.parts.video.items() if n in needed}
    timed = clocks(corpus, files)
    broken = [f"{files[n]}: {clock.reason}" for n, clock in timed.items() if clock.reason]
    yield check("pictures readable", not broken, "every file", stated(broken, len(timed)), AGAIN)
    readable = {n: clock for n, clock in timed.items() if not clock.reason}
    mute = [n for n, c in readable.items() if not c.has_sound and n not in corpus.parts.audio]
    yield check(
        "sound of the films", not mute, "a sound track or a wav file",
        stated(mute, len(readable)),
        "Its sound counts as missing. Copy the wav file.", verdict="WARN",
    )  # fmt: skip
    frames = corpus.rows - 1
    short = [f"{n}: {len(c.times_s):,}" for n, c in readable.items() if len(c.times_s) < frames]
    yield check(
        "frames", not short, f"at least {frames:,} frames", stated(short, len(readable)),
        "Ratings after the last picture are not used. Unpack the file again.",
        verdict="WARN", certainty=READ,
    )  # fmt: skip
    rates = [f"{n}: {_rate(c.times_s):.3f}" for n, c in readable.items() if _odd_rate(c.times_s)]
    yield check(
        "frame rate", not rates, "25 Hz", stated(rates, len(readable)),
        "Times are read from the file. A different rate suggests a converted copy.",
        verdict="WARN", certainty=READ,
    )  # fmt: skip
    heard = {n for n, c in readable.items() if c.has_sound}
    by_s = lags(
        [
            (name, film, sound)
            for name, path in corpus.parts.audio.items()
            if name in heard
            and (film := _file(corpus, files[name]))
            and (sound := _file(corpus, path))
        ],
        corpus.cache / "lags",
    )
    late = [f"{name} by {lag:+.2f} s" for name, lag in by_s.items() if not abs(lag) < MOST_LAG_S]
    yield check(
        "wav against pictures", not late, "both sounds start within one frame",
        stated(late, len(corpus.parts.audio)), "The sound of the wav file is used.",
        verdict="WARN",
    )  # fmt: skip


def _file(corpus: "RecolaRelease", path: str) -> "File | None":
    """Return a file with its SHA-256; None if it is missing or unreadable."""
    _, digest = corpus.tree.find(path) or (0, None)
    return (corpus.root / path, digest) if digest else None


def _rate(times_s: np.ndarray) -> float:
    return (len(times_s) - 1) / (times_s[-1] - times_s[0]) if len(times_s) > 1 else np.nan


def _odd_rate(times_s: np.ndarray) -> bool:
    return not abs(_rate(times_s) - 25) < 0.01
