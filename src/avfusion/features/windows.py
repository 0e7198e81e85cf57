"""Cut feature rows on a grid into windows of clips, so that each row is predicted.

Features are at hop_s, 2 hop_s, …; row i describes the clip of clip_s that ends there. A window is L
rows, clip_s apart, so its clips adjoin. The windows that start on each of the clip_s / hop_s rows
of a block cover the rows of that block exactly once. With a hop of one frame, this is how Praveen
et al., T-BIOM 2023 (arXiv:2209.09068), place windows, with a clip that ends at every frame.

If the last block would pass the end of a video, `last` decides:

    moved    the block is moved back; unless blocks overlap, its rows that already have a
             prediction are not used again; a video shorter than a block is padded with absent steps
    padded   the block stays; steps past the end are absent
    dropped  its incomplete windows are left out; predictions use `moved`, so that no row is missed

The published training code of T-BIOM drops, so most videos under 512 frames (16 clips of 32) are
not trained on. With `advance` < L, blocks overlap, and the prediction of a row is the mean over its
windows (RJCMA: 300 clips, 200 on, and a last block that is moved back).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from avfusion.config.sections import ClipSettings, WindowSettings
from avfusion.training import device


class Batch(NamedTuple):
    """A batch of windows: audio (B, T, Da), video (B, T, Dv), present (B, T), gold (B, T, K).

    text (B, T, Dt) and its presence (B, T) are None for fusions that do not read text.
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
        """The arguments of the model."""
        if self.text is None or self.text_present is None:
            return self[:4]
        return (*self[:4], self.text, self.text_present)


@dataclass(frozen=True)
class Windows:
    """Feature rows of several videos, R in all, and the windows over them.

    Attributes
    ----------
    audio, video, text
        Features (R, Da), (R, Dv) and (R, Dt), NaN rows where absent; text may be None. A single
        NaN in another row is a missing feature.
    gold
        Gold (R, K); NaN where unrated.
    rows
        Index of the row of each step (N, L).
    inside
        False where a step is past the end of the video (N, L).
    used
        True where the prediction of a step is used for its row (N, L).
    owner
        Index of the video of each row (R,); None if all rows are of one video.
    """

    audio: Tensor
    video: Tensor
    gold: Tensor
    rows: Tensor
    inside: Tensor
    used: Tensor
    text: Tensor | None = None
    owner: Tensor | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def rated(self) -> Tensor:
        """Return the indices of the windows with at least one rated step that is used."""
        steps = ~self.gold.isnan().all(-1)[self.rows] & self.used  # (N, L)
        return steps.any(1).nonzero()[:, 0]

    def batch(self, which: Tensor) -> Batch:
        """Return the windows of index `which` (B,); gold is NaN where a step is not used.

        They are on the device of the windows; `which` may be on another.
        """
        which = device.moved(which, self.rows.device)
        rows, inside = self.rows[which], self.inside[which]  # (B, L)
        audio, video = self.audio[rows].float(), self.video[rows].float()
        heard, seen = is_present(audio) & inside, is_present(video) & inside
        gold = self.gold[rows].masked_fill(~self.used[which][..., None], torch.nan)
        if self.text is None:
            return Batch(audio, video, heard, seen, gold)
        text = self.text[rows].float()
        return Batch(audio, video, heard, seen, gold, text, is_present(text) & inside)

    def on(self, where: torch.device) -> "Windows":
        """Return the windows on a device, or unchanged if they do not fit (`device.fits`)."""
        parts = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        held = {name: part for name, part in parts.items() if part is not None}
        size = sum(part.nbytes for part in held.values())
        if where == self.rows.device or not device.fits(size, where):
            return self
        return replace(self, **{name: part.to(where) for name, part in held.items()})

    def without(self, modalities: Sequence[str]) -> Tensor:
        """Return the rows (R,) of videos in which none of the modalities is ever present."""
        owner = torch.zeros(len(self.gold), dtype=torch.long) if self.owner is None else self.owner
        parts = [is_present(getattr(self, name)) for name in modalities]
        rows = torch.bincount(owner[torch.stack(parts).any(0)], minlength=int(owner.max()) + 1)
        return (rows == 0)[owner]

    def predict(self, model: Callable[..., Any], batch: int = 256) -> Tensor:
        """Return the K targets of every row (R, K), the mean over the steps used for it."""
        means = RowMeans(*self.gold.shape)
        with torch.no_grad():
            for which in torch.arange(len(self)).split(batch):
                inputs = device.moved(self.batch(which).inputs, device.of(model))
                prediction, _ = model(*inputs)  # (B, L, K)
                used = self.used[which]
                means.add(self.rows[which][used], prediction.cpu()[used])
        return means.result()


