"""How time is cut: from feature rows on a grid to windows of clips, each row predicted once.

Features lie at hop_s, 2 hop_s, …; row i describes the clip of clip_s that ends there. A window
is L rows, clip_s apart, so its clips adjoin; windows that start on each of the clip_s / hop_s
rows of a block cover that block's rows exactly once. With a hop of one frame this is the scheme
of Praveen et al., T-BIOM 2023 (arXiv:2209.09068), where every frame ends one clip. Where the last
block would pass the end, it is moved back, and its rows that have a prediction already are not
used again; a video shorter than a block is filled up with absent steps.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from avfusion.training import device

GAP = 1.5
"""Ratings further apart than so many of a video's usual (median) intervals are not neighbours."""


class Batch(NamedTuple):
    """Windows side by side: audio (B, T, Da), video (B, T, Dv), present (B, T), gold (B, T, K).

    text (B, T, Dt) and its presence (B, T) are there for fusions that read text.
    """

    audio: Tensor
    video: Tensor
    audio_present: Tensor
    video_present: Tensor
    gold: Tensor
    text: Tensor | None = None
    text_present: Tensor | None = None

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What the model is called with, in its order."""
        if self.text is None or self.text_present is None:
            return self[:4]
        return (*self[:4], self.text, self.text_present)


@dataclass(frozen=True)
class Windows:
    """Feature rows of several videos, R in all, and the windows over them.

    audio (R, Da), video (R, Dv), text (R, Dt) or None: NaN rows where absent; gold (R, K): NaN
    where unrated.
    rows (N, L): the row behind each step; inside (N, L): false where a step lies past the video's
    end; used (N, L): true where the step's prediction is the one that counts for its row.
    """

    audio: Tensor
    video: Tensor
    gold: Tensor
    rows: Tensor
    inside: Tensor
    used: Tensor
    text: Tensor | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def rated(self) -> Tensor:
        """Numbers of the windows with at least one rated step that counts."""
        steps = ~self.gold.isnan().all(-1)[self.rows] & self.used  # (N, L)
        return steps.any(1).nonzero()[:, 0]

    def batch(self, which: Tensor) -> Batch:
        """The windows numbered `which` (B,); gold is NaN where a step's prediction is not used."""
        rows, inside = self.rows[which], self.inside[which]  # (B, L)
        audio, video = self.audio[rows].float(), self.video[rows].float()
        heard, seen = ~audio.isnan().any(-1) & inside, ~video.isnan().any(-1) & inside
        gold = self.gold[rows].masked_fill(~self.used[which][..., None], torch.nan)
        if self.text is None:
            return Batch(audio, video, heard, seen, gold)
        text = self.text[rows].float()
        return Batch(audio, video, heard, seen, gold, text, ~text.isnan().any(-1) & inside)

    def predict(self, model: Callable[..., Any], batch: int = 256) -> Tensor:
        """The K targets of every row (R, K), each from the one window that counts."""
        out = torch.full(tuple(self.gold.shape), torch.nan)
        with torch.no_grad():
            for which in torch.arange(len(self)).split(batch):
                given = device.moved(self.batch(which).inputs, device.of(model))
                prediction, _ = model(*given)  # (B, L, K)
                used = self.used[which]
                out[self.rows[which][used]] = prediction.cpu()[used]
        return out


def cut(rows: int, clips: int, stride: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows over one video's `rows`: rows (N, clips), inside, used, as in `Windows`.

    `stride` rows lie between clips (clip_s / hop_s).

    >>> cut(rows=5, clips=2, stride=2)[0].tolist()  # the block 0-3, then its like moved back
    [[0, 2], [1, 3], [2, 4]]
    >>> cut(rows=5, clips=2, stride=2)[2].tolist()
    [[True, True], [True, True], [False, True]]
    """
    block = clips * stride
    starts = np.arange(0, rows, block)
    moved = np.minimum(starts, max(rows - block, 0))
    phase = np.arange(stride)[:, None] + stride * np.arange(clips)  # (stride, clips)
    index = (moved[:, None, None] + phase).reshape(-1, clips)
    inside = index < rows
    used = inside & (index >= np.repeat(starts, stride)[:, None])
    needed = used.any(1)
    return np.minimum(index, rows - 1)[needed], inside[needed], used[needed]


def join(videos: Iterator[tuple[np.ndarray, ...]], clips: int, stride: int) -> Windows:
    """Windows over several videos, each given as audio (R, Da), video (R, Dv), gold (R, K) and,
    for fusions that read it, text (R, Dt)."""
    parts: list[list[np.ndarray]] = []
    first = 0
    for audio, video, gold, *text in videos:
        rows, inside, used = cut(len(audio), clips, stride)
        parts.append([audio, video, gold, rows + first, inside, used, *text])
        first += len(audio)
    return Windows(*(torch.from_numpy(np.concatenate(part)) for part in zip(*parts, strict=True)))


def targets(
    time_s: np.ndarray, rated_s: np.ndarray, ratings: np.ndarray, delay_s: dict[str, float]
) -> np.ndarray:
    """Ratings of what happens at time_s (R,): gold at time_s + delay, as (R, K) float32.

    rated_s (G,) ascending, ratings (G, K). Linear between two rated neighbours; NaN where one of
    them is unrated, where they lie further apart than GAP usual intervals (rows are missing there)
    and outside the ratings. Raters answer late: delay_s is how late, target by target in the
    order of the columns.
    """
    columns = []
    for column, late_s in enumerate(delay_s.values()):
        asked = np.round(time_s + late_s, 6)
        if len(rated_s) == 0:
            columns.append(np.full(len(asked), np.nan))
            continue
        known = np.round(rated_s, 6), ratings[:, column]
        found = np.interp(asked, *known, left=np.nan, right=np.nan)
        columns.append(np.where(_in_gap(asked, known[0]), np.nan, found))
    return np.stack(columns, axis=-1).astype(np.float32)


def _in_gap(asked: np.ndarray, rated_s: np.ndarray) -> np.ndarray:
    """Which of the instants (R,) lie between two ratings, at neither, that are no neighbours."""
    steps = np.diff(rated_s)
    if len(steps) == 0:
        return np.zeros(len(asked), bool)
    left = np.searchsorted(rated_s, asked, side="right") - 1
    at = np.clip(left, 0, len(steps) - 1)
    inside = (left >= 0) & (left < len(steps)) & (asked > rated_s[at])
    return inside & (steps[at] > GAP * np.median(steps))
