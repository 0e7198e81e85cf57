"""Ridge regression, the linear baseline of every study.

Source   Hoerl, Kennard, "Ridge regression: biased estimation for nonorthogonal problems",
         Technometrics 1970.
Idea     Predictions are a weighted sum of the concatenated features, solved without epochs. A
         fusion that scores lower does not use what a linear model uses.

    X = [X_v ; X_a]                                     (T, d_v + d_a)
    Y = X W + b                                         (T, K)

         W and b minimise |Y - gold|^2 + s g |W|^2 over the train partition (training/ridge.py). The
         strength s is chosen on validation, by the score that chooses the epoch of other fusions.
Options  `modalities: [audio, video, text]` appends X_t; any subset of the three is allowed.
Masks    An absent clip is a row of zeros, as in every fusion.
Departs  There are no epochs, no seed and no gradient: of the keys under `train`, only those of
         features, windows and selection count. `train.corrupt` is not used, so the fit is to clean
         input. Classes are fitted as 0 and 1 to the mean features of each video.
"""

from typing import Any

import torch
from torch import Tensor

from avfusion.config.modalities import ordered
from avfusion.fusion.base import Fused, Fusion, by_modality
from avfusion.registry import fusions


@fusions.add("ridge")
class RidgeRegression(Fusion):
    """Concatenate the modalities for a linear model that is solved in closed form."""

    closed_form = True

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        text_dim: int = 0,
        *,
        steps: int,
        modalities: Any = ("audio", "video"),
    ) -> None:
        super().__init__()
        self.modalities = ordered("ridge", modalities)
        dims = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        self.out_dim = sum(dims[m] for m in self.modalities)

    def forward(
        self,
        audio: Tensor,
        video: Tensor,
        audio_present: Tensor,
        video_present: Tensor,
        text: Tensor | None = None,
        text_present: Tensor | None = None,
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), text (B, T, Dt) -> features (B, T, Dv + Da + Dt)."""
        inputs, masks = by_modality(audio, video, audio_present, video_present, text, text_present)
        kept = [m for m in ("video", "audio", "text") if m in self.modalities]
        return Fused(torch.cat([inputs[m] * masks[m][..., None] for m in kept], dim=-1), {})
