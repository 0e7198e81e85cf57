"""Checks of the demo corpus: settings, gold standard, signals and planted spans."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from avfusion.corpora.check import RECOMPUTED, Check, check
from avfusion.corpora.demo.make import files, is_complete
from avfusion.corpora.demo.release import AGAIN, CARD, read_csv
from avfusion.corpora.demo.scene import DIMENSIONS, KINDS, Scene, at, scene, video_name
from avfusion.corpora.goldstandard import gold_standard
from avfusion.errors import CorpusError
from avfusion.schemas import TRUTH

if TYPE_CHECKING:
    from avfusion.corpora.demo.release import DemoRelease

LEAST_FIT = 0.85  # correlation of the gold with the signal it is made from
SHARES = (0.2, 0.3)  # of each video, spoilt in each modality


def demo_checks(corpus: "DemoRelease") -> Iterator[Check]:
    """Yield checks of the settings, the gold standard and what was planted."""
    listed = corpus.videos()
    yield _recipe(corpus, len(listed))
    yield _gold(corpus.root, listed["video"])
    plans = _plans(corpus.root, set(listed["video"]))
    yield _signals(corpus, plans)
    truth = corpus.truth()
    yield _spans(plans, truth)
    yield _shares(plans, truth)
    yield _kinds(truth[truth["video"].isin(listed["video"][listed["partition"] == "test"])])


def _recipe(corpus: "DemoRelease", listed: int) -> Check:
    stale = [
        video_name(r.index)
        for r in corpus.recipes()
        if not is_complete(corpus.root, video_name(r.index), r.digest)
    ]
    counts = f"{listed} listed, {len(stale)} missing, changed or of other settings"
    return check(
        "recipe",
        not stale and listed == corpus.count,
        f"{corpus.count} videos made with these settings",
        counts + (f" ({', '.join(stale[:3])} …)" if stale else ""),
        AGAIN,
        verdict="WARN",
        certainty=RECOMPUTED,
    )


def _gold(root: Path, videos: pd.Series) -> Check:
    errors = {v: _gold_error(root, v) for v in videos}
    wrong = [f"{v} by {e:.2g}" for v, e in errors.items() if not e <= 1e-5]
    return check(
        "gold standard",
        not wrong,
        "the gold standard of the ratings, within 1e-5",
        f"off: {', '.join(wrong[:5])}" if wrong else f"largest {max(errors.values()):.1g}",
        f"Gold or ratings were edited. {AGAIN}",
        certainty=RECOMPUTED,
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


def _plans(root: Path, listed: set[str]) -> list[Scene]:
    """Return the plans of the listed videos, by the seed that the corpus states."""
    path = root / CARD
    if not path.is_file():
        raise CorpusError(f"{path}: no such file. {AGAIN}")
    recipe = json.loads(path.read_text())["recipe"]
    plans = (scene(i, recipe["seconds"], recipe["seed"]) for i in range(recipe["videos"]))
    return [plan for plan in plans if plan.video in listed]


def _signals(corpus: "DemoRelease", plans: list[Scene]) -> Check:
    """Compare the gold with the signals of the seed, at the raters' mean delay."""
    fits = {}
    for plan in plans:
        gold = read_csv(corpus.root / files(plan.video)["gold"], ("time_s", *DIMENSIONS))
        for name, delay_s in corpus.delay_s.items():
            signal = at(getattr(plan, name), gold["time_s"].to_numpy() - delay_s)
            fits[f"{plan.video} {name}"] = float(np.corrcoef(signal, gold[name])[0, 1])
    low = [f"{name} {fit:.2f}" for name, fit in fits.items() if not fit >= LEAST_FIT]
    least = min(fits.values(), default=np.nan)
    return check(
        "signals",
        not low,
        f"gold correlated by {LEAST_FIT} or more with the signals of the seed",
        f"less: {', '.join(low[:5])}" if low else f"least {least:.2f}",
        f"Ratings, gold or seed were edited. {AGAIN}",
        certainty=RECOMPUTED,
    )


def _spans(plans: list[Scene], truth: pd.DataFrame) -> Check:
    planned = {(plan.video, *asdict(span).values()) for plan in plans for span in plan.spans}
    stated = set(truth[list(TRUTH)].itertuples(index=False, name=None))
    wrong = sorted({row[0] for row in planned ^ stated})
    return check(
        "spans",
        not wrong,
        "truth.csv with the spans of the seed",
        f"other spans: {', '.join(wrong[:5])}" if wrong else f"{len(stated)} spans",
        f"truth.csv was edited. {AGAIN}",
        certainty=RECOMPUTED,
    )


def _shares(plans: list[Scene], truth: pd.DataFrame) -> Check:
    """Check how much of each video is spoilt, per modality."""
    length_s = (truth["end_s"] - truth["start_s"]).groupby([truth["video"], truth["modality"]])
    spoilt_s = length_s.sum()
    shares = {
        f"{plan.video} {name}": float(spoilt_s.get((plan.video, name), 0)) / plan.seconds
        for plan in plans
        for name in KINDS
    }
    low, high = SHARES
    wrong = [f"{name} {share:.2f}" for name, share in shares.items() if not low <= share <= high]
    mean = np.mean([*shares.values()] or [np.nan])
    return check(
        "spoilt share",
        not wrong,
        f"{low:.0%} to {high:.0%} of each video spoilt in each modality",
        f"others: {', '.join(wrong[:5])}" if wrong else f"mean {mean:.0%}",
        AGAIN,
        certainty=RECOMPUTED,
    )


def _kinds(tested: pd.DataFrame) -> Check:
    missing = sorted({k for kinds in KINDS.values() for k in kinds} - set(tested["kind"]))
    return check(
        "faults in test",
        not missing,
        "every kind of planted fault in the test partition",
        f"missing: {', '.join(missing)}" if missing else f"{tested['kind'].nunique()} kinds",
        "Set options.videos to 16 or more.",
        verdict="WARN",
    )
