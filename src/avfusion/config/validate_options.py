"""Check the options of entries, and settings that override those of the study."""

import ast
import math
from collections.abc import Iterator
from itertools import chain
from typing import Any

from pydantic import ValidationError, create_model

from avfusion.config import modalities
from avfusion.config.grid import points
from avfusion.config.messages import sentence
from avfusion.config.option_types import misfit, text_for_number
from avfusion.config.study import Study
from avfusion.config.training import TrainSettings
from avfusion.errors import ConfigError
from avfusion.registry import Registry, fusions, losses, near


def options(path: str, registry: Registry, name: str, given: dict[str, Any]) -> Iterator[str]:
    """Yield a message if an entry is unknown, and per option that it lacks or that does not fit."""
    try:
        known = registry.options(name)
    except ConfigError as error:
        yield f"{path.removesuffix('.options')}: {error}"
        return
    listed = ", ".join(f"{key} (default {value})" for key, value in known.items()) or "none"
    kinds = registry.annotations(name)
    for key, value in given.items():
        if key not in known:
            yield f"{path} has no option {key!r}.{near(key, known)} Its options: {listed}."
        elif wrong := misfit(kinds.get(key, "Any"), value):
            yield f"{path}.{key}: {wrong}."


def wrapped(path: str, kind: str, given: dict[str, Any]) -> Iterator[str]:
    """Yield a message per fault of the fusion that `kind` wraps, if it wraps one."""
    known = fusions.options(kind) if fusions.known(kind) else {}
    if not {"wraps", "inner"} <= known.keys():
        return
    wraps, inner = given.get("wraps", ast.literal_eval(known["wraps"])), given.get("inner") or {}
    allowed = fusions.annotations(kind).get("wraps", "Any")
    if not isinstance(wraps, str) or not isinstance(inner, dict) or misfit(allowed, wraps):
        return  # `options` reports it
    try:
        fusions.entry(wraps)
    except ConfigError as error:
        yield f"{path}.wraps: {error}"
        return
    yield from options(f"{path}.inner", fusions, wraps, inner)
    if sorted(map(str, modalities.used(wraps, inner))) != sorted(modalities.USUAL):
        yield (
            f"{path}.inner: {kind} gates only audio and video, but {wraps} reads others. "
            f"Remove `modalities`, or wrap another fusion."
        )
    if inner.get("raw_video"):
        yield (
            f"{path}.inner: `raw_video` leaves out the attended audio, so {kind} cannot gate it. "
            f"Remove it."
        )


def overrides(path: str, train: TrainSettings, given: Any) -> Iterator[str]:
    """Yield a message per fault of training settings that override those of the study."""
    if not isinstance(given, dict):
        yield f"{path}: expected settings such as {{lr: 0.001}}; found {given!r}."
        return
    try:
        TrainSettings.model_validate({**train.model_dump(), **given})
    except ValidationError as error:
        fields: dict[str, Any] = {path: (TrainSettings, ...)}
        model = create_model("Train", **fields)
        for fault in error.errors():
            yield sentence(model, {**fault, "loc": (path, *fault["loc"])})
        return
    if "loss" in given:
        yield from loss(f"{path}.loss", given["loss"])


def loss(path: str, name: str) -> Iterator[str]:
    """Yield a message if there is no such loss."""
    try:
        losses.entry(name)
    except ConfigError as error:
        yield f"{path}: {error}"


def grid_values(path: str, study: Study, fusion: str | None, grid: Any) -> Iterator[str]:
    """Yield a message per fault of a grid, value by value; fusion None means the study's grid."""
    if not isinstance(grid, dict) or not all(isinstance(v, list) and v for v in grid.values()):
        yield f"{path}: expected lists such as {{train.lr: [0.001, 0.0001]}}; found {grid!r}."
        return
    cells = [(str(key), value) for key, values in grid.items() for value in values]
    messages = chain.from_iterable(_cell(path, study, fusion, *cell) for cell in cells)
    yield from dict.fromkeys(messages)  # two values may have one fault
    if len(points(grid)) != math.prod(map(len, grid.values())):
        yield f"{path}: two of its points are the same. Remove the repeated value."


def _cell(path: str, study: Study, fusion: str | None, key: str, value: Any) -> Iterator[str]:
    """Yield a message per fault of one value in a grid."""
    if key.startswith("train.") and (hint := text_for_number(value)):
        yield f"{path}.{key}: {value!r}{hint}."
    elif key.startswith("train."):
        yield from overrides(f"{path}.train", study.train, {key.removeprefix("train."): value})
    elif fusion is None:
        yield f"{path}.{key}: a grid for all fusions can only hold `train.…` keys."
    else:
        kind = study.fusion_class(fusion)
        yield from options(path, fusions, kind, {key: value})
        if key in ("wraps", "inner"):
            yield from wrapped(path, kind, {**study.fusions[fusion], key: value})
