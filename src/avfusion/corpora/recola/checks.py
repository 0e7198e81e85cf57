"""What `avf verify recola` checks beyond the common: counts, ratings, gold, pictures and sound."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from avfusion.corpora.base import GIVEN, READ, RECOMPUTED, Check, check
from avfusion.corpora.checks import said
from avfusion.corpora.recola.media_checks import AGAIN, media_checks
from avfusion.corpora.recola.tree import DIMENSIONS

if TYPE_CHECKING:
    from avfusion.corpora.recola.release import RecolaRelease


STEP_S, EXACT = 0.04, 1e-6


SAME_GOLD = 1e-4  # releases print four decimals


def recola_checks(corpus: "RecolaRelease") -> Iterator[Check]:
    """All of them, from the release to the sound."""
    yield from _counts(corpus)
    yield from _ratings(corpus)
    yield from _raters(corpus)
    yield from media_checks(corpus)


def _counts(corpus: "RecolaRelease") -> Iterator[Check]:
    parts, release = corpus.parts, corpus.release
    wanted = corpus.expected or release.recordings
    sure = GIVEN if corpus.expected else READ
    names = parts.recordings
    known = f"{release.name}: {len(names)}"
    yield check(
        "recordings", len(names) == wanted, f"{wanted} recordings", known, AGAIN,
        verdict="WARN", certainty=sure,
    )  # fmt: skip
    for part, table in (("pictures", parts.video), ("sound files", parts.audio)):
        lost = [name for name in names if name not in table]
        verdict = "FAIL" if part == "pictures" else "WARN"
        yield check(
            part, not lost, "one a recording", said(lost, len(table)), AGAIN, verdict=verdict
        )
    yield check(
        "recording names", not parts.strange, "train_1, dev_2 … or P16 …",
        said(parts.strange, len(names)), "Rename it, or move it away.",
        verdict="WARN",
    )  # fmt: skip
    rated = {name for name in names if not name.startswith("test")}
    for dimension in DIMENSIONS:
        have = parts.raters[dimension].keys() | parts.gold[dimension].keys()
        lost = sorted(rated - have)
        yield check(
            f"{dimension} files", not lost, "ratings or gold of every recording but AVEC's test",
            said(lost, len(have)), AGAIN,
        )  # fmt: skip
        bare = sorted(rated - parts.gold[dimension].keys()) if release.gold else []
        yield check(
            f"{dimension} gold", not bare, "a gold standard of every rated recording",
            said(bare, len(parts.gold[dimension])), "It is made of the raters instead.",
            verdict="WARN",
        )  # fmt: skip
    leaked = sorted({n for t in (*parts.gold.values(), *parts.raters.values()) for n in t} - rated)
    yield check(
        "no test ratings", not leaked, "none: AVEC never gave them out", said(leaked, 0),
        "Remove these files: they are not from the organisers, and no score on them counts.",
        certainty=READ,
    )  # fmt: skip


def _ratings(corpus: "RecolaRelease") -> Iterator[Check]:
    tables = {**{("gold", *k): v for k, v in corpus.given.items()}}
    tables |= {("raters", *k): v for k, v in corpus.raters.items()}
    faults = [fault for table in tables.values() for fault in table.faults]
    yield check(
        "rating lines", not faults, "every line can be read", said(faults, len(tables)), AGAIN
    )
    whole = {key: table for key, table in tables.items() if not table.faults}
    general = corpus.release.kind == "general"
    counts = [
        f"{'/'.join(key)}: {len(t.time_s):,}"
        for key, t in whole.items()
        if (len(t.time_s) < corpus.rows - 1 if general else len(t.time_s) != corpus.rows)
    ]
    yield check(
        "rows", not counts, f"{corpus.rows:,} rows a file", said(counts, len(whole)), AGAIN,
        certainty=READ,
    )  # fmt: skip
    uneven = [
        "/".join(key)
        for key, t in whole.items()
        if np.abs(t.time_s - STEP_S * np.arange(len(t.time_s))).max(initial=0) > EXACT
    ]
    yield check(
        "time grid", not uneven, "0, 0.04, 0.08, … s", said(uneven, len(whole)), AGAIN,
        certainty=READ,
    )  # fmt: skip
    foreign = [
        f"{'/'.join(key)} says {', '.join(sorted(t.names))}"
        for key, t in whole.items()
        if t.names and t.names != {key[1]}
    ]
    yield check(
        "names in files", not foreign, "rows of the recording that the file is named after",
        said(foreign, len(whole)), "Two files may have been exchanged.",
    )  # fmt: skip
    outside = [
        "/".join(key)
        for key, t in whole.items()
        if key[0] == "raters" and (np.abs(t.values) > 1).any()
    ]
    yield check(
        "rater range", not outside, "ratings within [-1, 1]", said(outside, len(whole)), AGAIN
    )
    bare = ["/".join(k) for k, t in whole.items() if k[0] == "gold" and np.isnan(t.values).any()]
    yield check("gold complete", not bare, "no missing value", said(bare, len(whole)), AGAIN)


def _raters(corpus: "RecolaRelease") -> Iterator[Check]:
    six = [
        f"{'/'.join(key)}: {len(t.columns)}"
        for key, t in corpus.raters.items()
        if len(t.columns) != 6 and not t.faults
    ]
    yield check(
        "six raters", not six, "6 columns a file", said(six, len(corpus.raters)), AGAIN,
        verdict="WARN", certainty=READ,
    )  # fmt: skip
    unknown = sorted(set(corpus.left_out) - {c for t in corpus.raters.values() for c in t.columns})
    yield check(
        "left out", not unknown, "raters to leave out are in the files", said(unknown, 0),
        "Correct corpora.recola.options.raters.",
    )  # fmt: skip
    still = [_flagged(corpus, key, made.constant) for key, made in corpus.made.items()]
    pairs = zip(still, corpus.made.values(), strict=True)
    several = [text for text, made in pairs if len(made.constant) > 1]
    alone = "; ".join(filter(None, still)) or "none"
    yield check(
        "constant raters", not several, "at most one a file: RECOLA itself has such",
        said(several, 0) if several else alone, "They have no weight in a recomputed gold.",
        verdict="WARN",
    )  # fmt: skip
    against = [_flagged(corpus, key, made.contrary) for key, made in corpus.made.items()]
    against = list(filter(None, against))
    yield check(
        "contrary raters", not against, "every rater agrees with the others on average",
        said(against, len(corpus.made)), "They have no weight in a recomputed gold.",
        verdict="WARN",
    )  # fmt: skip
    off = []
    for key, given in corpus.given.items():
        made = corpus.made.get(key)
        if made is None or given.faults or len(given.values) != len(made.gold):
            continue
        gap = np.abs(given.values[:, 0] - made.gold).max()
        if not gap <= SAME_GOLD:
            off.append(f"{'/'.join(key)} by {gap:.3g}")
    both = corpus.given.keys() & corpus.made.keys()
    yield check(
        "gold from raters", not off, f"gold equal to that made of its raters, to {SAME_GOLD:g}",
        said(off, len(both)), 
        "Raters or gold are of another release; `gold: recomputed` uses the raters.",
        verdict="WARN", certainty=RECOMPUTED,
    )  # fmt: skip


def _flagged(corpus: "RecolaRelease", key: tuple[str, str], columns: Iterable[int]) -> str:
    """`recording/dimension: raters`, or nothing where none is flagged."""
    kept = [name for name in corpus.raters[key].columns if name not in corpus.left_out]
    names = ", ".join(kept[i] for i in columns)
    return f"{'/'.join(key)}: {names}" if names else ""
