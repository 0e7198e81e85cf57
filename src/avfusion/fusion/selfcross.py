"""Self-attention and cross-attention transformers over two or three modalities (SelfCrossAttn).

Source   Rajan, Brutti, Cavallaro: "Is Cross-Attention Preferable to Self-Attention for Multi-Modal
         Emotion Recognition?", ICASSP 2022, arXiv:2202.09263, and its published code.
Idea     Each modality attends to itself (self) or to the others (cross), with all else the same, to
         compare the two kinds of attention.

    X_m  = BiGRU_m(x_m)                                 (T, D)    m in modalities
    Y_m  = MHA_m(X_m asks X_m)                          (T, D)    self: N attentions
    Y_mo = MHA_mo(X_m asks X_o), o != m                 (T, D)    cross: N (N - 1) attentions
    Y    = [std ; mean] over the attentions             (T, 2D)   layers/selfcross.py

         The published model has no residual, no norm and no feed-forward layer.
Options  `width` D and `heads` are the paper's 120 and 6. `memory: false` replaces each BiGRU by a
         linear map. `text_dropout`, on x_t, is the paper's 0.25. `pool: false` concatenates the
         attentions (our reading of the paper's "noSP"). `modalities` takes two or three;
         self-attention also a single one, which is not pooled because it has no deviation.
Maps     Attention weights (B, T, T), mean over heads: self has audio, video, text; cross has audio
         and video (the query's modality), or audio_asks_video and so on of three modalities.
Masks    An absent clip is masked as a key, but not as a query. If all keys are absent, Y is 0.
Departs  The paper labels an utterance: it averages Y over time, then pools. Valence and arousal
         are rated over time, so a clip keeps its own row and pooling is clip by clip. The paper
         resamples time (32 to 25, 1000 to 500 steps) before the BiGRU; our clips share one grid.
         Its code has three modalities; its table also has pairs without saying how they are wired.
         It computes in float64 and does not standardise audio.
"""

from itertools import permutations

from avfusion.fusion.layers.selfcross import SelfCross
from avfusion.registry import fusions


@fusions.add("cross_transformer")
class CrossTransformer(SelfCross):
    """Cross-attention transformer: each modality attends to every other."""

    name = "cross_transformer"
    least = 2

    def attentions(self, names: tuple[str, ...]) -> dict[str, tuple[str, str]]:
        """Return one attention per ordered pair; of two modalities, named like the query's."""
        pairs = list(permutations(names, 2))
        return {m if len(names) == 2 else f"{m}_asks_{of}": (m, of) for m, of in pairs}


@fusions.add("self_transformer")
class SelfTransformer(SelfCross):
    """Self-attention transformer: each modality attends to itself."""

    name = "self_transformer"

    def attentions(self, names: tuple[str, ...]) -> dict[str, tuple[str, str]]:
        """Return one attention per modality, named like it."""
        return {m: (m, m) for m in names}
