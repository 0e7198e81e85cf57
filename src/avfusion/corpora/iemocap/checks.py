"""Checks of IEMOCAP's counts, annotation lines and transcripts."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from avfusion.corpora import iemocap_folds as split
from avfusion.corpora.check import COMPUTED, GIVEN, READ, Check, check
from avfusion.corpora.iemocap.media_checks import AGAIN, listed_or, media_checks

if TYPE_CHECKING:
    from avfusion.corpora.iemocap.release import IemocapRelease


SAME_S = 0.1  # largest difference between the times of EmoEvaluation and transcripts


FOUR = (1085, 1023, 1151, 1031, 1241)
"""Published number of turns of the four classes per session."""


def iemocap_checks(corpus: "IemocapRelease") -> Iterator[Check]:
    """Yield the checks of IEMOCAP that are not common to all corpora."""
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
        "Rename the file or move it out of the folder.", verdict="WARN",
    )  # fmt: skip
    yield check(
        "one release", not parts.twice, "each dialog and turn once", listed_or(parts.twice),
        "The root contains two releases. Set the root to one of them.",
    )  # fmt: skip


def _counts(corpus: "IemocapRelease") -> Iterator[Check]:
    expected = corpus.expected
    certainty = GIVEN if expected.given else READ
    sessions = range(1, len(expected.dialogs) + 1)
    dialogs = Counter(int(name[3:5]) for name in corpus.evaluations)
    turns = Counter(turn.session for turn in corpus.turns)
    for name, present, counts in (("dialogs", dialogs, expected.dialogs),
                                  ("turns", turns, expected.turns)):  # fmt: skip
        have = tuple(present[session] for session in sessions)
        yield check(
            name, have == counts and present.total() == sum(counts),
            f"{'/'.join(map(str, counts))} in sessions 1 to {len(counts)}, {sum(counts):,} in all",
            f"{'/'.join(map(str, have))}, {present.total():,} in all", AGAIN, certainty=certainty,
        )  # fmt: skip
    codes = Counter(turn.code for turn in corpus.turns)
    off = [f"{c}: {codes[c]} for {n}" for c, n in expected.codes if codes[c] != n]
    yield check(
        "classes", not off, ", ".join(f"{c} {n}" for c, n in expected.codes),
        listed_or(off, f"{len(corpus.turns):,} turns"), AGAIN, certainty=certainty,
    )  # fmt: skip
    if corpus.kind == 4 and not expected.given:
        four = Counter(turn.session for turn, _ in corpus.used)
        have = tuple(four[session] for session in sessions)
        yield check(
            "four classes", have == FOUR, "/".join(map(str, FOUR)), "/".join(map(str, have)),
            AGAIN, certainty=READ,
        )  # fmt: skip
    sizes = split.SIZES.get(corpus.kind)
    if corpus.folds == "random" and sizes and not expected.given:
        parts = Counter(where for _, where in corpus.used)
        have = tuple(parts[name] for name in ("train", "validation", "test"))
        yield check(
            "random fold", have == sizes[corpus.fold - 1],
            "train/validation/test " + "/".join(map(str, sizes[corpus.fold - 1])),
            "/".join(map(str, have)), AGAIN, certainty=COMPUTED,
        )  # fmt: skip


def _lines(corpus: "IemocapRelease") -> Iterator[Check]:
    files = corpus.evaluations.values()
    faults = [fault for file in files for fault in file.faults]
    votes = sum(file.votes for file in files)
    yield check(
        "evaluation lines", not faults, "every turn can be read",
        listed_or(faults, f"{len(corpus.turns):,} turns, {votes:,} votes"), AGAIN,
    )  # fmt: skip
    strange = [place for file in files for place in file.strange]
    yield check(
        "other lines", not strange, "only headings, turns and votes", listed_or(strange),
        "These lines are not used. Check whether one of them is a turn.", verdict="WARN",
    )  # fmt: skip


def _spoken(corpus: "IemocapRelease") -> Iterator[Check]:
    spoken = {name: turn for one in corpus.transcripts.values() for name, turn in one.turns.items()}
    faults = [fault for one in corpus.transcripts.values() for fault in one.faults]
    asides = sum(one.asides for one in corpus.transcripts.values())
    yield check(
        "transcript lines", not faults, "turn [start-end]: words",
        listed_or(faults, f"{len(spoken):,} turns, {asides} asides"), AGAIN, verdict="WARN",
    )  # fmt: skip
    mute = [turn.name for turn in corpus.turns if turn.name not in spoken]
    yield check(
        "turns in words", not mute, "a transcript line for every turn", listed_or(mute),
        "Such a turn has no text unless its words are aligned.", verdict="WARN",
    )  # fmt: skip
    off = [
        turn.name for turn in corpus.turns
        if turn.name in spoken
        and max(abs(turn.start_s - spoken[turn.name].start_s),
                abs(turn.end_s - spoken[turn.name].end_s)) > SAME_S
    ]  # fmt: skip
    yield check(
        "transcript times", not off, f"the times of EmoEvaluation, within {SAME_S:g} s",
        listed_or(off),
        "Videos are cut by EmoEvaluation. The two files belong to different releases.",
        verdict="WARN",
    )  # fmt: skip
    read = corpus.alignments
    wrong = [fault for _, faults in read.values() for fault in faults]
    yield check(
        "aligned words", not wrong, "first frame, last frame, score, word",
        listed_or(wrong, f"{len(read):,} of {len(corpus.turns):,} turns"),
        "The words of such a turn are spread evenly over its duration.", verdict="WARN",
    )  # fmt: skip
