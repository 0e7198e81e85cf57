"""Checks of the demo corpus: settings, gold standard, planted faults."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avfusion.corpora.base import RECOMPUTED, Check, check
from avfusion.corpora.demo.make import files, is_complete
from avfusion.corpora.demo.release import AGAIN, read_csv
from avfusion.corpora.demo.scene import DIMENSIONS, KINDS, video_name
from avfusion.corpora.goldstandard import gold_standard

if TYPE_CHECKING:
    from avfusion.corpora.demo.release import DemoRelease


def demo_checks(corpus: "DemoRelease") -> Iterator[Check]:
    """Yield checks of the settings, the gold standard and the planted faults."""
    stale = [
        video_name(r.index)
        for r in corpus.recipes()
        if not is_complete(corpus.root, video_name(r.index), r.digest)
    ]
    listed = corpus.videos()
    same = not stale and len(listed) == corpus.count
    counts = f"{len(listed)} listed, {len(stale)} missing, changed or of other settings"
    yield check(
        "recipe",
        same,
        f"{corpus.count} videos made with these settings",
        counts + (f" ({', '.join(stale[:3])} …)" if stale else ""),
        AGAIN,
        verdict="WARN",
        certainty=RECOMPUTED,
    )
    errors = {v: _gold_error(corpus.root, v) for v in listed["video"]}
    wrong = [f"{v} by {e:.2g}" for v, e in errors.items() if not e <= 1e-5]
    yield check(
        "gold standard",
        not wrong,
        "the gold standard of the ratings, within 1e-5",
        f"off: {', '.join(wrong[:5])}" if wrong else f"largest {max(errors.values()):.1g}",
        f"Gold or ratings were edited. {AGAIN}",
        certainty=RECOMPUTED,
    )
    tested = set(listed["video"][listed["partition"] == "test"])
    truth = corpus.truth()
    kinds = set(truth["kind"][truth["video"].isin(tested)])
    missing = sorted({k for kinds in KINDS.values() for k in kinds} - kinds)
    yield check(
        "faults in test",
        not missing,
        "every kind of planted fault in the test partition",
        f"missing: {', '.join(missing)}" if missing else f"{len(kinds)} kinds",
        "Set options.videos to 24 or more.",
        verdict="WARN",
    )


def _gold_error(root: Path, video: str) -> float:
    """Return the largest difference between the gold file and the recomputed gold standard."""
    gold = read_csv(root / files(video)["gold"], ("time_s", *DIMENSIONS))
    errors = []
    for dimension in DIMENSIONS:
        table = read_csv(root / files(video)[dimension], ("time",), sep=";")
        recomputed = gold_standard(table.drop(columns="time").to_numpy()).gold
        same = len(recomputed) == len(gold)
        errors.append(np.abs(recomputed - gold[dimension]).max() if same else np.inf)
    return float(max(errors))
