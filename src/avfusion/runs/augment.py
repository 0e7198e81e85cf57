"""Corrupt training windows: drop steps of a modality or add noise, drawn again each epoch.

`train.corrupt: {audio_missing: 0.5}` draws a level from U(0, 0.5) for every window of every epoch.
Levels mean the same as at test time (avfusion.features.corrupt). The clips of a window adjoin, so
one step is one stretch. The draws come from the generator of the epoch, which depends only on seed
and epoch: a resumed fit draws the same.
"""

import numpy as np
import torch
from torch import Tensor

from avfusion.features.corrupt import spread
from avfusion.features.windows import Batch
from avfusion.runs.inputs import Inputs

Spreads = dict[str, Tensor]
"""Modality -> within-video deviation of each feature over the train partition (D,)."""


def spreads_of(data: Inputs, levels: dict[str, float]) -> Spreads:
    """Return the spreads that feature noise needs; `levels` maps corruption to greatest level."""
    videos = list(data.videos["video"][data.videos["partition"] == "train"])
    noisy = {name.partition("_")[0] for name in levels if name.endswith("_feature_noise")}
    encoders = data.features.by_modality
    return {
        modality: torch.from_numpy(
            np.concatenate([spread(data.stores[name], videos) for name in encoders[modality]])
        ).float()
        for modality in sorted(noisy)
    }


def corrupted_batch(
    batch: Batch, levels: dict[str, float], spreads: Spreads, generator: torch.Generator
) -> Batch:
    """Return the batch with each window corrupted at a level that is drawn for it."""
    for name, greatest in sorted(levels.items()):  # settings are equal in any order
        modality, _, kind = name.partition("_")
        present = getattr(batch, f"{modality}_present")  # (B, T)
        level = greatest * torch.rand(len(present), 1, generator=generator)  # (B, 1)
        if kind == "feature_noise":
            rows = getattr(batch, modality)
            white = torch.randn(rows.shape, generator=generator)
            amplitude = (level / (1 - level)).sqrt()[..., None]
            batch = batch._replace(**{modality: rows + white * amplitude * spreads[modality]})
        else:
            dropped = _DROPPED[kind](level, present.shape[1], generator)
            batch = batch._replace(**{f"{modality}_present": present & ~dropped})
    return batch


def _scattered(level: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """Return round(level * T) dropped steps anywhere in each window, a mask (B, T)."""
    order = torch.rand(len(level), steps, generator=generator).argsort(1).argsort(1)
    return order < (level * steps).round()


def _adjoining(level: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """Return the dropped steps of one block in each window, a mask (B, T)."""
    count = (level * steps).round()
    start = (torch.rand(len(level), 1, generator=generator) * (steps - count + 1)).floor()
    step = torch.arange(steps)
    return (step >= start) & (step < start + count)


_DROPPED = {"missing": _scattered, "missing_block": _adjoining}
