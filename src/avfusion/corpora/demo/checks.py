"""What `avf verify demo` checks beyond the common: settings, gold standard, planted faults."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avfusion.corpora.base import Check, check
from avfusion.corpora.demo.make import DIMENSIONS, files, is_whole
from avfusion.corpora.demo.release import AGAIN, read_csv
from avfusion.corpora.demo.scene import KINDS, video_name
from avfusion.corpora.goldstandard import gold_standard

if TYPE_CHECKING:
    from avfusion.corpora.demo.release import DemoRelease


def demo_checks(corpus: "DemoRelease") -> Iterator[Check]:
    """Made with these settings; gold follows from the ratings; every fault is in test."""
    stale = [
        video_name(r.index)
        for r in corpus.recipes()
        if not is_whole(corpus.root, video_name(r.index), r.digest)
    ]
    listed = corpus.videos()
    same = not stale and len(listed) == corpus.count
    found = f"{len(listed)} listed, {len(stale)} missing, changed or of other settings"
    yield check(
        "recipe",
        same,
        f"{corpus.count} videos made with these settings",
        found + (f" ({', '.join(stale[:3])} …)" if stale else ""),
        AGAIN,
        verdict="WARN",
        certainty="recomputed",
    )
    apart = {v: _gold_error(corpus.root, v) for v in listed["video"]}
    wrong = [f"{v} by {e:.2g}" for v, e in apart.items() if not e <= 1e-5]
    yield check(
        "gold standard",
        not wrong,
        "gold = recipe over the ratings, within 1e-5",
        f"off: {', '.join(wrong[:5])}" if wrong else f"largest {max(apart.values()):.1g}",
        f"Gold or ratings were edited. {AGAIN}",
        certainty="recomputed",
    )
    tested = set(listed["video"][listed["partition"] == "test"])
    truth = corpus.truth()
    kinds = set(truth["kind"][truth["video"].isin(tested)])
    lost = sorted({kind for _, kind in KINDS} - kinds)
    yield check(
        "faults in test",
        not lost,
        "every kind of planted fault in the test partition",
        f"missing: {', '.join(lost)}" if lost else f"{len(kinds)} kinds",
        "Ask for 15 videos or more.",
        verdict="WARN",
    )


def _gold_error(root: Path, video: str) -> float:
    """Largest difference between the gold file and the recipe over the ratings."""
    gold = read_csv(root / files(video)["gold"], ("time_s", *DIMENSIONS))
    errors = []
    for dimension in DIMENSIONS:
        table = read_csv(root / files(video)[dimension], ("time",), sep=";")
        again = gold_standard(table.drop(columns="time").to_numpy()).gold
        same = len(again) == len(gold)
        errors.append(np.abs(again - gold[dimension]).max() if same else np.inf)
    return float(max(errors))
