"""Checks of Aff-Wild2's time line.

They compare rows and template with frames, and sound with pictures.
"""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from avfusion.corpora.affwild2 import editions
from avfusion.corpora.affwild2.tree import raw_name, read_template
from avfusion.corpora.check import COMPUTED, READ, Check, check
from avfusion.corpora.wording import listed
from avfusion.errors import CorpusError

if TYPE_CHECKING:
    from avfusion.corpora.affwild2.release import AffWild2Release


_NEAR, _FAR = range(-1, 3), 60  # rows minus frames: the usual range, and the largest accepted


_SILENT_SHARE, _SHORT_S = 0.2, 0.5


def timeline_checks(corpus: "AffWild2Release") -> Iterator[Check]:
    """Yield the checks of rows, sound and template."""
    yield from _frames(corpus)
    yield from _sound(corpus)
    yield from _template(corpus)


def _frames(corpus: "AffWild2Release") -> Iterator[Check]:
    from avfusion.corpora.affwild2.release import public_frames

    frames = {raw: len(c.times_s) for raw, c in corpus.clocks.items() if not c.reason}
    gaps = {
        trial: len(rows.values) - frames[raw_name(trial)]
        for trial, rows in corpus.rows.items()
        if raw_name(trial) in frames
    }
    yield from _gap_checks(gaps, "rows", "an annotation file")
    stated = public_frames(corpus) if corpus.edition else {}
    public = {raw: n for raw, n in stated.items() if raw in frames}
    other = [f"{raw} {frames[raw]} not {n}" for raw, n in public.items() if frames[raw] != n]
    yield check(
        "public frame counts",
        not other,
        "as many frames as public notebooks print",
        listed(other) or f"{len(public)} videos",
        "These files are another version or were counted differently. See `rows and frames`.",
        verdict="WARN",
        certainty=COMPUTED,
    )


def _gap_checks(gaps: dict[str, int], what: str, of: str) -> Iterator[Check]:
    """Check rows minus frames of each trial; `what` and `of` are words for the messages."""
    odd = {t: n for t, n in gaps.items() if n not in _NEAR and n != editions.KNOWN_GAPS.get(t)}
    far = [f"{trial} {n:+d}" for trial, n in odd.items() if abs(n) > _FAR]
    some = [f"{trial} {n:+d}" for trial, n in odd.items() if abs(n) <= _FAR]
    spread = ", ".join(f"{n:+d} in {k}" for n, k in sorted(Counter(gaps.values()).items()))
    yield check(
        f"{what} and frames",
        not some,
        f"{what} minus frames between -1 and +2",
        listed(some) or spread or "none",
        f"Extra rows are placed after the last frame. Inspect {of} with a larger difference.",
        verdict="WARN",
        certainty=COMPUTED,
    )
    yield check(
        f"{what} far from frames",
        not far,
        f"a difference of at most {_FAR}",
        listed(far) or f"{len(gaps)} trials",
        f"The video or {of} is incomplete or belongs to another trial. {editions.COMPARE}",
        certainty=COMPUTED,
    )


def _sound(corpus: "AffWild2Release") -> Iterator[Check]:
    clocks = {raw: c for raw, c in corpus.clocks.items() if not c.reason}
    silent = [raw for raw, c in clocks.items() if not c.has_sound]
    starts = [c.sound_s[0] for c in clocks.values() if c.has_sound]
    spread = "{:+.2f} to {:+.2f} s".format(*np.percentile(starts, [0, 100])) if starts else "none"
    yield check(
        "sound",
        len(silent) <= _SILENT_SHARE * len(clocks),
        "a sound track in all but a few raw videos",
        f"{len(starts)} with, {len(silent)} without ({listed(silent) or 'none'}); starts {spread}",
        f"Original raw videos have sound; these may be re-encoded. {editions.COMPARE}",
        verdict="WARN",
        certainty=READ,
    )
    short = [
        f"{raw} {c.sound_s[1] - c.end_s:+.1f} s"
        for raw, c in clocks.items()
        if c.has_sound and abs(c.sound_s[1] - c.end_s) > _SHORT_S
    ]
    yield check(
        "length of sound",
        not short,
        f"sound ends within {_SHORT_S} s of the pictures",
        listed(short) or f"{len(starts)} videos",
        "Features are NaN where sound is missing. Copy the file again if it was truncated.",
        verdict="WARN",
    )


def _template(corpus: "AffWild2Release") -> Iterator[Check]:
    path = corpus.parts.template
    try:
        rows = read_template(corpus.root / path) if path else []
        fault = "" if path else "none found; name it in options: template"
    except CorpusError as error:
        rows, fault = [], str(error)
    counts = Counter(trial for trial, _ in rows)
    expected = corpus.edition.template_rows if corpus.edition else None
    if expected is None and not path:
        return  # ABAW 3 expects one file per trial and has no template
    names = sorted(counts.keys() ^ set(corpus.test_names))
    fault = fault or (f"not in both list and template: {listed(names)}" if names else "")
    fault = fault or ("" if expected in (None, len(rows)) else f"{len(rows):,} rows")
    yield check(
        "template",
        not fault,
        f"{expected or 'some'} rows, over the trials of the test list",
        fault or f"{len(rows):,} rows over {len(counts)} trials",
        f"`avf submit` needs the template of the edition in the config. {editions.COMPARE}",
        verdict="WARN",
        certainty=editions.certainty(corpus.edition, COMPUTED),
    )
    clocks = {raw: c for raw, c in corpus.clocks.items() if not c.reason}
    known = {t: n for t, n in counts.items() if raw_name(t) in clocks}
    gaps = {t: n - len(clocks[raw_name(t)].times_s) for t, n in known.items()}
    yield from _gap_checks(gaps, "template rows", "the template")
