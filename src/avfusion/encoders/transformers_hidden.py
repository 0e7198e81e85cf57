"""Hidden layers of a model of transformers, and the network that tunes its last layers."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from avfusion.encoders.backbones.base import Backbone
from avfusion.encoders.clip_inputs import Clips
from avfusion.errors import ConfigError
from avfusion.training import device

WITH_CLASS_TOKEN = ("clip_vision_model", "dinov2", "vit")

States = Callable[..., Tensor]
"""Maps inputs of a model, by name, to the sum or mean of its hidden layers (B, T, D)."""


class Hidden(nn.Module):
    """The sum or mean of hidden layers of a network; see `TransformersFolder` for the options.

    Attributes
    ----------
    top
        The highest layer that is read; 0 is the input of the first.
    """

    def __init__(self, net: nn.Module, layers: list[int], combine: str) -> None:
        super().__init__()
        self.net, self.layers, self.combine = net, layers, combine

    def checked(self, entry: str, config: Any) -> "Hidden":
        """Return self.

        Raises
        ------
        ConfigError
            If a layer does not exist.
        """
        depth = getattr(config, "encoder_layers", None) or config.num_hidden_layers
        count = depth + 1
        if not self.layers or any(not -count <= layer < count for layer in self.layers):
            raise ConfigError(
                f"{entry}: `layers` must be {-count} to {count - 1} each, found {self.layers}."
            )
        self.top = max(layer % count for layer in self.layers)
        return self

    @property
    def width(self) -> int:
        """D, the width of a layer."""
        return int(self.net.config.hidden_size)  # type: ignore[union-attr, arg-type]

    def forward(self, **inputs: Tensor) -> Tensor:
        """Return (B, T, D) for inputs of the network, on its device."""
        moved = {name: device.moved(x, device.of(self.net)) for name, x in inputs.items()}
        states = self.net(**moved, output_hidden_states=True).hidden_states
        total = torch.stack([states[layer] for layer in self.layers]).sum(0)
        return total / len(self.layers) if self.combine == "mean" else total


class Reader(Protocol):
    """Reads records of one modality, for the features of clips and as examples of a fit."""

    def note(self) -> dict[str, Any]:
        """Return the preprocessing, JSON-ready."""
        ...

    def remark(self, record: Any) -> str | None:
        """Return a note on one video for the feature index, or None."""
        ...

    def encode(
        self, record: Any, ends_s: np.ndarray, clip_s: float, states: States, dim: int
    ) -> np.ndarray:
        """Return features float32 (N, dim)."""
        ...

    def instants(self, record: Any, clip_s: float, fit_hz: float) -> np.ndarray:
        """Return the times in seconds of possible examples, ascending (N,)."""
        ...

    def inputs(self, record: Any, times_s: np.ndarray, clip_s: float) -> Tensor | Clips:
        """Return examples (N, ...) of some instants."""
        ...

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Return a randomly changed copy of examples."""
        ...

    def rows(self, inputs: Tensor, states: States) -> Tensor:
        """Return the rows (B, D) of examples."""
        ...

    def smallest(self) -> Tensor:
        """Return one short example, to find out which weights the rows depend on."""
        ...


class FolderBackbone(Backbone):
    """Hidden layers of a model, pooled over an example.

    Block 0 is all that is in no layer, and block k is layer k, up to the highest that is read.
    What does not change the rows is in no block and frozen: higher layers, a pooler, a mask.
    Dropout and masking inside the model are off, because some are drawn per process or by numpy,
    so that a fit could not be repeated.
    """

    def __init__(self, hidden: Hidden, reader: Reader) -> None:
        super().__init__()
        self.hidden, self.reader, self.dim = hidden, reader, hidden.width
        self.changing: set[str] = set()

    def used(self) -> "FolderBackbone":
        """Return self, with gradients of exactly the weights that rows depend on."""
        self.eval().requires_grad_(True)
        weights = dict(self.named_parameters())
        rows = self(self.reader.smallest().to(device.of(self)))
        grads = torch.autograd.grad(rows.sum(), list(weights.values()), allow_unused=True)
        self.changing = {n for n, grad in zip(weights, grads, strict=True) if grad is not None}
        for name, weight in weights.items():
            weight.requires_grad_(name in self.changing)
        return self

    def blocks(self) -> list[nn.Module]:
        """Return the weights of each block, from input to output."""
        lists = [name for name, part in self.named_modules() if isinstance(part, nn.ModuleList)]
        named = (name for name in lists if name.rpartition(".")[2] in ("layer", "layers"))
        layers = min(named, key=len)  # data2vec has such a list inside, too
        weights = [list[nn.Parameter]() for _ in range(self.hidden.top + 1)]
        for name, weight in self.named_parameters():
            if name in self.changing:
                inside = name.startswith(f"{layers}.")
                number = name.removeprefix(f"{layers}.").partition(".")[0]
                weights[int(number) + 1 if inside else 0].append(weight)
        return [nn.ParameterList(block) for block in weights]

    def train(self, mode: bool = True) -> "FolderBackbone":
        """Stay in evaluation mode."""
        return super().train(False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the rows (B, dim) of examples."""
        with sdpa_kernel(SDPBackend.MATH):  # the gradient of the others is not deterministic
            return self.reader.rows(inputs, self.hidden)
