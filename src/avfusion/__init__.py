"""Which audio-visual fusion predicts valence and arousal better, by how much, how sure we are."""

import importlib
from typing import TYPE_CHECKING, Any

from avfusion.io.version import __version__

if TYPE_CHECKING:
    from avfusion import metrics, stats
    from avfusion.api.fusions import fusions
    from avfusion.api.study import StudyResults, load_study
    from avfusion.prediction.api import load_bundle, predict

__all__ = [
    "StudyResults",
    "__version__",
    "fusions",
    "load_bundle",
    "load_study",
    "metrics",
    "predict",
    "stats",
]

_HOMES = {
    "StudyResults": "avfusion.api.study",
    "fusions": "avfusion.api.fusions",
    "load_bundle": "avfusion.prediction.api",
    "load_study": "avfusion.api.study",
    "metrics": "avfusion.metrics",
    "predict": "avfusion.prediction.api",
    "stats": "avfusion.stats",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `import avfusion` stays fast."""
    if name not in _HOMES:
        known = ", ".join(__all__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}. It has: {known}.")
    module = importlib.import_module(_HOMES[name])
    return module if module.__name__ == f"{__name__}.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
