"""Models for measurements, on features of one width."""

from typing import Any

from avfusion.config.jobs import RunSettings
from avfusion.config.sections import FeatureSettings, WindowSettings
from avfusion.config.training import TrainSettings
from avfusion.models.model import Model, build


def model(
    fusion: str, width: int, clips: int, dropout: float, dims: int = 2, **options: Any
) -> Model:
    """Return a fusion with its head, for windows of `clips` clips and `dims` times `width`.

    `options` of the fusion have their defaults where they are not given.
    """
    settings = RunSettings(
        corpus="random",
        fusion=fusion,
        class_=fusion,
        options=options,
        seed=0,
        features=FeatureSettings(),
        windows=WindowSettings(clips=clips),
        train=TrainSettings(dropout=dropout),
        code="",
    )
    return build(settings, *[width] * dims)
