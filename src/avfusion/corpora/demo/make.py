"""Make one demo video with its ratings, gold standard and transcript."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avfusion.corpora.demo.actor import play
from avfusion.corpora.demo.film import write_mp4
from avfusion.corpora.demo.raters import RATERS, rate
from avfusion.corpora.demo.scene import DIMENSIONS, SIGNAL_HZ, Scene, scene
from avfusion.corpora.demo.takes import take
from avfusion.corpora.demo.voice import perform
from avfusion.corpora.goldstandard import gold_standard
from avfusion.io.atomic import write_text


@dataclass(frozen=True)
class Recipe:
    """Everything that one video depends on; `digest` also covers the generator's code."""

    index: int
    seconds: float
    seed: int
    width: int
    height: int
    fps: int
    digest: str


def files(video: str) -> dict[str, str]:
    """Return the paths of a video's files, relative to the root of the corpus."""
    return {
        "video": f"videos/{video}.mp4",
        "valence": f"ratings/valence/{video}.csv",
        "arousal": f"ratings/arousal/{video}.csv",
        "gold": f"gold/{video}.csv",
        "transcript": f"transcripts/{video}.csv",
    }


def is_complete(root: Path, video: str, digest: str) -> bool:
    """Return whether a video was finished with this digest and its files still have their sizes."""
    stamp = _stamp(root, video)
    if not stamp.is_file():
        return False
    made = json.loads(stamp.read_text())
    return made["digest"] == digest and made["bytes"] == _sizes(root, video)


def make_video(root: Path, recipe: Recipe) -> str:
    """Write all files of a video, its stamp last, and return its name."""
    return _make(root, recipe, scene(recipe.index, recipe.seconds, recipe.seed))


def make_take(root: Path, recipe: Recipe) -> str:
    """As `make_video`, for one of several videos of a person (`takes.take`)."""
    return _make(root, recipe, take(recipe.index, recipe.seconds, recipe.seed))


def _make(root: Path, recipe: Recipe, plan: Scene) -> str:
    paths = {part: root / path for part, path in files(plan.video).items()}
    _stamp(root, plan.video).unlink(missing_ok=True)
    sound, rate_hz, mouth, words = perform(plan)
    frames = play(plan, mouth, (recipe.width, recipe.height), recipe.fps)
    write_mp4(paths["video"], frames, recipe.fps, sound, rate_hz)
    lines = ["word,start_s,end_s", *(f"{w},{s:.3f},{e:.3f}" for w, s, e in words)]
    write_text(paths["transcript"], "\n".join(lines) + "\n")
    _write_ratings(plan, paths)
    stamp = {"digest": recipe.digest, "bytes": _sizes(root, plan.video)}
    write_text(_stamp(root, plan.video), json.dumps(stamp) + "\n")
    return plan.video


def _write_ratings(plan: Scene, paths: dict[str, Path]) -> None:
    """Write six raters per dimension, rounded, and the gold standard of the rounded ratings."""
    rng = plan.rng(4)
    time_s = np.arange(len(plan.valence)) / SIGNAL_HZ
    columns = [time_s]
    for dimension in DIMENSIONS:
        ratings = rate(getattr(plan, dimension), dimension, rng).round(4)  # (N, 6)
        rows = (
            f"{t:.2f};" + ";".join(f"{v:.4f}" for v in row)
            for t, row in zip(time_s, ratings, strict=True)
        )
        write_text(paths[dimension], "\n".join([";".join(["time", *RATERS]), *rows]) + "\n")
        columns.append(gold_standard(ratings).gold)
    rows = (f"{t:.2f},{v:.6f},{a:.6f}" for t, v, a in np.column_stack(columns))
    write_text(paths["gold"], "\n".join(["time_s,valence,arousal", *rows]) + "\n")


def _stamp(root: Path, video: str) -> Path:
    return root / ".made" / f"{video}.json"


def _sizes(root: Path, video: str) -> dict[str, int]:
    paths = {part: root / path for part, path in files(video).items()}
    return {part: path.stat().st_size if path.is_file() else 0 for part, path in paths.items()}
