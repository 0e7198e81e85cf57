"""Multi-head self-attention, as a paper set it against cross-attention (SelfCrossAttn).

Source   Rajan, Brutti, Cavallaro: "Is Cross-Attention Preferable to Self-Attention for Multi-Modal
         Emotion Recognition?", ICASSP 2022, arXiv:2202.09263, and its published code.
Idea     Each modality is refined by looking at its own other clips; the modalities meet only in
         the pooling. The control by which the value of looking across is judged.

    X_m = BiGRU_m(x_m)                                  (T, D)    m in {a, v}: _selfcross.py
    Y_m = MHA_m(X_m asks X_m)                           (T, D)    m in {a, v}: _multihead.py
    Y   = [std(Y_a, Y_v) ; mean(Y_a, Y_v)]              (T, 2D)   [Y_v ; Y_a] without `pool`

         No residual, no norm and no feed-forward layer, as published.
Options  `width` D and `heads` are the paper's 120 and 6; `memory: false` puts a linear map in the
         place of the BiGRU, `pool: false` joins side by side (our reading of the paper's "noSP").
Maps     audio, video (B, T, T): the weights over m's own clips, mean over heads.
Masks    An absent clip is never asked, but asks; if all that it could ask are absent, Y_m is 0.
Departs  The paper labels an utterance: it averages Y_m over time, then pools. Valence and arousal
         are rated all along, so a clip keeps its own row and pooling is clip by clip. It learns
         to resample time (32 to 25, 1000 to 500 steps) before the BiGRU; our clips are on one
         grid already. Its model has text too; its table has this pair, without saying how the
         two are wired.
"""

from torch import Tensor

from avfusion.fusion._selfcross import SelfCross
from avfusion.fusion.base import Attended, Pair
from avfusion.registry import fusions


@fusions.add("self_transformer")
class SelfTransformer(SelfCross):
    """Each modality asks itself."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        *,
        steps: int,
        width: int = 120,
        heads: int = 6,
        dropout: float = 0.1,
        memory: bool = True,
        pool: bool = True,
    ) -> None:
        own = {"heads": heads, "dropout": dropout, "memory": memory, "pool": pool}
        super().__init__("self_transformer", (audio_dim, video_dim), width=width, **own)

    def attend(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Attended:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> X_m and Y_m, (B, T, D) each."""
        x = self.encode(audio, video, audio_present, video_present)
        after_audio, audio_map = self.audio(x.audio, x.audio, audio_present)
        after_video, video_map = self.video(x.video, x.video, video_present)
        maps = {"audio": audio_map, "video": video_map}
        return Attended(x, Pair(after_audio, after_video), maps)
