"""What the gates of finished runs do: their weight clip by clip, and whether it tells corruption.

A gate that knows a corrupted modality weighs its clips differently there than in clean ones. The
area under the ROC curve (AUROC) of its weight is the chance that a clip in a planted span has a
larger weight than a clean one (Mann and Whitney, Ann. Math. Stat. 1947): 0.5 is no response, and
values below 0.5 are a response as values above are. The unit of resampling is the video.
"""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from avfusion.evaluation import inference

log = logging.getLogger(__name__)


KINDS = ("gate_", "high_")
"""How a gate's map begins: first-level gates, and those of a second level (HGRJCA)."""


def words(gate: str) -> str:
    """A gate as it is printed.

    >>> words("gate_audio"), words("high_video_2")
    ('audio', 'video 2, second level')
    """
    level, _, name = gate.partition("_")
    return name.replace("_", " ") + (", second level" if level == "high" else "")


@dataclass(frozen=True)
class Response:
    """How a gate answers one kind of span: AUROC with its interval over videos."""

    auroc: float
    low: float
    high: float
    videos: int
    clips: int
    clean: int


def mark(rows: pd.DataFrame, spans: pd.DataFrame, clip_s: float) -> np.ndarray:
    """The number of the span (R,) that more than half of each clip lies in.

    -1: the clip touches no span. -2: it touches one or several, none by more than half.
    rows: `video, time_s` (clip ends). spans: `video, start_s, end_s`, numbered by place.
    """
    marked = np.full(len(rows), -1)
    video, end = rows["video"].to_numpy(), rows["time_s"].to_numpy(float)
    for number, span in enumerate(spans.itertuples()):
        inside = np.minimum(end, span.end_s) - np.maximum(end - clip_s, span.start_s)
        here = video == span.video
        marked[here & (inside > 1e-9) & (marked == -1)] = -2
        marked[here & (inside > clip_s / 2 + 1e-9)] = number
    return marked


def respond(
    weights: np.ndarray,
    hit: np.ndarray,
    clean: np.ndarray,
    video: np.ndarray,
    how: dict[str, Any],
    unit: np.ndarray | None = None,
) -> Response:
    """AUROC of weights (S, R), averaged over seeds, for rows `hit` (R,) against rows `clean` (R,).

    how: `study["statistics"]`. unit (R,): whose each row is, by default its video's. Only units
    with a hit or clean clip are drawn; a draw without either tells nothing and is left out.
    """
    use, whose = hit | clean, video if unit is None else unit
    names = np.unique(whose[use])
    count = len(names)
    ours = [(hit & (whose == v), clean & (whose == v)) for v in names]
    n = np.array([(h.sum(), c.sum()) for h, c in ours]).reshape(-1, 2)  # (V, 2)
    with_hit = int((n[:, 0] > 0).sum())
    sizes = {
        "videos": len(np.unique(video[hit])),
        "clips": int(n[:, 0].sum()),
        "clean": int(n[:, 1].sum()),
    }
    if not sizes["clips"] or not sizes["clean"]:
        return Response(np.nan, np.nan, np.nan, **sizes)
    wins = np.mean([_wins(own, ours) for own in weights], axis=0)  # (V, V)
    draws = np.vstack([np.ones(count), inference.draw(count, how["draws"], how["seed"])])
    pairs = (draws @ n[:, 0]) * (draws @ n[:, 1])  # (1 + N,)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = ((draws @ wins) * draws).sum(axis=1) / pairs
    low, high = inference.interval(values[1:][pairs[1:] > 0], with_hit, how["alpha"])
    return Response(float(values[0]), max(float(low), 0.0), min(float(high), 1.0), **sizes)


def _wins(weight: np.ndarray, ours: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """How often a hit of video i outweighs a clean clip of video j (V, V); ties count half."""
    clean = [np.sort(weight[c]) for _, c in ours]
    table = np.zeros((len(ours), len(ours)))
    for i, (hit, _) in enumerate(ours):
        for j, row in enumerate(clean):
            below = np.searchsorted(row, weight[hit], side="left")
            table[i, j] = (below + np.searchsorted(row, weight[hit], side="right")).sum() / 2
    return table
