"""Widths of adapters for their options; no torch is imported (see `config.widths`)."""

import json
import os
from pathlib import Path
from typing import Any

EGEMAPS = {"functionals": 88, "lld": 25}
"""Features of eGeMAPSv02 per level of openSMILE."""


def opensmile(options: dict[str, Any]) -> int | None:
    """Return 88 functionals or 25 low-level descriptors."""
    return EGEMAPS.get(options["level"])


def transformers(options: dict[str, Any]) -> int | None:
    """Return the width that config.json of the model's folder states; None without one."""
    try:
        folder = Path(os.path.expanduser(options["path"]))
        return hidden_size(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def hidden_size(config: dict[str, Any]) -> int | None:
    """Return the width of the hidden layers, of the picture half if there are two.

    >>> hidden_size({"hidden_size": 768}), hidden_size({"vision_config": {}})
    (768, 768)
    """
    config = config.get("vision_config", {"hidden_size": None} | config)
    width = config.get("hidden_size", 768) or config.get("d_model")  # CLIP leaves out 768
    return None if width is None else int(width)
