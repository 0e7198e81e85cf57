"""Checks of your own recordings; problems are reported with file and line."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from avfusion.corpora.base import Check, check
from avfusion.corpora.checks import stated
from avfusion.corpora.clocks import clocks
from avfusion.corpora.splits import split_digest, split_summary

if TYPE_CHECKING:
    from avfusion.corpora.own.release import OwnRelease

HINT = "Correct it and run `avf verify` again; docs/tutorials/own-clips.md describes the format."
OVER_S = 1.0  # ratings may be this much longer than their video


def own_checks(corpus: "OwnRelease") -> Iterator[Check]:
    """Yield checks of the manifest, ratings, split, videos and times."""
    faults, count = corpus.sheet.faults, len(corpus.sheet.rows)
    yield check("manifest lines", not faults, "every line can be read", stated(faults, count), HINT)
    files = [part for parts in corpus.ratings.values() for part in parts]
    broken = [fault for part in files for fault in part.faults]
    if corpus.database is not None:
        broken = corpus.database.faults
    yield check(
        "rating lines", not broken, "every line can be read", stated(broken, len(files)), HINT
    )
    table = corpus.videos()
    parts = dict(table[["video", "partition"]].itertuples(index=False))
    split = split_summary(corpus.partition) if corpus.partition else "as the manifest gives it"
    text = f"{split} (sha256 {split_digest(parts)[:16]})"
    yield check("split", True, "drawn by subject, or given", text, "")
    yield from _media(corpus)


def _media(corpus: "OwnRelease") -> Iterator[Check]:
    paths = {corpus.id(row): row["video"] for _, row in corpus.sheet.rows}
    timed = clocks(corpus, paths)
    broken = [f"{paths[video]}: {clock.reason}" for video, clock in timed.items() if clock.reason]
    yield check(
        "pictures readable", not broken, "every file", stated(broken, len(timed)),
        "Convert it to MP4; otherwise it counts as a failed video.", verdict="WARN",
    )  # fmt: skip
    readable = {video: clock for video, clock in timed.items() if not clock.reason}
    mute = [v for v, clock in readable.items() if not clock.has_sound]
    yield check(
        "sound", 2 * len(mute) <= len(readable), "a sound track in most videos",
        f"{len(readable) - len(mute)} with sound; without: {stated(mute, 0)}",
        "List a separate sound recording in the column `sound`.", verdict="WARN",
    )  # fmt: skip
    gold = corpus.gold().dropna(subset=list(corpus.targets), how="all")
    last_s = gold.groupby("video")["time_s"].max()
    late = [
        f"{video}: rated to {last_s[video]:g} s of {clock.end_s:.1f} s"
        for video, clock in readable.items()
        if last_s.get(video, 0.0) > clock.end_s + OVER_S
    ]
    yield check(
        "ratings within videos", not late, f"no rating {OVER_S:g} s after its video",
        stated(late, len(readable)), "Is time_s in seconds from the start of the video?",
        verdict="WARN",
    )  # fmt: skip
