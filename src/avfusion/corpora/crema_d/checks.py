"""Checks of CREMA-D's counts, votes and tables."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from avfusion.corpora.check import COMPUTED, GIVEN, READ, RECOLLECTION, Check, check
from avfusion.corpora.crema_d.media_checks import AGAIN, media_checks
from avfusion.corpora.crema_d.release import UNUSABLE
from avfusion.corpora.crema_d.votes import (
    GRADED,
    MODALITIES,
    Clip,
    clip_of,
    disagreements,
    human_recognition,
)
from avfusion.corpora.formats.table import read_sheet
from avfusion.corpora.wording import listed, stated
from avfusion.errors import CorpusError
from avfusion.io.redact import below

if TYPE_CHECKING:
    from avfusion.corpora.crema_d.release import CremaDRelease


POINTS = 0.5  # accepted difference from published percentages


def crema_d_checks(corpus: "CremaDRelease") -> Iterator[Check]:
    """Yield the checks of CREMA-D that are not common to all corpora."""
    yield from _names(corpus)
    yield from _counts(corpus)
    yield from _votes(corpus)
    yield from _recognition(corpus)
    yield _demographics(corpus)
    yield _summary(corpus)
    yield _unusable(corpus)
    yield from media_checks(corpus)


def _names(corpus: "CremaDRelease") -> Iterator[Check]:
    parts = corpus.parts
    yield check(
        "file names", not parts.strange, "1001_IEO_HAP_LO … of actors 1001 to 1091",
        listed(parts.strange) or f"{len(parts.films):,} films, {len(parts.wavs):,} wavs",
        "These files are not used. Correct the name, or move the file out of the folder.",
        verdict="WARN",
    )  # fmt: skip
    yield check(
        "one release", not parts.twice, "each film and wav once", listed(parts.twice) or "none",
        "The root contains a clip twice. Set the root to one copy of the repository.",
    )  # fmt: skip
    yield check(
        "unfinished downloads", not parts.unfinished, "no file that ends with .part",
        listed(parts.unfinished) or "none", AGAIN, verdict="WARN",
    )  # fmt: skip


def _counts(corpus: "CremaDRelease") -> Iterator[Check]:
    """Yield whether the vote table lists every clip, actor, emotion and sentence."""
    expected = corpus.expected
    clips = [clip for name in set(corpus.voted.table["clip"]) if (clip := clip_of(name))]
    actors = Counter(clip.actor for clip in clips)
    certainty = GIVEN if expected.given else READ
    yield check(
        "clips", (len(clips), len(actors)) == (expected.clips, expected.actors),
        f"{expected.clips:,} clips of {expected.actors} actors in the vote table",
        f"{len(clips):,} clips of {len(actors)} actors", AGAIN, certainty=certainty,
    )  # fmt: skip
    most, lost = expected.per_actor, expected.actors * expected.per_actor - expected.clips
    off = [f"{actor}: {n}" for actor, n in sorted(actors.items()) if not most - lost <= n <= most]
    yield check(
        "clips per actor", not off, f"{most - lost} to {most}",
        listed(off) or f"{len(actors)} fine", AGAIN, verdict="WARN", certainty=certainty,
    )  # fmt: skip
    yield from _kinds(corpus, clips, lost)
    yield _levels(clips)
    yield _filmed(corpus)


def _kinds(corpus: "CremaDRelease", clips: list[Clip], lost: int) -> Iterator[Check]:
    """Yield whether no sentence and no emotion has too few clips; `lost` clips may be missing."""
    expected = corpus.expected
    certainty = GIVEN if expected.given else READ
    sentences = Counter(clip.sentence for clip in clips)
    off = [f"{s}: {sentences[s]} of {n}" for s, n in expected.sentences
           if not n - lost <= sentences[s] <= n]  # fmt: skip
    off += [f"{s}: {n}" for s, n in sentences.items() if s not in dict(expected.sentences)]
    yield check(
        "sentences", not off, f"{len(expected.sentences)} sentences, at most {lost} clips missing",
        listed(off) or f"{len(sentences)} fine", AGAIN, verdict="WARN", certainty=certainty,
    )  # fmt: skip
    emotions = Counter(clip.emotion for clip in clips)
    off = [f"{e}: {emotions[e]} of {n}" for e, n in expected.emotions if emotions[e] != n]
    yield check(
        "emotions", not off, ", ".join(f"{e} {n}" for e, n in expected.emotions),
        listed(off) or f"{len(emotions)} fine", AGAIN, verdict="WARN",
        certainty=GIVEN if expected.given else RECOLLECTION,
    )  # fmt: skip


def _filmed(corpus: "CremaDRelease") -> Check:
    """Check that there is a film of every chosen actor."""
    filmed = {clip.actor for clip in corpus.clips if clip.name in corpus.parts.films}
    bare = [str(actor) for actor in corpus.actors if actor not in filmed]
    return check(
        "actors with films", not bare, "films of every chosen actor",
        listed(bare) or f"{len(filmed)} actors",
        "Choose the actors whose films you have, such as `options: {actors: 1-6}`, or obtain the "
        f"others. {AGAIN}", verdict="WARN",
    )  # fmt: skip


def _levels(clips: list[Clip]) -> Check:
    """Check that only one sentence was spoken at three levels, and neutral at none."""
    plain = {clip.name for clip in clips if clip.sentence != GRADED or clip.emotion == "neutral"}
    odd = [clip.name for clip in clips if (clip.level == "XX") != (clip.name in plain)]
    return check(
        "levels", not odd, f"LO, MD and HI of {GRADED} only, XX of neutral and other sentences",
        listed(sorted(odd)) or f"{len(clips):,} clips",
        "The vote table lists clips that the release does not have. " + AGAIN, verdict="WARN",
        certainty=READ,
    )  # fmt: skip


def _votes(corpus: "CremaDRelease") -> Iterator[Check]:
    voted = corpus.voted
    rows = len(voted.table)
    yield check(
        "vote lines", not voted.faults, "every row of the vote table can be read",
        stated(voted.faults, rows), AGAIN,
    )  # fmt: skip
    kinds = Counter(voted.table["clip"])
    names = sorted({*kinds, *(clip.name for clip in corpus.listed)})
    off = [f"{name}: {kinds[name]}" for name in names if kinds[name] != len(MODALITIES)]
    yield check(
        "votes per clip", not off, "three rows per clip: voice, face, both",
        listed(off) or f"{len(kinds):,} clips",
        "A clip without audio-visual votes has no rating. " + AGAIN, verdict="WARN",
    )  # fmt: skip
    yield check(
        "number of votes", not voted.sums, "votes that add up to numResponses",
        stated(voted.sums, rows), "The votes are used. " + AGAIN, verdict="WARN",
    )  # fmt: skip
    yield check(
        "winners of votes", not voted.winners, "emoVote names the emotions with most votes",
        stated(voted.winners, rows), "The votes are used. " + AGAIN, verdict="WARN",
    )  # fmt: skip
    yield check(
        "agreement", not voted.shares, "agreement is the winner's share of the responses",
        stated(voted.shares, rows), "The votes are used. " + AGAIN, verdict="WARN",
    )  # fmt: skip


def _recognition(corpus: "CremaDRelease") -> Iterator[Check]:
    """Yield whether people recognised as many emotions as published, if no clip is missing."""
    expected, table = corpus.expected, corpus.voted.table
    if table["clip"].nunique() != expected.clips:
        return
    have = [100 * human_recognition(table, kind)["all"] for kind in MODALITIES.values()]
    pairs = zip(have, expected.recognition, strict=True)
    yield check(
        "human recognition", all(abs(share - known) <= POINTS for share, known in pairs),
        " / ".join(f"{share:.1f}" for share in expected.recognition) + " % (voice / face / both)",
        " / ".join(f"{share:.1f}" for share in have) + " %",
        "The vote table differs from the published one. " + AGAIN, verdict="WARN",
        certainty=GIVEN if expected.given else READ,
    )  # fmt: skip


def _demographics(corpus: "CremaDRelease") -> Check:
    """Check that VideoDemographics.csv has one row per actor."""
    path = corpus.parts.tables.get("VideoDemographics.csv", "VideoDemographics.csv")
    try:
        sheet = read_sheet(corpus.root / path, path, ("ActorID", "Age", "Sex"), AGAIN)
        rows = Counter(row["ActorID"] for _, row in sheet.rows)
        off = [f"{actor}: {rows[str(actor)]}" for actor in corpus.actors if rows[str(actor)] != 1]
        off = sheet.faults + off
    except CorpusError as error:
        off = [below(corpus.root, str(error))]
    return check(
        "demographics", not off, "one row of VideoDemographics.csv per actor",
        stated(off, len(corpus.actors)), AGAIN, verdict="WARN",
    )  # fmt: skip


def _summary(corpus: "CremaDRelease") -> Check:
    """Check how many clips have other winners in summaryTable.csv."""
    path = corpus.parts.tables.get("summaryTable.csv", "processedResults/summaryTable.csv")
    expected = corpus.expected.disagreements
    try:
        differing, faults = disagreements(corpus.voted.table, corpus.root / path, path)
    except CorpusError as error:
        differing, faults = [], [below(corpus.root, str(error))]
    counted = f"{len(differing)} clips" + (f": {listed(differing)}" if differing else "")
    return check(
        "summary table", len(differing) == expected and not faults,
        f"the winners of the vote table, except for {expected} clips",
        listed(faults, separator="; ") or counted,
        "tabulatedVotes.csv is used. To accept the number of clips, set `disagreements` in the "
        "option `expect`.", verdict="WARN", certainty=COMPUTED,
    )  # fmt: skip


def _unusable(corpus: "CremaDRelease") -> Check:
    """Check which clips are left out."""
    names = [clip.name for clip in corpus.listed if clip.name in UNUSABLE]
    unknown = [name for name in names if name not in corpus.expected.unusable]
    return check(
        "unusable clips", not unknown, "every clip can be used",
        listed([f"{name} {UNUSABLE[name]}" for name in unknown], separator="; ")
        or f"{len(names)} left out",
        "They are left out of the study; their votes are kept. To accept this, list them as "
        "`unusable` in the option `expect`.", verdict="WARN", certainty=READ,
    )  # fmt: skip
