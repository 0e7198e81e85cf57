"""Late fusion: each modality predicts alone, and the predictions are averaged.

Source   Decision-level fusion, the usual counterpart of feature-level fusion; see Baltrusaitis,
         Ahuja, Morency, "Multimodal Machine Learning", TPAMI 2019, arXiv:1705.09406, section 6.

    P_m = R_m(X_m)                                      (T, K)    m in modalities
    Y   = sum_m n_m P_m / sum_m n_m                     (T, K)    n_m = 1 where m is present, else 0

         R_m is the regressor that every fusion has for a head: linear, ReLU, dropout, linear.
Options  `modalities: [audio, video, text]` gives text a vote; any one or more may be named.
Masks    An absent modality has no vote; where all are absent, Y is 0.
Departs  Every fusion is followed by the same head. Here the head sees the averaged targets
         alone, so it can rescale or bend their mean but cannot see one modality apart.
         The R_m are fitted together through that mean, not each to the gold.
"""

from typing import Any

from torch import Tensor, nn

from avfusion.config.modalities import ordered
from avfusion.fusion.base import Fused
from avfusion.fusion.layers.regressor import Regressor
from avfusion.registry import fusions


@fusions.add("late")
class LateFusion(nn.Module):
    """The mean of what each modality alone predicts, clip by clip."""

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
        given = {"audio": audio, "video": video, "text": text}
        there = {"audio": audio_present, "video": video_present, "text": text_present}
        here = {m: there[m][..., None].float() for m in self.modalities}  # (B, T, 1)
        votes = sum(self.get_submodule(m)(given[m]) * n for m, n in here.items())  # (B, T, K)
        return Fused(votes / sum(here.values()).clamp(min=1), {})
