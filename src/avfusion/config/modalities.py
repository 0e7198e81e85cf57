"""What a fusion looks at: audio and video, and text where its class or an option says so.

A fusion that looks at something else than audio and video says it by a class attribute
(`modalities = ("audio", "video", "text")`) or an option of that name. Others never meet text.
"""

import ast
from typing import Any

from avfusion.errors import ConfigError
from avfusion.registry import fusions

MODALITIES = ("audio", "video", "text")


USUAL = ("audio", "video")


def used(kind: str, options: dict[str, Any]) -> tuple[str, ...]:
    """Modalities of the fusion of this class and options; torch is not imported."""
    default = fusions.options(kind).get("modalities")
    if default is None:
        return tuple(fusions.constant(kind, "modalities") or USUAL)
    given = options.get("modalities") or ast.literal_eval(default)
    return tuple(given) if isinstance(given, list | tuple) else (str(given),)


def with_text(kind: str, options: dict[str, Any]) -> bool:
    """Whether the fusion of this class and options is given text."""
    return "text" in used(kind, options)


def ordered(fusion: str, modalities: Any, least: int = 1) -> tuple[str, ...]:
    """The modalities as audio, video, text; refuses unknown, repeated and too few ones."""
    given = list(modalities) if isinstance(modalities, list | tuple) else [modalities]
    found = tuple(name for name in MODALITIES if name in given)
    if len(found) != len(given) or len(found) < least:
        raise ConfigError(
            f"{fusion}: modalities is {given}; set {least} or more of {', '.join(MODALITIES)}, "
            f"each once."
        )
    return found


def faults(name: str, kind: str, options: dict[str, Any], text: list[str]) -> list[str]:
    """What is wrong with the modalities of a study's entry `name`, a sentence a fault."""
    found = used(kind, options)
    strange = [word for word in found if word not in MODALITIES]
    if strange:
        known = ", ".join(MODALITIES)
        return [f"fusions.{name}.modalities: no modality {strange[0]!r}. Known: {known}."]
    if "text" in found and not text:
        return [
            f"fusions.{name} reads text, but features.text names no encoder. Add `text: [words]` "
            f"under features."
        ]
    return []
