"""Multi-head self-attention, as a paper set it against cross-attention (SelfCrossAttn).

Source   Rajan, Brutti, Cavallaro: "Is Cross-Attention Preferable to Self-Attention for Multi-Modal
         Emotion Recognition?", ICASSP 2022, arXiv:2202.09263, and its published code.
Idea     Each modality is refined by looking at its own other clips; the modalities meet only in
         the pooling. The control by which the value of looking across is judged.

    X_m = BiGRU_m(x_m)                                  (T, D)    m in modalities: _selfcross.py
    Y_m = MHA_m(X_m asks X_m)                           (T, D)    m in modalities: _multihead.py
    Y   = [std_m Y_m ; mean_m Y_m]                      (T, 2D)   [Y_v ; Y_a ; Y_t] without `pool`

         No residual, no norm and no feed-forward layer, as published.
Options  `width` D and `heads` are the paper's 120 and 6; `memory: false` puts a linear map in the
         place of the BiGRU, `pool: false` joins side by side (our reading of the paper's "noSP").
         `modalities` takes one or more; one alone is not pooled, for it has no deviation.
Maps     audio, video, text (B, T, T): the weights over m's own clips, mean over heads.
Masks    An absent clip is never asked, but asks; if all that it could ask are absent, Y_m is 0.
Departs  The paper labels an utterance: it averages Y_m over time, then pools. Valence and arousal
         are rated all along, so a clip keeps its own row and pooling is clip by clip. It learns
         to resample time (32 to 25, 1000 to 500 steps) before the BiGRU; our clips are on one
         grid already. Its code has audio, video and text; its table has pairs too, without saying
         how two are wired.
"""

from typing import Any

from avfusion.fusion._selfcross import SelfCross
from avfusion.registry import fusions


@fusions.add("self_transformer")
class SelfTransformer(SelfCross):
    """Each modality asks itself."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        text_dim: int = 0,
        *,
        steps: int,
        modalities: Any = ("audio", "video"),
        width: int = 120,
        heads: int = 6,
        dropout: float = 0.1,
        memory: bool = True,
        pool: bool = True,
    ) -> None:
        own = {"heads": heads, "dropout": dropout, "memory": memory, "pool": pool}
        dims = audio_dim, video_dim, text_dim
        super().__init__("self_transformer", dims, modalities, width=width, **own)

    def whom(self, names: tuple[str, ...]) -> dict[str, tuple[str, str]]:
        """One attention a modality, named like it."""
        return {m: (m, m) for m in names}
