"""Replace a run's grid by the options that were chosen on validation."""

import json
from typing import Any

from avfusion.config.grid import _with
from avfusion.errors import AvfError
from avfusion.layout import Layout


def resolved(own: dict[str, Any], layout: Layout) -> tuple[dict[str, Any], dict[str, Any]]:
    """A run's settings with the chosen options in place of the grid, and where they came from.

    Settings without a grid are returned as they are, with nothing to say.
    """
    if not own.get("grid"):
        return own, {}
    path = layout.chosen(own["corpus"], own["fusion"])
    again = f"avf choose {own['corpus']} {own['fusion']}"
    if not path.is_file():
        raise AvfError(f"{path}: nothing chosen yet. Run `{again}`.")
    said = json.loads(path.read_text())
    if said["grid"] != own["grid"]:
        raise AvfError(f"{path}: chosen from another grid than the config's. Run `{again}`.")
    origin = {key: said[key] for key in ("chosen", "options", "score", "seeds", "criterion")}
    return _with(own, said["options"]), {"chosen": origin | {"points": len(said["points"])}}
