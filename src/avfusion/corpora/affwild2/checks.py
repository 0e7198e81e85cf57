"""Checks of Aff-Wild2's counts of trials, videos, transcripts and rows."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from avfusion.corpora.affwild2 import editions
from avfusion.corpora.affwild2.image_checks import image_checks
from avfusion.corpora.affwild2.timeline_checks import timeline_checks
from avfusion.corpora.check import COMPUTED, READ, Check, check
from avfusion.corpora.wording import listed

if TYPE_CHECKING:
    from avfusion.corpora.affwild2.release import AffWild2Release


def affwild2_checks(corpus: "AffWild2Release") -> Iterator[Check]:
    """Yield the checks of Aff-Wild2 that are not common to all corpora."""
    yield _edition(corpus)
    yield from _trials(corpus)
    yield from _raw(corpus)
    yield from _rows(corpus)
    yield from timeline_checks(corpus)
    yield from image_checks(corpus)
    if corpus.transcripts:
        yield _transcripts(corpus)


def _edition(corpus: "AffWild2Release") -> Check:
    """Check that the edition is stated, or is the only one with the counts of the files."""
    trials, valid = corpus.counts
    fits = editions.guess(trials, valid)
    if corpus.edition is not None:
        observed = corpus.edition.name + ("" if corpus.stated else ", by its counts")
    else:
        counted = ", ".join(f"{count} {part}" for part, count in trials.items())
        rows = ", ".join(f"{count:,} of {part}" for part, count in valid.items())
        observed = f"none stated; {counted}; rated rows: {rows or 'none'}"
        observed += f"; these counts fit {' and '.join(fits)}" if fits else ""
    return check(
        "edition",
        corpus.edition is not None,
        "an edition in the config, or the counts of one edition",
        observed,
        f"Set corpora.affwild2.options: {{edition: {fits[0] if fits else 'abaw6'}}}"
        f"{f' or {listed(fits[1:])}' if fits[1:] else ''}. Editions: "
        f"{editions.described()}.",
    )


def _trials(corpus: "AffWild2Release") -> Iterator[Check]:
    parts = [part for _, part in corpus.listed]
    edition = corpus.edition
    for partition in ("train", "validation", "test"):
        if edition is None:
            break  # reported by `_edition`
        expected, count = edition.trials(partition), parts.count(partition)
        yield check(
            f"trials of {partition}",
            count == expected,
            str(expected),
            count,
            f"{abs(count - expected)} too {'few' if count < expected else 'many'}. "
            f"{editions.COMPARE}",
            verdict="WARN",
            certainty=editions.certainty(edition, READ),
        )
    counts = Counter(trial for trial, _ in corpus.listed)
    twice = [trial for trial, n in counts.items() if n > 1]
    yield check(
        "split overlap",
        not twice,
        "each trial in one partition",
        listed(twice) or f"{len(counts)} trials",
        "The folder mixes two editions. Unpack only one edition.",
    )


def _raw(corpus: "AffWild2Release") -> Iterator[Check]:
    raw = corpus.parts.raw
    expected = corpus.edition.raw if corpus.edition else None
    missing = corpus.missing()
    yield check(
        "raw videos",
        (expected is None or len(raw) == expected) and not missing,
        f"{expected or 'all'} raw videos",
        f"{len(raw)}" + (f"; missing: {listed(missing)} (all in absent.txt)" if missing else ""),
        editions.COMPARE,
        verdict="WARN",
        certainty=editions.certainty(corpus.edition, COMPUTED),
    )
    twice = [f"{paths[0]} and {paths[1]}" for paths in raw.values() if len(paths) > 1]
    yield check(
        "raw videos once",
        not twice,
        "each raw video in one file",
        listed(twice) or f"{len(raw)} names",
        "The first file is used. Remove the other one.",
        verdict="WARN",
    )
    broken = [clock.reason for clock in corpus.clocks.values() if clock.reason]
    yield check(
        "containers",
        not broken,
        "the times of every raw video can be read",
        listed(broken) or f"{len(corpus.clocks)} videos",
        "Trials of this video fail in the media stage and count as missing. Copy the file again.",
        verdict="WARN",
    )


def _transcripts(corpus: "AffWild2Release") -> Check:
    trials = [trial for trial, _ in corpus.listed]
    count = sum(corpus.transcript(trial) is not None for trial in trials)
    return check(
        "transcribed trials",
        count == len(trials),
        f"{len(trials)} trials with a .csv in {corpus.transcripts}",
        count,
        "Aff-Wild2 has no transcripts. Write <trial>.csv (word,start_s,end_s) with a speech "
        "recogniser, or remove `transcripts` from the corpus options and text from the study.",
        verdict="WARN" if count else "FAIL",
    )


def _rows(corpus: "AffWild2Release") -> Iterator[Check]:
    faults = [fault for rows in corpus.rows.values() for fault in rows.faults]
    yield check(
        "annotation rows",
        not faults,
        "a header valence,arousal, then two numbers per row, in [-1, 1] or -5",
        listed(faults) or f"{sum(len(r.values) for r in corpus.rows.values()):,} rows",
        f"Unpack the annotations again. {editions.COMPARE}",
        certainty=READ,
    )
    edition = corpus.edition
    if edition is None:
        return  # reported by `_edition`
    trials, valid = corpus.counts
    fits = [name for name in editions.guess(trials, valid) if name != edition.name]
    like = "" if edition.given or not fits else f" Its counts fit {' and '.join(fits)}."
    for partition, count in valid.items():
        expected = edition.valid_rows.get(partition)
        off = 0.0 if expected is None else abs(count - expected) / expected
        yield check(
            f"rated rows of {partition}",
            not off,
            "unpublished" if expected is None else f"{expected:,}",
            f"{count:,}",
            f"{100 * off:.2f} % off. It is another edition or a part of one.{like} To accept what "
            f"is here, paste into its options: {_counted(corpus)}. {editions.COMPARE}",
            verdict="FAIL" if off > 0.005 else "WARN",
            certainty=editions.certainty(edition, COMPUTED),
        )


def _counted(corpus: "AffWild2Release") -> str:
    """Return the option `expect` with the counts of the corpus as it is."""
    parts = Counter(part for _, part in corpus.listed)
    counts = [f"{part}: {parts[part]}" for part in ("train", "validation", "test")]
    rows = ", ".join(f"{part}: {count}" for part, count in corpus.counts[1].items())
    counts += [f"raw: {len(corpus.parts.raw)}", f"valid_rows: {{{rows}}}"]
    return f"expect: {{{', '.join(counts)}}}"
