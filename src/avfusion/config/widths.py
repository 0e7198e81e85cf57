"""Widths of encoders before anything is encoded, as far as the config tells; torch is not imported.

An encoder's width is, in this order: what the function named in its class attribute `width_from`
returns for the options, its option `dim`, or its class attribute `dim`. The width of other encoders
is known when their weights or files are read.
"""

import ast
import importlib
from typing import Any

from avfusion.config.study import Study
from avfusion.registry import encoders


def width(study: Study, encoder: str) -> int | None:
    """Return D, the number of features of an encoder of the study; None if it is not known yet.

    Raises
    ------
    AvfError
        If a file that tells the width cannot be read.
    """
    kind = study.encoder_class(encoder)
    options = options_of(study, encoder)
    rule = encoders.constant(kind, "width_from")
    if rule is not None:
        module, _, name = rule.partition(":")
        return getattr(importlib.import_module(module), name)(options)
    return options.get("dim") or encoders.constant(kind, "dim") or None


def options_of(study: Study, encoder: str) -> dict[str, Any]:
    """Return the options of an encoder with the defaults of its class."""
    defaults = literals(encoders.options(study.encoder_class(encoder)))
    return defaults | study.encoder_options(encoder)


def literals(options: dict[str, str]) -> dict[str, Any]:
    """Return the values of defaults in source text; those that are no literals are left out."""
    return {key: ast.literal_eval(value) for key, value in options.items() if _literal(value)}


def _literal(text: str) -> bool:
    """Return whether a default is a literal; others, such as constants, are left out."""
    try:
        ast.literal_eval(text)
    except ValueError:
        return False
    return True
