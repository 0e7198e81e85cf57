"""Late fusion: each modality predicts alone, and the predictions are averaged.

Source   Decision-level fusion, the usual counterpart of feature-level fusion; see Baltrusaitis,
         Ahuja, Morency, "Multimodal Machine Learning", TPAMI 2019, arXiv:1705.09406, section 6.

    P_m = R_m(X_m)                                      (T, K)    m in {a, v}
    Y   = (n_a P_a + n_v P_v) / (n_a + n_v)             (T, K)    n_m = 1 where m is present, else 0

         R_m is the regressor that every fusion has for a head: linear, ReLU, dropout, linear.
Masks    An absent modality has no vote; where both are absent, Y is 0.
Departs  Every fusion is followed by the same head. Here the head sees the averaged targets
         alone, so it can rescale or bend their mean but cannot see one modality apart.
         R_a and R_v are fitted together through that mean, not each to the gold.
"""

from torch import Tensor, nn

from avfusion.fusion.base import Fused
from avfusion.heads import Regressor
from avfusion.registry import fusions


@fusions.add("late")
class LateFusion(nn.Module):
    """The mean of what audio alone and video alone predict, clip by clip."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        *,
        steps: int,
        outputs: int = 2,
        hidden: int = 128,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.audio = Regressor(audio_dim, hidden, dropout, outputs)
        self.video = Regressor(video_dim, hidden, dropout, outputs)
        self.out_dim = outputs

    def forward(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> features (B, T, K)."""
        heard, seen = audio_present[..., None].float(), video_present[..., None].float()
        votes = self.audio(audio) * heard + self.video(video) * seen  # (B, T, K)
        return Fused(votes / (heard + seen).clamp(min=1), {})
