"""Late fusion: each modality predicts by itself, and the predictions are averaged.

Source   Decision-level fusion, the counterpart of feature-level fusion; see Baltrusaitis,
         Ahuja, Morency, "Multimodal Machine Learning", TPAMI 2019, arXiv:1705.09406, section 6.
Idea     Modalities are compared only after each one has made its own prediction.

    P_m = R_m(X_m)                                      (T, K)    m in modalities
    Y   = sum_m n_m P_m / sum_m n_m                     (T, K)    n_m = 1 where m is present, else 0

         R_m is the regressor that is also the default head: linear, ReLU, dropout, linear.
Options  `modalities: [audio, video, text]` adds P_t; any subset of the three is allowed.
Masks    An absent modality is left out of the mean; where all are absent, Y is 0.
Departs  Every fusion is followed by the same head. Here the head gets only the averaged targets,
         so it can rescale their mean but cannot see a single modality. The R_m are fitted
         together through that mean, not each to the gold.
"""

from typing import Any

from torch import Tensor

from avfusion.config.modalities import ordered
from avfusion.fusion.base import Fused, Fusion, by_modality
from avfusion.fusion.layers.regressor import Regressor
from avfusion.registry import fusions


@fusions.add("late")
class LateFusion(Fusion):
    """Average the predictions of the modalities, clip by clip."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        text_dim: int = 0,
        *,
        steps: int,
        modalities: Any = ("audio", "video"),
        outputs: int = 2,
        hidden: int = 128,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.modalities = ordered("late", modalities)
        dims = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        for m in self.modalities:
            self.add_module(m, Regressor(dims[m], hidden, dropout, outputs))
        self.out_dim = outputs

    def forward(
        self,
        audio: Tensor,
        video: Tensor,
        audio_present: Tensor,
        video_present: Tensor,
        text: Tensor | None = None,
        text_present: Tensor | None = None,
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), text (B, T, Dt), present (B, T) -> (B, T, K)."""
        inputs, masks = by_modality(audio, video, audio_present, video_present, text, text_present)
        present = {m: masks[m][..., None].float() for m in self.modalities}  # (B, T, 1)
        votes = (self.get_submodule(m)(inputs[m]) * n for m, n in present.items())  # (B, T, K)
        zero = audio.new_zeros(())
        return Fused(sum(votes, zero) / sum(present.values(), zero).clamp(min=1), {})