class RowMeans:
    """The mean of each row's values, added in a fixed order.

    Parameters
    ----------
    shape
        (R,) or (R, K).
    """

    def __init__(self, *shape: int) -> None:
        # -0.0 + x is x for every x, so that the mean of a single value has the same bits.
        self._total = torch.full(shape, -0.0, dtype=torch.float64)
        self._count = torch.zeros(shape[0], dtype=torch.float64)

    def add(self, rows: Tensor, values: Tensor) -> None:
        """Add values (N,) or (N, K) of rows (N,)."""
        self._total.index_add_(0, rows, values.double())
        self._count.index_add_(0, rows, torch.ones(len(rows), dtype=torch.float64))

    def result(self) -> Tensor:
        """Return the means, float32; NaN for a row without a value."""
        count = self._count.view(-1, *[1] * (self._total.ndim - 1))
        return (self._total / count).float()


def is_present(rows: Tensor) -> Tensor:
    """Return which rows (..., D) hold a number, a mask (...); the modality is absent in others."""
    return ~rows.isnan().all(-1)


Last = Literal["moved", "padded", "dropped"]


def cut(
    rows: int, clips: int, stride: int, advance: int | None = None, last: Last = "moved"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut one video into windows.

    Parameters
    ----------
    rows
        Number of rows of the video.
    clips
        Clips in a window, L.
    stride
        Rows from one clip of a window to the next: clip_s / hop_s.
    advance
        Clips from one block of windows to the next, at most `clips`; by default `clips`.
    last
        What becomes of the last block if it is incomplete.

    Returns
    -------
    tuple
        `rows`, `inside` and `used` as in `Windows`, each (N, L).

    Examples
    --------
    >>> cut(rows=5, clips=2, stride=2)[0].tolist()  # the block 0-3, then the last block moved back
    [[0, 2], [1, 3], [2, 4]]
    >>> cut(rows=5, clips=2, stride=2)[2].tolist()
    [[True, True], [True, True], [False, True]]
    """
    block, step = clips * stride, (advance or clips) * stride
    starts = np.arange(0, max(rows - block + step, min(rows, 1)), step)
    begins = np.minimum(starts, max(rows - block, 0)) if last == "moved" else starts
    phase = np.arange(stride)[:, None] + stride * np.arange(clips)  # (stride, clips)
    index = (begins[:, None, None] + phase).reshape(-1, clips)
    inside = index < rows
    if step == block:
        used = inside & (index >= np.repeat(starts, stride)[:, None])
    else:  # a block that is moved back may repeat windows of the block before
        first = np.unique(index[:, 0], return_index=True)[1]
        used = inside & np.isin(np.arange(len(index)), first)[:, None]
    needed = inside.all(1) if last == "dropped" else used.any(1)
    return np.minimum(index, rows - 1)[needed], inside[needed], used[needed]


def stride_of(clips: ClipSettings) -> int:
    """Return the rows of the grid from one clip of a window to the next: clip_s / hop_s."""
    return round(clips.clip_s / clips.hop_s)


def last_of(cuts: WindowSettings, training: bool = False) -> Last:
    """Return what becomes of a last, incomplete block; only training may drop it."""
    return "moved" if cuts.last == "dropped" and not training else cuts.last


def join(
    videos: Iterator[tuple[np.ndarray, ...]],
    clips: int,
    stride: int,
    advance: int | None = None,
    last: Last = "moved",
) -> Windows:
    """Cut several videos into windows; `clips` to `last` as in `cut`.

    videos: audio (R, Da), video (R, Dv), gold (R, K) and, if it is read, text (R, Dt) of each.
    """
    parts: list[list[np.ndarray]] = []
    first = 0
    for audio, video, gold, *text in videos:
        rows, inside, used = cut(len(audio), clips, stride, advance, last)
        parts.append([audio, video, gold, rows + first, inside, used, *text])
        first += len(audio)
    return Windows(*(torch.from_numpy(np.concatenate(part)) for part in zip(*parts, strict=True)))
