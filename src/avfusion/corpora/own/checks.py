"""What `avf verify` checks of a researcher's own clips, with file and line."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from avfusion.corpora.base import Check, check
from avfusion.corpora.checks import said
from avfusion.corpora.clocks import clocks
from avfusion.corpora.splits import said as split_said
from avfusion.corpora.splits import split_digest

if TYPE_CHECKING:
    from avfusion.corpora.own.release import OwnRelease


MEND = "Correct it and run `avf verify` again; docs/own-corpus.md says what is expected."


OVER_S = 1.0  # by how much ratings may outlast their video


def own_checks(corpus: "OwnRelease") -> Iterator[Check]:
    """All of them."""
    faults, count = corpus.sheet.faults, len(corpus.sheet.rows)
    yield check("manifest lines", not faults, "every line can be read", said(faults, count), MEND)
    files = [part for parts in corpus.ratings.values() for part in parts]
    broken = [fault for part in files for fault in part.faults]
    if corpus.database is not None:
        broken = corpus.database.faults
    yield check(
        "rating lines", not broken, "every line can be read", said(broken, len(files)), MEND
    )
    table = corpus.videos()
    parts = dict(table[["video", "partition"]].itertuples(index=False))
    who = split_said(corpus.partition) if corpus.partition else "as the manifest gives it"
    text = f"{who} (sha256 {split_digest(parts)[:16]})"
    yield check("split", True, "by subject, from the seed, or given", text, "")
    yield from _media(corpus)


def _media(corpus: "OwnRelease") -> Iterator[Check]:
    paths = {corpus.id(row): row["video"] for _, row in corpus.sheet.rows}
    timed = clocks(corpus, paths)
    broken = [f"{paths[video]}: {clock.reason}" for video, clock in timed.items() if clock.reason]
    yield check(
        "pictures readable", not broken, "every file", said(broken, len(timed)),
        "Convert it to MP4; as it is, it counts as a failed video.", verdict="WARN",
    )  # fmt: skip
    whole = {video: clock for video, clock in timed.items() if not clock.reason}
    mute = [v for v, clock in whole.items() if not clock.has_sound]
    yield check(
        "sound", 2 * len(mute) <= len(whole), "a sound track in most videos",
        f"{len(whole) - len(mute)} with sound; without: {said(mute, 0)}",
        "Name a recording beside the video in a column `sound`.", verdict="WARN",
    )  # fmt: skip
    gold = corpus.gold().dropna(subset=list(corpus.targets), how="all")
    last_s = gold.groupby("video")["time_s"].max()
    late = [
        f"{video}: rated to {last_s[video]:g} s of {clock.end_s:.1f} s"
        for video, clock in whole.items()
        if last_s.get(video, 0.0) > clock.end_s + OVER_S
    ]
    yield check(
        "ratings within videos", not late, f"no rating {OVER_S:g} s after its video",
        said(late, len(whole)), "Is time_s in seconds, from the video's beginning?",
        verdict="WARN",
    )  # fmt: skip
