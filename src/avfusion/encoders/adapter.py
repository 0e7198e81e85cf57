"""Base of the adapters: frozen networks of other libraries, with a file of the user."""

import json
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from avfusion.config.jobs import EncoderSettings
from avfusion.encoders.weights_file import WeightsFile
from avfusion.errors import ConfigError
from avfusion.io.atomic import write_text
from avfusion.layout import Layout
from avfusion.training import device


class Adapter:
    """Base of frozen encoders whose weights are a file of the user.

    A subclass sets `file`, `weights`, `dim`, `modality` and `preprocessing`, which becomes part of
    the key of the features.
    """

    fitted = False
    named = True
    by_digest = ("path", "sha256", "licence")
    modality: Literal["audio", "video", "text"]
    weights: Path | None
    file: WeightsFile
    dim: int
    preprocessing: dict[str, Any]

    def identified(self) -> dict[str, Any]:
        """Return what identifies the weights, JSON-ready."""
        return self.file.note()

    def note(self, corpus: str, settings: EncoderSettings, layout: Layout) -> dict[str, Any]:
        """Write settings.json, and return what identifies the weights and the preprocessing."""
        note = {**self.identified(), "preprocessing": self.preprocessing}
        text = json.dumps({"settings": settings.lasting, "weights": note}, indent=1)
        write_text(layout.encoder(corpus, settings.encoder) / "settings.json", text + "\n")
        return note


def refuse(entry: str, options: dict[str, Any], of: str) -> None:
    """Refuse options that were given and have no meaning.

    Parameters
    ----------
    entry
        Name of the encoder in the study.
    options
        Option -> its value, None if it was not given.
    of
        What the options have no meaning for.

    Raises
    ------
    ConfigError
        If a value is not None.
    """
    for name, value in options.items():
        if value is not None:
            raise ConfigError(
                f"{entry}: `{name}` has no meaning for {of}, found {value}. Remove "
                f"encoders.{entry}.{name}."
            )


def frozen(net: nn.Module) -> nn.Module:
    """Return a network on the device of this process, without gradients."""
    return net.to(device.chosen()).eval().requires_grad_(False)


def width_of(net: nn.Module, shape: tuple[int, ...], entry: str) -> int:
    """Return D of a network that maps zeros of a shape (1, ...) to (1, D).

    Raises
    ------
    ConfigError
        If the network cannot read this shape, or gives another one.
    """
    try:
        with torch.inference_mode():
            out = net(torch.zeros(shape, device=device.of(net)))
    except (RuntimeError, AssertionError, ValueError) as error:  # models check sizes in all ways
        text = str(error).partition("\n")[0]
        raise ConfigError(
            f"{entry}: the network cannot read the shape {shape[1:]} ({text}). Correct "
            f"encoders.{entry}.crop_px or frames."
        ) from None
    if not (isinstance(out, Tensor) and out.ndim == 2):
        given = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else type(out).__name__
        raise ConfigError(
            f"{entry}: the network gives {given}, expected one vector per input. Choose another "
            f"encoders.{entry}.model."
        )
    return int(out.shape[1])
