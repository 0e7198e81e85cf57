"""Corruption while training: part of each window goes or gets noisy, drawn anew each epoch.

`train.corrupt: {audio_missing: 0.5}` draws, for every window of every epoch, how much: a level
even in [0, 0.5]. What a level means is what it means at test time (avfusion.features.corrupt). Clips of a
window adjoin, so a step is a stretch. Draws come from the epoch's own generator, which depends on
seed and epoch alone: a fit that is resumed meets the same.
"""

import numpy as np
import torch
from torch import Tensor

from avfusion.features.corrupt import spread
from avfusion.features.windows import Batch
from avfusion.runs.inputs import Inputs

Spreads = dict[str, Tensor]
"""Deviation (D,) of each feature of a modality within a video of the train partition."""


def spreads_of(data: Inputs, asked: dict[str, float]) -> Spreads:
    """The spreads that `asked` (corruption -> greatest level) needs; none without noise."""
    videos = list(data.videos["video"][data.videos["partition"] == "train"])
    noisy = {name.partition("_")[0] for name in asked if name.endswith("_feature_noise")}
    return {
        modality: torch.from_numpy(
            np.concatenate(
                [spread(data.stores[name], videos) for name in data.own["features"][modality]]
            )
        ).float()
        for modality in sorted(noisy)
    }


def corrupted_batch(
    batch: Batch, asked: dict[str, float], spreads: Spreads, generator: torch.Generator
) -> Batch:
    """A batch of which every window has lost as much of a modality as is drawn for it."""
    for name, greatest in asked.items():
        modality, _, kind = name.partition("_")
        there = getattr(batch, f"{modality}_present")  # (B, T)
        level = greatest * torch.rand(len(there), 1, generator=generator)  # (B, 1)
        if kind == "feature_noise":
            rows = getattr(batch, modality)
            white = torch.randn(rows.shape, generator=generator)
            loud = (level / (1 - level)).sqrt()[..., None]
            batch = batch._replace(**{modality: rows + white * loud * spreads[modality]})
        else:
            gone = _GONE[kind](level, there.shape[1], generator)
            batch = batch._replace(**{f"{modality}_present": there & ~gone})
    return batch


def _scattered(level: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """Steps (B, T) that go, anywhere; round(level * T) of each window."""
    order = torch.rand(len(level), steps, generator=generator).argsort(1).argsort(1)
    return order < (level * steps).round()


def _adjoining(level: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """Steps (B, T) that go, in one run."""
    count = (level * steps).round()
    start = (torch.rand(len(level), 1, generator=generator) * (steps - count + 1)).floor()
    step = torch.arange(steps)
    return (step >= start) & (step < start + count)


_GONE = {"missing": _scattered, "missing_block": _adjoining}
