"""Checks of your own recordings; problems are reported with file and line."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from avfusion.corpora.check import FEW_PEOPLE, Check, check
from avfusion.corpora.media_checks import media_checks
from avfusion.corpora.own.coverage import coverage
from avfusion.corpora.own.manifest import unknown_columns
from avfusion.corpora.splits import split_digest, split_summary
from avfusion.corpora.wording import listed, stated

if TYPE_CHECKING:
    from avfusion.corpora.own.release import OwnRelease
    from avfusion.media.timing import Timing

HINT = "Correct it and run `avf verify` again; docs/tutorials/own-clips.md describes the format."


def own_checks(corpus: "OwnRelease") -> Iterator[Check]:
    """Yield checks of the manifest, ratings, split, videos and times."""
    faults, count = corpus.sheet.faults, len(corpus.sheet.rows)
    yield check("manifest lines", not faults, "every line can be read", stated(faults, count), HINT)
    if corpus.database is None:
        yield _columns(corpus)
    files = [part for parts in corpus.ratings.values() for part in parts]
    broken = [fault for part in files for fault in part.faults]
    if corpus.database is not None:
        broken = corpus.database.faults
    yield check(
        "rating lines", not broken, "every line can be read", stated(broken, len(files)), HINT
    )
    table = corpus.videos()
    parts = dict(table[["video", "partition"]].itertuples(index=False))
    split = split_summary(corpus.partition) if corpus.partition else corpus.split.description
    text = f"{split} (sha256 {split_digest(parts)[:16]})"
    apart = corpus.split.kind in ("given", "subjects")
    yield check("split", apart, "drawn by subject, or given", text, FEW_PEOPLE, verdict="WARN")
    yield from _media(corpus)


def _columns(corpus: "OwnRelease") -> Check:
    """Check that every column of the manifest is one that is read."""
    unknown = unknown_columns(corpus.sheet.columns, corpus.targets, corpus.features)
    return check(
        "manifest columns", not unknown, "only columns that avfusion reads",
        listed(unknown, separator=" ") if unknown else f"{len(corpus.sheet.columns)} columns",
        "These columns are not read. Correct the name, or ignore this warning.", verdict="WARN",
    )  # fmt: skip


def _media(corpus: "OwnRelease") -> Iterator[Check]:
    timed = corpus.timed
    yield from _lengths(corpus)
    if corpus.bare and not timed:
        yield from coverage(corpus, _clocks(corpus))
        return
    yield from media_checks(corpus, timed, corpus.sound_only)
    readable = {video: clock for video, clock in timed.items() if corpus.length_s(video)}
    mute = [v for v, clock in readable.items() if not clock.has_sound]
    yield check(
        "sound", 2 * len(mute) <= len(readable), "a sound track in most videos",
        f"{len(readable) - len(mute)} with sound; without: {stated(mute, 0)}",
        "List a separate sound recording in the column `sound`. If there is none, set "
        "`features: {audio: []}` and keep only fusions that read video.", verdict="WARN",
    )  # fmt: skip
    yield from coverage(corpus, readable | _clocks(corpus))


def _lengths(corpus: "OwnRelease") -> Iterator[Check]:
    """Yield whether the length of every row without a recording is known."""
    if not corpus.bare:
        return
    unknown = [video for video, length_s in corpus.bare.items() if not length_s]
    total_s = sum(corpus.bare.values())
    yield check(
        "lengths", not unknown, "a length of every row without a recording",
        f"none for: {listed(unknown)}" if unknown else f"{len(corpus.bare)} rows, {total_s:.1f} s",
        "Add a column duration_s, in seconds. The features then need no times of their own.",
    )  # fmt: skip


def _clocks(corpus: "OwnRelease") -> "dict[str, Timing]":
    """Return the length of each row without a recording, as the time of a video without frames."""
    from avfusion.media.timing import without_frames

    return {video: without_frames(s) for video, s in corpus.bare.items() if s}
