"""Checks of RECOLA's counts, ratings, raters and gold standard."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from avfusion.corpora.check import GIVEN, READ, RECOMPUTED, Check, check
from avfusion.corpora.recola.media_checks import AGAIN, media_checks
from avfusion.corpora.recola.tree import DIMENSIONS
from avfusion.corpora.wording import stated

if TYPE_CHECKING:
    from avfusion.corpora.recola.release import RecolaRelease


STEP_S, EXACT = 0.04, 1e-6  # distance of rows, and its tolerance


ROWS = f"If your copy has another length, set corpora.recola.options.rows to it. {AGAIN}"


SAME_GOLD = 1e-4  # releases have four decimals


def recola_checks(corpus: "RecolaRelease") -> Iterator[Check]:
    """Yield the checks of RECOLA that are not common to all corpora."""
    yield from _counts(corpus)
    yield from _ratings(corpus)
    yield from _raters(corpus)
    yield from media_checks(corpus)


def _counts(corpus: "RecolaRelease") -> Iterator[Check]:
    parts, release = corpus.parts, corpus.release
    expected = corpus.expected or release.recordings
    certainty = GIVEN if corpus.expected else READ
    names = parts.recordings
    present = f"{release.name}: {len(names)}"
    yield check(
        "recordings", len(names) == expected, f"{expected} recordings", present, AGAIN,
        verdict="WARN", certainty=certainty,
    )  # fmt: skip
    for part, table in (("pictures", parts.video), ("sound files", parts.audio)):
        lost = [name for name in names if name not in table]
        verdict = "FAIL" if part == "pictures" else "WARN"
        yield check(
            part, not lost, "one per recording", stated(lost, len(table)), AGAIN, verdict=verdict
        )
    yield check(
        "recording names", not parts.strange, "train_1, dev_2 … or P16 …",
        stated(parts.strange, len(names)), "Rename the file or move it out of the folder.",
        verdict="WARN",
    )  # fmt: skip
    rated = {name for name in names if not name.startswith("test")}
    for dimension in DIMENSIONS:
        have = parts.raters[dimension].keys() | parts.gold[dimension].keys()
        lost = sorted(rated - have)
        yield check(
            f"{dimension} files", not lost, "ratings or gold of every recording except AVEC's test",
            stated(lost, len(have)), AGAIN,
        )  # fmt: skip
        bare = sorted(rated - parts.gold[dimension].keys()) if release.gold else []
        yield check(
            f"{dimension} gold", not bare, "a gold standard of every rated recording",
            stated(bare, len(parts.gold[dimension])), "It is computed from the raters instead.",
            verdict="WARN",
        )  # fmt: skip
    leaked = sorted({n for t in (*parts.gold.values(), *parts.raters.values()) for n in t} - rated)
    yield check(
        "no test ratings", not leaked, "none, because AVEC never published them", stated(leaked, 0),
        "Remove these files. They are not from the organisers, so scores on them are invalid.",
        certainty=READ,
    )  # fmt: skip


def _ratings(corpus: "RecolaRelease") -> Iterator[Check]:
    tables = {("gold", *k): v for k, v in corpus.given.items()}
    tables |= {("raters", *k): v for k, v in corpus.raters.items()}
    faults = [fault for table in tables.values() for fault in table.faults]
    yield check(
        "rating lines", not faults, "every line can be read", stated(faults, len(tables)), AGAIN
    )
    readable = {key: table for key, table in tables.items() if not table.faults}
    general = corpus.release.kind == "general"
    counts = [
        f"{'/'.join(key)}: {len(t.time_s):,}"
        for key, t in readable.items()
        if (len(t.time_s) < corpus.rows - 1 if general else len(t.time_s) != corpus.rows)
    ]
    yield check(
        "rows", not counts, f"{corpus.rows:,} rows per file", stated(counts, len(readable)), ROWS,
        certainty=READ,
    )  # fmt: skip
    uneven = [
        "/".join(key)
        for key, t in readable.items()
        if np.abs(t.time_s - STEP_S * np.arange(len(t.time_s))).max(initial=0) > EXACT
    ]
    yield check(
        "time grid", not uneven, "0, 0.04, 0.08, … s", stated(uneven, len(readable)), AGAIN,
        certainty=READ,
    )  # fmt: skip
    foreign = [
        f"{'/'.join(key)} names {', '.join(sorted(t.names))}"
        for key, t in readable.items()
        if t.names and t.names != {key[1]}
    ]
    yield check(
        "names in files", not foreign, "rows of the recording that the file is named after",
        stated(foreign, len(readable)), "Two files may be swapped.",
    )  # fmt: skip
    outside = [
        "/".join(key)
        for key, t in readable.items()
        if key[0] == "raters" and (np.abs(t.values) > 1).any()
    ]
    yield check(
        "rater range", not outside, "ratings within [-1, 1]", stated(outside, len(readable)), AGAIN
    )
    bare = ["/".join(k) for k, t in readable.items() if k[0] == "gold" and np.isnan(t.values).any()]
    yield check("gold complete", not bare, "no missing value", stated(bare, len(readable)), AGAIN)


def _raters(corpus: "RecolaRelease") -> Iterator[Check]:
    six = [
        f"{'/'.join(key)}: {len(t.columns)}"
        for key, t in corpus.raters.items()
        if len(t.columns) != 6 and not t.faults
    ]
    yield check(
        "six raters", not six, "6 columns per file", stated(six, len(corpus.raters)), AGAIN,
        verdict="WARN", certainty=READ,
    )  # fmt: skip
    unknown = sorted(set(corpus.left_out) - {c for t in corpus.raters.values() for c in t.columns})
    yield check(
        "left out", not unknown, "the raters to leave out exist", stated(unknown, 0),
        "Correct corpora.recola.options.raters.",
    )  # fmt: skip
    constant = [_flagged(corpus, key, made.constant) for key, made in corpus.made.items()]
    pairs = zip(constant, corpus.made.values(), strict=True)
    several = [text for text, made in pairs if len(made.constant) > 1]
    single = "; ".join(filter(None, constant)) or "none"
    yield check(
        "constant raters", not several, "at most one per file, as in the original RECOLA",
        stated(several, 0) if several else single,
        "They have no weight in a recomputed gold standard.", verdict="WARN",
    )  # fmt: skip
    against = [_flagged(corpus, key, made.contrary) for key, made in corpus.made.items()]
    against = list(filter(None, against))
    yield check(
        "contrary raters", not against, "every rater agrees with the others on average",
        stated(against, len(corpus.made)), "They have no weight in a recomputed gold standard.",
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
        "gold from raters", not off,
        f"gold equal to that computed from the raters, within {SAME_GOLD:g}",
        stated(off, len(both)),
        "Raters or gold belong to another release. `gold: recomputed` uses the raters.",
        verdict="WARN", certainty=RECOMPUTED,
    )  # fmt: skip


def _flagged(corpus: "RecolaRelease", key: tuple[str, str], columns: Iterable[int]) -> str:
    """Return `recording/dimension: raters`, or an empty string if no rater is flagged."""
    kept = [name for name in corpus.raters[key].columns if name not in corpus.left_out]
    names = ", ".join(kept[i] for i in columns)
    return f"{'/'.join(key)}: {names}" if names else ""
