"""Check that a fusion can read the width of the study's video features; torch is not imported.

A fusion that cannot read every width states a function `package.module:function` in its class
attribute `width_rule`. It maps options and the video width to a message, or None.
"""

import importlib
from collections.abc import Iterator
from typing import Any

from avfusion.config.study import Study
from avfusion.config.widths import width
from avfusion.errors import AvfError
from avfusion.registry import fusions


def fusion_widths(study: Study) -> Iterator[str]:
    """Yield a message per fusion that cannot read the video features, if their width is known."""
    rules = {
        path: (kind, options)
        for name in study.fusions
        for path, kind, options in _forms(study, name)
        if fusions.known(kind) and fusions.constant(kind, "width_rule")
    }
    dim = _video_dim(study) if rules else None
    if not dim:
        return
    listed = ", ".join(study.features.video)
    for path, (kind, options) in rules.items():
        module, _, name = fusions.constant(kind, "width_rule").partition(":")
        message = getattr(importlib.import_module(module), name)(options, dim)
        if message:
            yield (
                f"{path}: {message}, of features.video ({listed}). Set `guided: none`, or list "
                f"an encoder of such maps, such as r2plus1d_two_stream."
            )


def _forms(study: Study, name: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield path, class and options of a fusion, of its grid, and of the fusions that it wraps."""
    kind, given, path = study.fusion_class(name), study.fusion_options(name), f"fusions.{name}"
    forms = [(path, given)]
    for key, values in study.grid_of(name).items():
        forms += [(f"{path}.grid.{key}", {**given, key: value}) for value in values]
    for where, options in forms:
        yield where, kind, options
        if "wraps" in options:
            yield f"{where}.inner", options["wraps"], options.get("inner") or {}


def _video_dim(study: Study) -> int | None:
    """Return the width of the video features; None if it is not known yet."""
    try:
        dims = [width(study, name) for name in study.features.video]
    except AvfError:
        return None  # `avf doctor` reports the file
    known = [dim for dim in dims if dim]
    return sum(known) if len(known) == len(dims) else None
