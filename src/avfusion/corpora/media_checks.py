"""Checks of recordings by what their containers, first pictures and pieces of sound show."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from avfusion.corpora.check import Check, check
from avfusion.corpora.wording import listed, stated
from avfusion.io.redact import below

if TYPE_CHECKING:
    from avfusion.corpora.base import Corpus
    from avfusion.media.timing import Timing


def media_checks(
    corpus: "Corpus", timed: "Mapping[str, Timing]", sound_only: frozenset[str] = frozenset()
) -> Iterator[Check]:
    """Yield whether files are videos that can be read, and what is odd about them.

    Parameters
    ----------
    corpus
        The corpus; its root is removed from messages.
    timed
        Name -> timing of the files that exist.
    sound_only
        Names of recordings without pictures, which are listed as such.
    """
    reasons = {name: below(corpus.root, clock.reason) for name, clock in timed.items()}
    other = [reasons[v] for v, c in timed.items() if not c.is_video and v not in sound_only]
    yield check(
        "video files", not other, "files with pictures and times", stated(other, len(timed)),
        "Correct the path, or leave the row out. A sound file belongs in the column `sound`, with "
        "`video` empty.",
    )  # fmt: skip
    broken = [
        reasons[v] for v, clock in timed.items()
        if clock.reason and (clock.is_video or (v in sound_only and not clock.has_sound))
    ]  # fmt: skip
    yield check(
        "pictures readable", not broken, "every file", stated(broken, len(timed)),
        "Convert it to MP4; otherwise it counts as a failed video.", verdict="WARN",
    )  # fmt: skip
    kinds = {name: clock.warnings for name, clock in timed.items() if clock.warnings}
    counts = Counter(text for texts in kinds.values() for text in texts)
    odd = [
        f"{text} ({count} videos)" if count > 1 else f"{_first(kinds, text)}: {text}"
        for text, count in counts.most_common()
    ]
    yield check(
        "media", not odd, "nothing odd in a file", listed(odd, most=8, separator="; ") or "none",
        "Check that each is meant. `warnings` in the media index lists them for each video.",
        verdict="WARN",
    )  # fmt: skip


def _first(kinds: dict[str, tuple[str, ...]], text: str) -> str:
    return next(name for name, texts in kinds.items() if text in texts)
