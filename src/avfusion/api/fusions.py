"""Fusions as PyTorch modules, by their names, for use in other code."""

import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from avfusion import registry
from avfusion.config.modalities import with_text
from avfusion.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from avfusion.fusion.base import Fused, Fusion


class UnknownFusionError(ConfigError, KeyError):
    """No fusion has this name."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would quote it


class Fusions(Mapping[str, "type[Fusion]"]):
    """The registered fusions: name -> class. A class is imported when it is read.

    Shapes: B windows, L clips in a window, Da, Dv and Dt widths of audio, video and text.

    Examples
    --------
    >>> import torch
    >>> "jca" in fusions, fusions.options("jca")["hidden"]
    (True, '32')
    >>> audio, video = torch.zeros(2, 16, 64), torch.zeros(2, 16, 128)
    >>> jca = fusions.build("jca", audio, video, hidden=8)
    >>> fusions.fuse(jca, audio, video).features.shape
    torch.Size([2, 16, 256])
    """

    def __getitem__(self, name: str) -> "type[Fusion]":
        """Return the class of a fusion.

        Parameters
        ----------
        name
            A registered name, or `package.module:Class`.

        Raises
        ------
        UnknownFusionError
            If there is no such fusion; it is also a KeyError.
        """
        try:
            fusion: type[Fusion] = registry.fusions.get(name)
        except ConfigError as error:
            raise UnknownFusionError(str(error)) from None
        return fusion

    def __iter__(self) -> Iterator[str]:
        return iter(registry.fusions.names())

    def __len__(self) -> int:
        return len(registry.fusions.names())

    def __repr__(self) -> str:
        return f"<{len(self)} fusions: {', '.join(self)}>"

    def names(self) -> list[str]:
        """Return the sorted names, without importing any fusion."""
        return registry.fusions.names()

    def options(self, name: str) -> dict[str, str]:
        """Return the options of a fusion, keyword arguments of its class: name -> default."""
        return registry.fusions.options(name)

    def build(
        self,
        name: str,
        audio: "Tensor",
        video: "Tensor",
        text: "Tensor | None" = None,
        *,
        outputs: int = 2,
        **options: Any,
    ) -> "Fusion":
        """Build a fusion for features of these shapes, with fresh weights.

        Parameters
        ----------
        name
            A registered name, or `package.module:Class`.
        audio, video, text
            Features, (B, L, Da), (B, L, Dv) and (B, L, Dt). Only their shapes are read. Text is
            needed by fusions that read it.
        outputs
            Number of targets, for the few fusions that predict them themselves, such as `late`.
        options
            Options of the fusion.

        Returns
        -------
        Fusion
            A `torch.nn.Module` for windows of L clips. Its attribute `out_dim` is the width of the
            fused features. Call it as `fuse` does.

        Raises
        ------
        ConfigError
            If there is no such fusion or option, or text is missing.
        ValueError
            If the features are not three-dimensional or differ in B or L.
        """
        fusion = self[name]
        given = _given(audio, video, text)
        known = self.options(name)
        wrong = [option for option in options if option not in known]
        if wrong:
            listed = ", ".join(f"{k} (default {v})" for k, v in known.items()) or "none"
            raise ConfigError(
                f"fusion {name} has no option {wrong[0]!r}.{registry.near(wrong[0], known)} Its "
                f"options: {listed}."
            )
        reads_text = with_text(name, options)
        if reads_text and text is None:
            raise ConfigError(f"fusion {name} reads text. Pass `text`, features (B, L, Dt).")
        widths = [x.shape[-1] for x in given[: 3 if reads_text else 2]]
        if "outputs" in inspect.signature(fusion).parameters:
            options["outputs"] = outputs
        return fusion(*widths, steps=audio.shape[1], **options)

    def fuse(
        self, fusion: "Fusion", audio: "Tensor", video: "Tensor", text: "Tensor | None" = None
    ) -> "Fused":
        """Run a fusion; a clip that is NaN in all features of a modality is absent there.

        Parameters
        ----------
        fusion
            A fusion from `build`, for these widths and L.
        audio, video, text
            Features, (B, L, Da), (B, L, Dv) and (B, L, Dt), on the device of the fusion. A single
            NaN counts as 0, so standardise features first. Give text only if the fusion reads it.

        Returns
        -------
        Fused
            `features`, (B, L, out_dim), and `maps`, attention weights by name.

        Raises
        ------
        ValueError
            If the features are not three-dimensional or differ in B or L.
        """
        given = _given(audio, video, text)
        rows = [x.nan_to_num(nan=0.0) for x in given]
        present = [~x.isnan().all(-1) for x in given]  # (B, L)
        fused: Fused = fusion(*rows[:2], *present[:2], *rows[2:], *present[2:])
        return fused


def _given(audio: "Tensor", video: "Tensor", text: "Tensor | None") -> list["Tensor"]:
    """Return the features that are given, after a check of their shapes."""
    given = [audio, video] if text is None else [audio, video, text]
    shapes = [tuple(x.shape) for x in given]
    if any(len(shape) != 3 for shape in shapes) or len({shape[:2] for shape in shapes}) > 1:
        raise ValueError(
            f"features have the shapes {', '.join(map(str, shapes))}. Give (B, L, D), with the "
            f"same B windows and L clips for all modalities."
        )
    return given


fusions = Fusions()
"""The registered fusions."""
