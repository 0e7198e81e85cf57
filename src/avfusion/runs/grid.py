"""Replace a run's grid by the options that were chosen on validation."""

import json
from typing import Any

from avfusion.config.grid import with_options
from avfusion.config.jobs import RunSettings
from avfusion.errors import AvfError
from avfusion.layout import Layout


def resolved(settings: RunSettings, layout: Layout) -> tuple[RunSettings, dict[str, Any]]:
    """Return the settings with the chosen options in place of the grid, and their origin.

    Settings without a grid are returned unchanged, with an empty origin.

    Raises
    ------
    AvfError
        If no point has been chosen, or the point comes from another grid.
    """
    if not settings.grid:
        return settings, {}
    path = layout.chosen(settings.corpus, settings.fusion)
    remedy = f"Run `avf choose {settings.corpus} {settings.fusion}`."
    if not path.is_file():
        raise AvfError(f"{path}: nothing chosen yet. {remedy}")
    result = json.loads(path.read_text())
    if result["grid"] != settings.grid:
        raise AvfError(f"{path}: chosen from another grid than the config's. {remedy}")
    origin = {key: result[key] for key in ("chosen", "options", "score", "seeds", "criterion")}
    return with_options(settings, result["options"]), origin | {"points": len(result["points"])}
