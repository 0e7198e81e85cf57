"""Corrupt training windows: drop steps of a modality or add noise, drawn again each epoch.

`train.corrupt: {audio_missing: 0.5}` draws a level from U(0, 0.5) for every window of every epoch.
Levels mean the same as at test time (avfusion.features.corrupt): the share of time that is removed.
The clips of a window adjoin, so one step is one stretch. A step is absent if its own stretch is
removed, or one that the context of an encoder reaches; nothing is encoded again. So more steps are
absent than removed. The mean over the video that some encoders subtract is that of the complete
video. An encoder without a stated context counts as one that sees only the clip.

The draws come from the generator of the epoch, which depends only on seed and epoch: a resumed fit
draws the same.
"""

import logging
import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from avfusion.config.jobs import RunSettings
from avfusion.features.corrupt import spread
from avfusion.features.windows import Batch
from avfusion.runs.inputs import Inputs

log = logging.getLogger(__name__)

Spreads = dict[str, Tensor]
"""Modality -> within-video deviation of each feature over the train partition (D,)."""

Reaches = Mapping[str, tuple[int, int]]
"""Modality -> steps before and after its own that an encoder sees."""


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


def reaches_of(settings: RunSettings) -> Reaches:
    """Return the steps that encoders see; warn about encoders that do not state their context."""
    steps: dict[str, tuple[int, int]] = {}
    clip_s = settings.windows.clip_s
    for modality, names in settings.features.by_modality.items():
        stated = [settings.contexts[name] for name in names if name in settings.contexts]
        known = [context for context in stated if context is not None]
        longest_s = np.max([(clip_s, 0.0), *known], axis=0)
        before, after = (math.ceil(span_s / clip_s - 1e-6) for span_s in longest_s)
        steps[modality] = before - 1, after
    unknown = sorted(name for name, context in settings.contexts.items() if context is None)
    if unknown:
        log.warning(
            "train.corrupt removes the steps of missing stretches, but %s may see more of the "
            "recording than a clip, so other steps may still hold what is removed. For files of "
            "features, set encoders.NAME.context_s.",
            ", ".join(unknown),
        )
    return steps


def corrupted_batch(
    batch: Batch,
    levels: dict[str, float],
    spreads: Spreads,
    generator: torch.Generator,
    reaches: Reaches = MappingProxyType({}),
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
            removed = _REMOVED[kind](level, present.shape[1], generator)
            dropped = _reached(removed, *reaches.get(modality, (0, 0)))
            batch = batch._replace(**{f"{modality}_present": present & ~dropped})
    return batch


def _reached(removed: Tensor, before: int, after: int) -> Tensor:
    """Return the steps (B, T) from which a removed one is at most `before` back or `after` on."""
    padded = F.pad(removed, (before, after))
    return padded.unfold(1, before + 1 + after, 1).any(-1)


def _scattered(level: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """Return round(level * T) removed steps anywhere in each window, a mask (B, T)."""
    order = torch.rand(len(level), steps, generator=generator).argsort(1).argsort(1)
    return order < (level * steps).round()


def _adjoining(level: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """Return the removed steps of one block in each window, a mask (B, T)."""
    count = (level * steps).round()
    start = (torch.rand(len(level), 1, generator=generator) * (steps - count + 1)).floor()
    step = torch.arange(steps)
    return (step >= start) & (step < start + count)


_REMOVED = {"missing": _scattered, "missing_block": _adjoining}
