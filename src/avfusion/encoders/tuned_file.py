"""Base of encoders whose network starts from a file of weights, or is fitted on the corpus.

| `path` | `blocks` | what happens |
|---|---|---|
| given | 0 (default) | the network is frozen; nothing is fitted |
| given | 1 or more | the last blocks are trained from the weights of the file |
| none | all (default) | the network is trained from new weights |
"""

import json
from typing import Any, Literal

import torch
from torch import Tensor, nn

from avfusion.config.jobs import EncoderSettings
from avfusion.encoders.backbones.base import Backbone, Tuned
from avfusion.encoders.tuning import TunedEncoder, recipe_of, staged
from avfusion.encoders.weights_file import Tensors, WeightsFile, identifying
from avfusion.errors import ConfigError
from avfusion.io.atomic import file_digest, write_text
from avfusion.layout import Layout
from avfusion.training import device
from avfusion.training.precision import Precision, products


class TunedFile(TunedEncoder):
    """Base of the encoders whose weights are a file of the user, or fitted.

    A subclass sets `block_count`, the number of blocks of its network, before this constructor, and
    `dim`. It implements `new_backbone` and what `FittedEncoder` asks for.

    Parameters
    ----------
    gpu_precision
        Precision of products while features are computed on a GPU. `bfloat16` has 8 significant
        bits and `float16` 11, so features differ from those of `float32` from their third or fourth
        digit on. On a CPU, products are float32.
    """

    named = True
    by_digest = ("path", "sha256", "licence")
    frozen_with = "path"
    chunk = 16
    dim: int
    block_count: int
    leave_out: tuple[str, ...] = ()

    def __init__(
        self,
        entry: str,
        *,
        path: str = "",
        sha256: str = "",
        licence: str = "",
        blocks: int | None = None,
        fit_hz: float = 3.125,
        epochs: int = 10,
        batch: int = 16,
        lr: float = 1e-4,
        head_lr: float | None = 1e-3,
        most: int = 2_000,
        seed: int = 0,
        release: int = 0,
        release_when: Literal["stalled", "epochs", "rate"] = "stalled",
        release_after: int = 2,
        schedule: dict[str, Any] | None = None,
        gpu_precision: Literal["float32", "bfloat16", "float16"] = "float32",
    ) -> None:
        if not fit_hz > 0:
            raise ConfigError(f"{entry}: `fit_hz` must be above 0, found {fit_hz}.")
        if sha256 and not path:
            raise ConfigError(
                f"{entry}: `sha256` is given, but no file. Set encoders.{entry}.path, or remove it."
            )
        self.file = WeightsFile(path, sha256, licence, entry)
        if blocks is None:
            blocks = 0 if path else self.block_count
        if not path and blocks < self.block_count:
            raise ConfigError(
                f"{entry}: `blocks` is {blocks}, but the others would keep random weights. Set "
                f"encoders.{entry}.path to a file of weights, or remove `blocks`."
            )
        self.given, self.fit_hz = bool(path), fit_hz
        self.gpu_precision: Precision = gpu_precision
        fit: dict[str, Any] = {"epochs": epochs, "batch": batch, "lr": lr}
        fit |= {"most": most, "seed": seed}
        self.recipe = recipe_of(entry, **fit, schedule=schedule, head_lr=head_lr)
        order = (release, release_when, release_after, self.recipe)
        self.staged = staged(entry, blocks, self.block_count, *order)
        self.release = self.staged.release
        self.fitted = self.frozen_with == "" or not self.given or blocks > 0

    def new_backbone(self) -> Backbone:
        """Return the network with new weights."""
        raise NotImplementedError

    def trunk(self, net: nn.Module) -> nn.Module:
        """Return the part of the network that the file holds the weights of."""
        return net.get_submodule("backbone")

    def renamed(self, tensors: Tensors) -> Tensors:
        """Return the tensors of the file under the names of the network."""
        return tensors

    def blocks_of(self, net: nn.Module) -> list[nn.Module]:
        """Return the blocks of the backbone."""
        assert isinstance(net, Tuned)
        return list(net.backbone.blocks())

    def new_net(self, settings: EncoderSettings) -> nn.Module:
        """Return the network with new weights and an output layer."""
        return Tuned(self.new_backbone(), self.staged.blocks, self.outputs)

    def prepare(self, net: nn.Module, train: Tensor) -> None:
        """Load the weights of the file, which the fit starts from."""
        if self.given:
            self.file.load_into(self.trunk(net), self.renamed, self.leave_out)

    def identified(self) -> dict[str, Any]:
        """Return what identifies the weights of the file, JSON-ready."""
        return self.file.note()

    def origin(self) -> dict[str, Any]:
        """Return what identifies the weights that the fit starts from."""
        return {"weights": identifying(self.identified())} if self.given else {}

    def described(self) -> dict[str, Any]:
        """Return what else settings.json says of the inputs, such as their preprocessing."""
        return {}

    def recorded(self) -> dict[str, Any]:
        """Return the weights that the fit starts from, with their licence, for settings.json."""
        return ({"weights": self.identified()} if self.given else {}) | self.described()

    def freeze(self) -> None:
        """Load the weights of the file if nothing is fitted; the last step of a constructor."""
        if self.fitted:
            return
        net = Tuned(self.new_backbone(), 0, self.outputs)
        self.file.load_into(self.trunk(net), self.renamed, self.leave_out)
        self.weights = self.file.path
        self.net = net.to(device.chosen()).eval().requires_grad_(False)

    def note(self, corpus: str, settings: EncoderSettings, layout: Layout) -> Any:
        """Return what identifies the weights; write settings.json if nothing is fitted."""
        folder = layout.encoder(corpus, settings.encoder)
        if self.fitted:
            return file_digest(folder / "best.safetensors").hex()
        weights = self.identified()
        document = {"settings": settings.lasting, "weights": weights, **self.described()}
        write_text(folder / "settings.json", json.dumps(document, indent=1) + "\n")
        return weights

    def embed(self, inputs: Tensor) -> Tensor:
        """Return the embeddings (B, dim) of inputs, on the CPU."""
        where = device.of(self.net)
        with torch.inference_mode(), products(where, self.precision(where)):
            return self.net(device.moved(inputs, where))[0].float().cpu()

    def precision(self, where: torch.device) -> Precision:
        """Return the precision of products on a device."""
        return self.gpu_precision if where.type == "cuda" else "float32"
