"""What `avf verify affwild2` checks beyond the common: counts of trials, videos and rows."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from avfusion.corpora.affwild2 import editions
from avfusion.corpora.affwild2.image_checks import image_checks
from avfusion.corpora.affwild2.timeline_checks import timeline_checks
from avfusion.corpora.base import COMPUTED, GIVEN, READ, Check, check
from avfusion.corpora.checks import listed

if TYPE_CHECKING:
    from avfusion.corpora.affwild2.release import AffWild2Release


ASK = "Compare with the organisers' zips; `avf obtain affwild2` says whom to ask."


def affwild2_checks(corpus: "AffWild2Release") -> Iterator[Check]:
    """All of them, from the edition to the template."""
    yield _edition(corpus)
    yield from _trials(corpus)
    yield from _raw(corpus)
    yield from _rows(corpus)
    yield from timeline_checks(corpus)
    yield from image_checks(corpus)
    if corpus.transcripts:
        yield _transcripts(corpus)


def _edition(corpus: "AffWild2Release") -> Check:
    trials = {p: len(t) for p, t in corpus.parts.annotations.items()}
    fits = editions.guess(trials, _valid(corpus))
    said = f"; these counts are {' or '.join(fits)}'s" if fits else ""
    own = corpus.edition.name if corpus.edition else ""
    return check(
        "edition",
        bool(own),
        "the edition pinned: abaw3, abaw5, abaw6 or abaw8",
        (own or "none") + ("" if own else said),
        f"Set corpora.affwild2.options: {{edition: {fits[0] if fits else 'abaw6'}}}.",
    )


def _certainty(corpus: "AffWild2Release", certainty: str) -> str:
    return GIVEN if corpus.edition.given else certainty


def _trials(corpus: "AffWild2Release") -> Iterator[Check]:
    parts = [part for _, part in corpus.listed]
    for partition in ("train", "validation", "test") if corpus.edition else ():
        wanted, found = corpus.edition.trials(partition), parts.count(partition)
        yield check(
            f"trials of {partition}",
            found == wanted,
            str(wanted),
            found,
            f"{abs(found - wanted)} too {'few' if found < wanted else 'many'}. {ASK}",
            verdict="WARN",
            certainty=_certainty(corpus, READ),
        )
    counts = Counter(trial for trial, _ in corpus.listed)
    twice = [trial for trial, n in counts.items() if n > 1]
    yield check(
        "split overlap",
        not twice,
        "each trial in one partition",
        listed(twice) or f"{len(counts)} trials",
        "The split is mixed from two editions; unpack one edition alone.",
    )


def _raw(corpus: "AffWild2Release") -> Iterator[Check]:
    raw = corpus.parts.raw
    wanted = corpus.edition.raw if corpus.edition else None
    lost = corpus.missing()
    yield check(
        "raw videos",
        (wanted is None or len(raw) == wanted) and not lost,
        f"{wanted or 'all'} raw videos",
        f"{len(raw)}" + (f"; missing: {listed(lost)} (all in absent.txt)" if lost else ""),
        ASK,
        verdict="WARN",
        certainty=_certainty(corpus, COMPUTED) if corpus.edition else COMPUTED,
    )
    twice = [f"{paths[0]} and {paths[1]}" for paths in raw.values() if len(paths) > 1]
    yield check(
        "raw videos once",
        not twice,
        "each raw video in one file",
        listed(twice) or f"{len(raw)} names",
        "The first of each is used; remove the other.",
        verdict="WARN",
    )
    broken = [clock.reason for clock in corpus.clocks.values() if clock.reason]
    yield check(
        "containers",
        not broken,
        "the times of every raw video can be read",
        listed(broken) or f"{len(corpus.clocks)} videos",
        "Its trials fail in the media stage and count as missing; copy the file again.",
        verdict="WARN",
    )


def _transcripts(corpus: "AffWild2Release") -> Check:
    trials = [trial for trial, _ in corpus.listed]
    found = sum(corpus.transcript(trial) is not None for trial in trials)
    return check(
        "transcribed trials",
        found == len(trials),
        f"{len(trials)} trials with a .csv in {corpus.transcripts}",
        found,
        "Aff-Wild2 brings none: write <trial>.csv (word,start_s,end_s) with a speech recogniser, "
        "or take `transcripts` out of the corpus' options and text out of the study.",
        verdict="WARN" if found else "FAIL",
    )


def _rows(corpus: "AffWild2Release") -> Iterator[Check]:
    faults = [fault for rows in corpus.rows.values() for fault in rows.faults]
    yield check(
        "annotation rows",
        not faults,
        "a header valence,arousal, then two numbers a row, in [-1, 1] or -5",
        listed(faults) or f"{sum(len(r.values) for r in corpus.rows.values()):,} rows",
        f"Unpack the annotations again. {ASK}",
        certainty=READ,
    )
    for partition, found in _valid(corpus).items() if corpus.edition else ():
        wanted = corpus.edition.valid_rows.get(partition)
        off = 0.0 if wanted is None else abs(found - wanted) / wanted
        yield check(
            f"rated rows of {partition}",
            not off,
            "unpublished" if wanted is None else f"{wanted:,}",
            f"{found:,}",
            f"{100 * off:.2f} % off: another edition, or not all of it (a part's own counts go "
            f"into options.expect, config/README.md). {ASK}",
            verdict="FAIL" if off > 0.005 else "WARN",
            certainty=_certainty(corpus, COMPUTED),
        )


def _valid(corpus: "AffWild2Release") -> dict[str, int]:
    annotated = corpus.parts.annotations.items()
    return {part: sum(corpus.rows[trial].valid for trial in trials) for part, trials in annotated}
