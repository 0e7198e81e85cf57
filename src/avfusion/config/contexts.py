"""How much of a recording a row of features depends on, by encoder.

A class states it as class attributes, in seconds before and after the end of a clip:

    context_before   0 for the clip only; a number; or {option: units per second}, whose values add
                     up; None, the default, for more or unknown, such as the complete video
    context_after    the same; 0 by default
    at_rest          not an attribute but an option: if true, the mean over the video is subtracted

They are read without importing the class, so a study can be planned quickly.
"""

import ast
from typing import Any

from avfusion.registry import encoders

Span = float | dict[str, float] | None
"""Type of both attributes."""

Context = tuple[float, float]
"""Seconds before and after the end of a clip; the first is at least the length of a clip."""

EPSILON = 1e-6
"""Seconds that a context may exceed a clip by, for rounding."""


def context_of(kind: str, options: dict[str, Any], clip_s: float) -> Context | None:
    """Return what a row of an encoder depends on, without the mean over the video.

    Parameters
    ----------
    kind
        Name of the encoder's class.
    options
        Options of the entry.
    clip_s
        Length of a clip in seconds.

    Returns
    -------
    tuple of float or None
        Seconds before and after the end of the clip; None if the class does not state them.
    """
    if not encoders.known(kind):
        return None
    before = _seconds(kind, "context_before", options)
    after = _seconds(kind, "context_after", options) or 0.0
    return None if before is None else (max(before, clip_s), after)


def encoded_again(kind: str, modality: str, options: dict[str, Any], clip_s: float) -> bool:
    """Return whether an encoder must encode a recording again without its missing parts.

    It must, unless a row depends only on the pictures of its own clip. Every encoder of sound must,
    because the filter of a resampling reaches beyond a clip.
    """
    if not encoders.known(kind) or encoders.constant(kind, "reads") is not None:
        return False
    context = context_of(kind, options, clip_s)
    clip_only = context is not None and context[0] <= clip_s + EPSILON and context[1] == 0
    return modality == "audio" or not clip_only or bool(_option(kind, "at_rest", options))


def needs_all(kind: str, options: dict[str, Any], clip_s: float) -> bool:
    """Return whether a row may depend on the complete recording, such as its mean."""
    return context_of(kind, options, clip_s) is None or bool(_option(kind, "at_rest", options))


def _seconds(kind: str, attribute: str, options: dict[str, Any]) -> float | None:
    stated: Span = encoders.constant(kind, attribute)
    if not isinstance(stated, dict):
        return stated
    values = [(_option(kind, name, options), per_s) for name, per_s in stated.items()]
    known = [value / per_s for value, per_s in values if isinstance(value, int | float)]
    return sum(known) if len(known) == len(values) else None


def _option(kind: str, name: str, options: dict[str, Any]) -> Any:
    """Return the value of an option, by default that of the constructor; None without it."""
    default = encoders.options(kind).get(name, "None")
    return options.get(name, ast.literal_eval(default))
