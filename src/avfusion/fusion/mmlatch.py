"""Feedback masking (MMLatch): the encoding of one modality masks the input of the other.

Source   Paraskevopoulos, Georgiou, Potamianos: "MMLatch: Bottom-up Top-down Fusion for Multimodal
         Sentiment Analysis", ICASSP 2022, arXiv:2201.09828, and its published code.
Idea     Perception is bottom-up and top-down: a first pass through the encoders computes masks,
         and a second pass through the same encoders reads the masked inputs.

    X_m = E_m x_m + e_m                                 (T, D)    m in {a, v}, D = encode
    h_m = enc_m(X_m) = ask_m(BLSTM_m(X_m))              (T, k)    directions summed
    M_m = sigmoid(LSTM_m(h_o))                          (T, D)    o the other modality
    H_m = enc_m(M_m * X_m)                              (T, k)    the same enc_m again
    F   = H_a + ask(H_a, H_v) + H_v + ask(H_v, H_a)     (T, k)
    Y   = BLSTM([H_v ; H_a ; F])                        (T, 2k)   directions side by side

         ask(X, Z) = softmax(X W_q (Z W_k)^T / sqrt(k)) Z W_v, ask(X) = ask(X, X); each ask has
         its own weights, without bias, residual or heads. An LSTM gives numbers in (-1, 1), so M_m
         is in (0.27, 0.73): it can weaken a feature but not remove it.
         `dropout` (0.2) applies to the BLSTM and the weights of enc_m and to M_m; half of it (0.1)
         to the LSTM before the sigmoid, the weights in F and the last BLSTM, as published.
Options  `feedback: false` leaves out the second pass, as the published code also can: a control.
Maps     audio, video (B, T, T): the weights within F; mask_audio, mask_video (B, T, D): M_m.
Masks    An absent clip is masked as a key; LSTMs continue over it, a row of zeros. M_m is 1 where
         o is absent.
Departs  The paper also has text: M_m is then the mean of two masks, F covers three pairs, and text
         is attended once more. It weighs the rows of Y by one more ask and sums them for one
         label; we keep every row. We add E_m, because our features are wider than its 35 to 300;
         `encode: 0` leaves it out. Its code applies the dropout on M_m (0.2) at test time too;
         ours only in training. It masks no keys in F, where our absent clips are masked.
"""

import torch
from torch import Tensor, nn

from avfusion.fusion.base import Fused, Fusion, masked_softmax
from avfusion.fusion.layers.init import xavier_linear
from avfusion.registry import fusions


@fusions.add("mmlatch")
class FeedbackMasking(Fusion):
    """Two passes through one pair of encoders with masks in between, then attention."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        *,
        steps: int,
        hidden: int = 100,
        encode: int = 64,
        dropout: float = 0.2,
        feedback: bool = True,
    ) -> None:
        super().__init__()
        self.encode_audio = nn.Linear(audio_dim, encode) if encode else nn.Identity()
        self.encode_video = nn.Linear(video_dim, encode) if encode else nn.Identity()
        audio, video = (encode, encode) if encode else (audio_dim, video_dim)
        self.audio, self.video = _Encoder(audio, hidden, dropout), _Encoder(video, hidden, dropout)
        self.mask_audio = nn.LSTM(hidden, audio, batch_first=True) if feedback else None
        self.mask_video = nn.LSTM(hidden, video, batch_first=True) if feedback else None
        self.dropout, self.light = nn.Dropout(dropout), nn.Dropout(dropout / 2)
        self.hears, self.sees = _Ask(hidden, dropout / 2), _Ask(hidden, dropout / 2)
        self.memory = nn.LSTM(3 * hidden, hidden, batch_first=True, bidirectional=True)
        self.out_dim = 2 * hidden

    def forward(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> features (B, T, 2k)."""
        audio = self.encode_audio(audio) * audio_present[..., None]  # (B, T, D)
        video = self.encode_video(video) * video_present[..., None]  # (B, T, D)
        heard, seen = self.audio(audio, audio_present), self.video(video, video_present)
        maps = {}
        if self.mask_audio is not None and self.mask_video is not None:
            maps["mask_audio"] = self._mask(self.mask_audio, seen, video_present)  # (B, T, D)
            maps["mask_video"] = self._mask(self.mask_video, heard, audio_present)  # (B, T, D)
            heard = self.audio(audio * self.dropout(maps["mask_audio"]), audio_present)
            seen = self.video(video * self.dropout(maps["mask_video"]), video_present)
        of_video, maps["audio"] = self.hears(heard, seen, video_present)
        of_audio, maps["video"] = self.sees(seen, heard, audio_present)
        both = torch.cat([seen, heard, heard + of_video + seen + of_audio], dim=-1)  # (B, T, 3k)
        return Fused(self.light(self.memory(both)[0]), maps)

    def _mask(self, lstm: nn.LSTM, other: Tensor, present: Tensor) -> Tensor:
        """M from the other modality (B, T, k), present (B, T) -> (B, T, d); 1 if it is absent."""
        return self.light(lstm(other)[0]).sigmoid().masked_fill(~present[..., None], 1.0)


class _Encoder(nn.Module):
    """x (B, T, inputs), present (B, T) -> (B, T, k)."""

    def __init__(self, inputs: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True, bidirectional=True)
        self.ask = _Ask(hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        h = self.dropout(self.lstm(x)[0]).unflatten(-1, (2, -1)).sum(-2)  # (B, T, k)
        return self.ask(h, h, present)[0]


class _Ask(nn.Module):
    """Attention: queries (B, T, k), source (B, S, k), present (B, S) -> (B, T, k), (B, T, S)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.query, self.key, self.value = (
            xavier_linear(width, width, bias=False) for _ in range(3)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, source: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.query(queries) @ self.key(source).mT / queries.shape[-1] ** 0.5
        weights = masked_softmax(scores, present[:, None], axis=-1)
        return self.dropout(weights) @ self.value(source), weights
