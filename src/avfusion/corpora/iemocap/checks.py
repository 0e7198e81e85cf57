"""What `avf verify iemocap` checks beyond the common: counts, turns, and what is said."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from avfusion.corpora import iemocap_folds as split
from avfusion.corpora.base import COMPUTED, GIVEN, READ, Check, check
from avfusion.corpora.iemocap.media_checks import AGAIN, listed_or, media_checks

if TYPE_CHECKING:
    from avfusion.corpora.iemocap.release import IemocapRelease


SAME_S = 0.1  # EmoEvaluation and transcripts print the same times


FOUR = (1085, 1023, 1151, 1031, 1241)


def iemocap_checks(corpus: "IemocapRelease") -> Iterator[Check]:
    """All of them, from names to films."""
    yield from _names(corpus)
    yield from _counts(corpus)
    yield from _lines(corpus)
    yield from _spoken(corpus)
    yield from media_checks(corpus)


def _names(corpus: "IemocapRelease") -> Iterator[Check]:
    parts = corpus.parts
    yield check(
        "file names", not parts.strange, "Ses01F_impro01 … in the folder of its session",
        listed_or(parts.strange, f"{len(parts.evaluations)} dialogs"),
        "Rename it, or move it away.", verdict="WARN",
    )  # fmt: skip
    yield check(
        "one release", not parts.twice, "each dialog and turn once", listed_or(parts.twice),
        "Two releases lie below the root; point it at one.",
    )  # fmt: skip


def _counts(corpus: "IemocapRelease") -> Iterator[Check]:
    wanted = corpus.expected
    sure = GIVEN if wanted.given else READ
    sessions = range(1, len(wanted.dialogs) + 1)
    dialogs = Counter(int(name[3:5]) for name in corpus.evaluations)
    turns = Counter(turn.session for turn in corpus.turns)
    for name, found, counts in (("dialogs", dialogs, wanted.dialogs),
                                ("turns", turns, wanted.turns)):  # fmt: skip
        have = [found[session] for session in sessions]
        yield check(
            name, tuple(have) == counts and found.total() == sum(counts),
            f"{'/'.join(map(str, counts))} in sessions 1 to {len(counts)}, {sum(counts):,} in all",
            f"{'/'.join(map(str, have))}, {found.total():,} in all", AGAIN, certainty=sure,
        )  # fmt: skip
    codes = Counter(turn.code for turn in corpus.turns)
    off = [f"{c}: {codes[c]} for {n}" for c, n in wanted.codes if codes[c] != n]
    yield check(
        "classes", not off, ", ".join(f"{c} {n}" for c, n in wanted.codes),
        listed_or(off, f"{len(corpus.turns):,} turns"), AGAIN, certainty=sure,
    )  # fmt: skip
    if corpus.kind == 4 and not wanted.given:
        four = Counter(turn.session for turn, _ in corpus.used)
        have = tuple(four[session] for session in sessions)
        yield check(
            "four classes", have == FOUR, "/".join(map(str, FOUR)), "/".join(map(str, have)),
            AGAIN, certainty=READ,
        )  # fmt: skip
    sizes = split.SIZES.get(corpus.kind)
    if corpus.folds == "random" and sizes and not wanted.given:
        parts = Counter(where for _, where in corpus.used)
        have = tuple(parts[name] for name in ("train", "validation", "test"))
        yield check(
            "random fold", have == sizes[corpus.fold - 1],
            "train/validation/test " + "/".join(map(str, sizes[corpus.fold - 1])),
            "/".join(map(str, have)), AGAIN, certainty=COMPUTED,
        )  # fmt: skip


def _lines(corpus: "IemocapRelease") -> Iterator[Check]:
    found = corpus.evaluations.values()
    faults = [fault for one in found for fault in one.faults]
    votes = sum(one.votes for one in found)
    yield check(
        "evaluation lines", not faults, "every turn can be read",
        listed_or(faults, f"{len(corpus.turns):,} turns, {votes:,} votes"), AGAIN,
    )  # fmt: skip
    strange = [place for one in found for place in one.strange]
    yield check(
        "other lines", not strange, "headings, turns and votes alone", listed_or(strange),
        "They are not used; look whether a turn is hidden there.", verdict="WARN",
    )  # fmt: skip


def _spoken(corpus: "IemocapRelease") -> Iterator[Check]:
    said = {name: turn for one in corpus.transcripts.values() for name, turn in one.said.items()}
    faults = [fault for one in corpus.transcripts.values() for fault in one.faults]
    asides = sum(one.asides for one in corpus.transcripts.values())
    yield check(
        "transcript lines", not faults, "turn [start-end]: words",
        listed_or(faults, f"{len(said):,} turns, {asides} asides"), AGAIN, verdict="WARN",
    )  # fmt: skip
    mute = [turn.name for turn in corpus.turns if turn.name not in said]
    yield check(
        "turns in words", not mute, "a transcript line of every turn", listed_or(mute),
        "It has no text, unless it is aligned.", verdict="WARN",
    )  # fmt: skip
    off = [
        turn.name for turn in corpus.turns
        if turn.name in said
        and max(abs(turn.start_s - said[turn.name].start_s),
                abs(turn.end_s - said[turn.name].end_s)) > SAME_S
    ]  # fmt: skip
    yield check(
        "transcript times", not off, f"those of EmoEvaluation, to {SAME_S:g} s", listed_or(off),
        "Pictures are cut by EmoEvaluation; one of the two files is of another release.",
        verdict="WARN",
    )  # fmt: skip
    read = corpus.alignments
    wrong = [fault for _, found in read.values() for fault in found]
    yield check(
        "aligned words", not wrong, "first frame, last frame, score, word",
        listed_or(wrong, f"{len(read):,} of {len(corpus.turns):,} turns"),
        "The words of that turn are spread evenly.", verdict="WARN",
    )  # fmt: skip
