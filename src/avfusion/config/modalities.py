"""Modalities that a fusion reads: audio and video, and text if its class or an option says so.

A fusion that reads anything else than audio and video states it in a class attribute
(`modalities = ("audio", "video", "text")`) or has an option of that name. A fusion that is given
modalities that it does not read states those that it reads (`reads = ("audio",)`).
"""

import ast
from collections.abc import Mapping
from typing import Any

from avfusion.errors import ConfigError
from avfusion.registry import encoders, fusions

MODALITIES = ("audio", "video", "text")
USUAL = ("audio", "video")


def used(kind: str, options: dict[str, Any]) -> tuple[str, ...]:
    """Return the modalities of a fusion of this class and options; torch is not imported."""
    default = fusions.options(kind).get("modalities")
    if default is None:
        return tuple(fusions.constant(kind, "modalities") or USUAL)
    given = options.get("modalities") or ast.literal_eval(default)
    return tuple(given) if isinstance(given, list | tuple) else (str(given),)


def read(kind: str, options: dict[str, Any]) -> tuple[str, ...]:
    """Return the modalities that the predictions of a fusion depend on."""
    return tuple(fusions.constant(kind, "reads") or used(kind, options))


def singles(read_by: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Return modality -> the first fusion that reads only it; read_by: fusion -> modalities.

    >>> singles({"audio": ("audio",), "ca": ("audio", "video"), "loud": ("audio",)})
    {'audio': 'audio'}
    """
    chosen: dict[str, str] = {}
    for name, given in read_by.items():
        if len(given) == 1:
            chosen.setdefault(given[0], name)
    return chosen


def encoded(kind: str) -> tuple[str, ...]:
    """Return the modalities that an encoder of this class can encode; torch is not imported.

    A class states `modality`, or `modalities` if the study chooses one of them. A class that states
    neither can be listed anywhere.
    """
    fixed = encoders.constant(kind, "modality")
    return (fixed,) if fixed else tuple(encoders.constant(kind, "modalities") or MODALITIES)


def with_text(kind: str, options: dict[str, Any]) -> bool:
    """Return whether a fusion of this class and options reads text."""
    return "text" in used(kind, options)


def ordered(fusion: str, modalities: Any, least: int = 1) -> tuple[str, ...]:
    """Return the modalities in the order audio, video, text.

    Raises
    ------
    ConfigError
        If one is unknown or repeated, or if there are fewer than `least`.
    """
    given = list(modalities) if isinstance(modalities, list | tuple) else [modalities]
    known = tuple(name for name in MODALITIES if name in given)
    if len(known) != len(given) or len(known) < least:
        raise ConfigError(
            f"{fusion}: modalities is {given}; set {least} or more of {', '.join(MODALITIES)}, "
            f"each once."
        )
    return known


def faults(name: str, kind: str, options: dict[str, Any], text: list[str]) -> list[str]:
    """Return one message per fault in the modalities of a study's fusion `name`.

    text: the encoders under `features.text`.
    """
    read = used(kind, options)
    unknown = [word for word in read if word not in MODALITIES]
    if unknown:
        known = ", ".join(MODALITIES)
        return [f"fusions.{name}.modalities: no modality {unknown[0]!r}. Known: {known}."]
    if "text" in read and not text:
        return [
            f"fusions.{name} reads text, but features.text names no encoder. Add `text: [words]` "
            f"under features."
        ]
    return []
