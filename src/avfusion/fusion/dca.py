"""Dynamic cross-attention (DCA): a gate chooses attended or plain features for each clip.

Source   Praveen, Alam: "Cross-Attention is Not Always Needed: Dynamic Cross-Attention for
         Audio-Visual Dimensional Emotion Recognition", ICME 2024, arXiv:2403.19554.
Idea     Attention harms where audio and video do not complement each other. A gate on the
         attended features therefore decides, almost as a hard choice, whether to use them.

    X_m, Y_m = what enters and leaves an attention      (T, d_m)  m in {a, v}
    G_m = softmax((Y_m W_m + b_m) / temperature)        (T, 2)    0: plain, 1: attended
    Z_m = relu(G_m0 X_m + G_m1 Y_m)                     (T, d_m)
    Y   = join([Z_v ; Z_a])                             as the wrapped fusion joins

Options  `wraps` names the attention (wrap.py), `inner` its options. `gate` replaces the learned
         gate by a control (layers/gate.py). `relu: false` drops the ReLU, which sets about half
         of zero-mean features to 0. The published form is `wraps: dense_joint, inner: {depth: 2,
         guided: as_published}`, which needs un-pooled maps: 18,574,967 parameters with its two
         heads (`head: separate`), and 17,736,774 without `guided`.
Maps     gate_audio, gate_video (B, T): the weight of the attended features.
Masks    Those of the wrapped attention; X_m of an absent clip is a row of zeros.
Departs  Any attention can be wrapped, by default JCA; the published code wraps dense_joint.py.
"""

from functools import partial
from typing import Any, Literal

from torch import Tensor

from avfusion.fusion.base import Fused, Fusion, Pair
from avfusion.fusion.layers.gate import Gate
from avfusion.fusion.wrap import attention
from avfusion.registry import fusions


@fusions.add("dca")
class DynamicCrossAttention(Fusion):
    """One gate per modality over the features before and after an attention."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        *,
        steps: int,
        wraps: Literal[
            "ca",
            "cross_transformer",
            "dense_joint",
            "jca",
            "rjca",
            "self_attention",
            "self_transformer",
        ] = "jca",
        inner: dict[str, Any] | None = None,
        gate: str = "learned",
        temperature: float = 0.1,
        relu: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.attention = attention("dca", wraps, inner, audio_dim, video_dim, steps)
        new_gate = partial(Gate, kind=gate, temperature=temperature, relu=relu)
        audio, video = self.attention.widths
        self.gate_audio = new_gate(audio, audio, seed=seed)
        self.gate_video = new_gate(video, video, seed=seed + 1)
        self.out_dim = self.attention.out_dim

    def forward(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> features (B, T, out_dim)."""
        x, y, maps = self.attention.attend(audio, video, audio_present, video_present)
        audio, chosen_audio = self.gate_audio(y.audio, [x.audio, y.audio])
        video, chosen_video = self.gate_video(y.video, [x.video, y.video])
        gates = {"gate_audio": chosen_audio[..., 1], "gate_video": chosen_video[..., 1]}
        return Fused(self.attention.join(Pair(audio, video)), maps | gates)
