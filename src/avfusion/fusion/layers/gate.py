"""Gates: how much of each version of a clip's features passes, and controls for that claim.

Source   Praveen, Alam: "Cross-Attention is Not Always Needed: Dynamic Cross-Attention for
         Audio-Visual Dimensional Emotion Recognition", ICME 2024, arXiv:2403.19554.

    Y = W x + b                                         (n)       x: the clip the gate looks at
    G = softmax(Y / temperature)                        (n)
    Z = relu(sum_i G_i X_i)                             (D)       X_1 … X_n: versions of the clip

Controls take W and b out of the choice; what is left of a difference is not due to choosing:
    random     W is drawn once from `seed` and never trained, b = 0;
    fixed      G_i = 1/n;
    relu_only  Z = relu(X_n): attended features behind the same ReLU, no gate;
    none       Z = relu(X_n + R Y): as many trained parameters as the gate, added along n fixed
               directions R instead of choosing.
X_n gives way to a fixed mean of versions where a fusion says so (`ungated`).
"""

import torch
from torch import Tensor, nn

from avfusion.errors import ConfigError
from avfusion.fusion.layers.init import xavier_linear

KINDS = ("learned", "relu_only", "random", "fixed", "none")


class Gate(nn.Module):
    """Weighs `choices` versions (B, T, width) of a clip by a look at (B, T, asked)."""

    def __init__(
        self,
        asked: int,
        width: int,
        *,
        choices: int = 2,
        kind: str = "learned",
        temperature: float = 0.1,
        relu: bool = True,
        seed: int = 0,
        ungated: list[float] | None = None,
    ) -> None:
        """`ungated` are the weights of relu_only and none; without it, the last version alone."""
        super().__init__()
        if kind not in KINDS:
            raise ConfigError(f"gate is {kind!r}; set one of {', '.join(KINDS)}.")
        if not temperature > 0:
            raise ConfigError(f"temperature is {temperature}; set a number above 0.")
        self.kind, self.temperature, self.relu = kind, temperature, relu
        generator = torch.Generator().manual_seed(seed)
        if kind in ("learned", "none"):
            self.layer = xavier_linear(asked, choices)
        if kind == "random":
            weight = torch.empty(choices, asked)
            self.register_buffer("weight", nn.init.xavier_uniform_(weight, generator=generator))
        if kind == "none":
            directions = torch.empty(choices, width)
            nn.init.orthogonal_(directions, generator=generator)
            self.register_buffer("directions", directions)
        last = [0.0] * (choices - 1) + [1.0]
        constant = [1 / choices] * choices if kind == "fixed" else ungated or last
        self.register_buffer("constant", torch.tensor(constant), persistent=False)

    def forward(self, asked: Tensor, versions: list[Tensor]) -> tuple[Tensor, Tensor]:
        """asked (B, T, asked), versions (B, T, width) each -> Z (B, T, width), G (B, T, n)."""
        weights = self._weights(asked)  # (B, T, n)
        mixed = (weights[..., None, :] @ torch.stack(versions, dim=-2))[..., 0, :]
        if self.kind == "none":
            mixed = mixed + self.layer(asked) @ self.directions
        return (torch.relu(mixed) if self.relu else mixed), weights

    def _weights(self, asked: Tensor) -> Tensor:
        if self.kind == "learned":
            return (self.layer(asked) / self.temperature).softmax(-1)
        if self.kind == "random":
            return (asked @ self.weight.T / self.temperature).softmax(-1)
        return self.constant.expand(*asked.shape[:-1], -1)
