"""Gates that weigh several versions of a clip's features, and controls for them.

Source   Praveen, Alam: "Cross-Attention is Not Always Needed: Dynamic Cross-Attention for
         Audio-Visual Dimensional Emotion Recognition", ICME 2024, arXiv:2403.19554.

    Y = W x + b                                         (n)       x: the clip the gate looks at
    G = softmax(Y / temperature)                        (n)
    Z = relu(sum_i G_i X_i)                             (D)       X_1 … X_n: versions of the clip

The controls do not choose by a trained W and b. A difference that remains with them is not due to
the choice:
    random     W is drawn once from `seed` and never trained, b = 0;
    fixed      G_i = 1/n;
    relu_only  Z = relu(X_n): attended features behind the same ReLU, no gate;
    none       Z = relu(X_n + R Y): as many trained parameters as the gate, added along n fixed
               directions R instead of choosing.
With `ungated`, a fixed mean of the versions replaces X_n in relu_only and none.
"""

import torch
from torch import Tensor, nn

from avfusion.errors import ConfigError
from avfusion.fusion.layers.init import xavier_linear

KINDS = ("learned", "relu_only", "random", "fixed", "none")


class Gate(nn.Module):
    """Weigh `choices` versions (B, T, width) of a clip, depending on (B, T, inputs).

    Parameters
    ----------
    inputs
        Width of the features that the gate looks at.
    width
        Width of the versions.
    choices
        Number of versions, n.
    kind
        `"learned"`, or a control.
    temperature
        Of the softmax.
    relu
        Whether a ReLU follows the sum.
    seed
        Seed of the fixed weights of the controls.
    ungated
        Weights of the versions in relu_only and none; by default only the last version.
    """

    weight: Tensor
    directions: Tensor
    constant: Tensor
    layer: nn.Linear

    def __init__(
        self,
        inputs: int,
        width: int,
        *,
        choices: int = 2,
        kind: str = "learned",
        temperature: float = 0.1,
        relu: bool = True,
        seed: int = 0,
        ungated: list[float] | None = None,
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ConfigError(f"gate is {kind!r}; set one of {', '.join(KINDS)}.")
        if not temperature > 0:
            raise ConfigError(f"temperature is {temperature}; set a number above 0.")
        self.kind, self.temperature, self.relu = kind, temperature, relu
        generator = torch.Generator().manual_seed(seed)
        if kind in ("learned", "none"):
            self.layer = xavier_linear(inputs, choices)
        if kind == "random":
            weight = torch.empty(choices, inputs)
            self.register_buffer("weight", nn.init.xavier_uniform_(weight, generator=generator))
        if kind == "none":
            directions = torch.empty(choices, width)
            nn.init.orthogonal_(directions, generator=generator)
            self.register_buffer("directions", directions)
        last = [0.0] * (choices - 1) + [1.0]
        constant = [1 / choices] * choices if kind == "fixed" else ungated or last
        self.register_buffer("constant", torch.tensor(constant), persistent=False)

    def forward(self, x: Tensor, versions: list[Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, T, inputs), versions (B, T, width) each -> Z (B, T, width), G (B, T, n)."""
        weights = self._weights(x)  # (B, T, n)
        mixed = (weights[..., None, :] @ torch.stack(versions, dim=-2))[..., 0, :]
        if self.kind == "none":
            mixed = mixed + self.layer(x) @ self.directions
        return (torch.relu(mixed) if self.relu else mixed), weights

    def _weights(self, x: Tensor) -> Tensor:
        if self.kind == "learned":
            return (self.layer(x) / self.temperature).softmax(-1)
        if self.kind == "random":
            return (x @ self.weight.T / self.temperature).softmax(-1)
        return self.constant.expand(*x.shape[:-1], -1)
