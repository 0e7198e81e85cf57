"""Checks of the fatigue manifest, its segments, and the pictures and sound of the videos."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from avfusion.corpora.check import GIVEN, READ, Check, check
from avfusion.corpora.clocks import clocks
from avfusion.corpora.formats.spans import gaps, overlaps
from avfusion.corpora.formats.table import video_id
from avfusion.corpora.media_checks import media_checks
from avfusion.corpora.splits import split_digest, split_summary
from avfusion.corpora.wording import stated

if TYPE_CHECKING:
    from avfusion.corpora.fatigue.release import FatigueRelease


PUBLISHED = {"videos": 27, "subjects": 18}


MEND = "Correct manifest.csv and run `avf verify` again."


END_S = 1.0  # accepted time of a segment after the end of its video; times are written by hand


def fatigue_checks(corpus: "FatigueRelease") -> Iterator[Check]:
    """Yield the checks of the fatigue corpus that are not common to all corpora."""
    spans = corpus.segments
    faults = corpus.sheet.faults
    yield check(
        "manifest lines", not faults, "every line can be read", stated(faults, len(spans)), MEND
    )
    counts = {"videos": len(spans), "subjects": len(set(corpus.subject.values()))}
    for name, count in counts.items():
        expected = corpus.expected[name]
        yield check(
            name, count == expected, str(expected), count,
            f"If you hold a part of the corpus, set corpora.fatigue.options.{name}.",
            verdict="WARN", certainty=READ if expected == PUBLISHED[name] else GIVEN,
        )  # fmt: skip
    yield from _subjects(corpus)
    crossed = [
        f"{path} at {b.start_s:g} s" for path, rated in spans.items() for _, b in overlaps(rated)
    ]
    yield check(
        "segments", not crossed, "no two segments of a video overlap", stated(crossed, len(spans)),
        MEND,
    )  # fmt: skip
    yield from _media(corpus)


def _subjects(corpus: "FatigueRelease") -> Iterator[Check]:
    named: dict[str, set[str]] = {}
    for _, row in corpus.sheet.rows:
        named.setdefault(row["video"], set()).add(row["subject"])
    wrong = [f"{path}: {', '.join(sorted(who))}" for path, who in named.items() if len(who) > 1]
    wrong += [f"{path}: no name" for path, who in named.items() if "" in who]
    yield check(
        "subjects of videos", not wrong, "one named subject per video",
        stated(wrong, len(named)), MEND,
    )  # fmt: skip
    parts = dict(corpus.videos()[["video", "partition"]].itertuples(index=False))
    text = f"{split_summary(corpus.partition)} (sha256 {split_digest(parts)[:16]})"
    yield check("split", True, "by subject, from the seed", text, "")


def _media(corpus: "FatigueRelease") -> Iterator[Check]:
    timed = clocks(corpus, {path: path for path in corpus.segments})
    yield from media_checks(corpus, timed)
    readable = {path: clock for path, clock in timed.items() if not clock.reason}
    mute = [path for path, clock in readable.items() if not clock.has_sound]
    yield check(
        "sound", 2 * len(mute) <= len(readable), "a sound track in most videos",
        f"{len(readable) - len(mute)} with sound; without: {stated(mute, 0)}",
        "Audio features of a video without sound are missing.", verdict="WARN",
    )  # fmt: skip
    late, bare, open_at = [], [], []
    for path, clock in readable.items():
        spans = corpus.segments[path]
        last_s = max((span.end_s for span in spans), default=0.0)
        if last_s > clock.end_s + END_S:
            late.append(f"{video_id(path)}: rated to {last_s:g} s of {clock.end_s:.1f} s")
        unrated = [gap for gap in gaps(spans, clock.end_s) if gap[1] - gap[0] > END_S]
        open_at += [f"{video_id(path)} {a:g}-{b:.1f} s" for a, b in unrated]
        if sum(b - a for a, b in unrated) > clock.end_s / 2:
            bare.append(video_id(path))
    yield check(
        "segments within videos", not late, f"no segment ends {END_S:g} s after its video",
        stated(late, len(readable)), "Check that times are in seconds and the video is complete.",
        verdict="WARN",
    )  # fmt: skip
    covered = f"mostly unrated: {stated(bare, 0)}" if bare else f"unrated: {stated(open_at, 0)}"
    yield check(
        "coverage", not bare, "at least half of every video is rated", covered,
        "Add the missing segments. Times without a segment are unrated.", verdict="WARN",
    )  # fmt: skip
