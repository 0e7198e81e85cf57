"""Multi-head cross-attention, as a paper set it against self-attention (SelfCrossAttn).

Source   Rajan, Brutti, Cavallaro: "Is Cross-Attention Preferable to Self-Attention for Multi-Modal
         Emotion Recognition?", ICASSP 2022, arXiv:2202.09263, and its published code.
Idea     Each clip of one modality asks the clips of another, and takes their values in place of
         its own: nothing is added to it.

    X_m = BiGRU_m(x_m)                                  (T, D)    m in modalities: _selfcross.py
    Y_n = MHA_n(X_m asks X_o), each pair m, o           (T, D)    n = 1 … N: _multihead.py
    Y   = [std_n Y_n ; mean_n Y_n]                      (T, 2D)   [Y_1 ; … Y_N] without `pool`

         Two modalities make N = 2, three make 6: text asks audio and asks video, and so on.

         No residual, no norm and no feed-forward layer, as published.
Options  `width` D and `heads` are the paper's 120 and 6; `memory: false` puts a linear map in the
         place of the BiGRU, `pool: false` joins side by side (our reading of the paper's "noSP").
         `modalities` takes two or three.
Maps     audio, video (B, T, T): the weights over the other modality's clips, mean over heads;
         of three modalities audio_asks_video and so on.
Masks    An absent clip is never asked, but asks; if all that it could ask are absent, Y_m is 0.
Departs  The paper labels an utterance: it averages Y_m over time, then pools. Valence and arousal
         are rated all along, so a clip keeps its own row and pooling is clip by clip. It learns
         to resample time (32 to 25, 1000 to 500 steps) before the BiGRU; our clips are on one
         grid already. Its code has audio, video and text; its table has pairs too, without saying
         how two are wired.
"""

from itertools import permutations
from typing import Any

from avfusion.fusion._selfcross import SelfCross
from avfusion.registry import fusions


@fusions.add("cross_transformer")
class CrossTransformer(SelfCross):
    """Each modality asks each other one."""

    least = 2

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
        super().__init__("cross_transformer", dims, modalities, width=width, **own)

    def whom(self, names: tuple[str, ...]) -> dict[str, tuple[str, str]]:
        """One attention an ordered pair, named like who asks where there is one other."""
        pairs = list(permutations(names, 2))
        return {m if len(names) == 2 else f"{m}_asks_{of}": (m, of) for m, of in pairs}
