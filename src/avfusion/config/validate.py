"""Check the settings of a study; each message names the setting, its value and what to do."""

import ast
import math
import os
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import ValidationError, create_model

from avfusion.config import baseline, corruptions, modalities, validate_select
from avfusion.config.grid import points
from avfusion.config.messages import sentence
from avfusion.config.modalities import MODALITIES
from avfusion.config.option_types import misfit, text_for_number
from avfusion.config.sections import TrainSettings
from avfusion.config.study import Study
from avfusion.config.validate_features import features, trained_with
from avfusion.config.validate_fits import fits
from avfusion.config.validate_modalities import without_encoders
from avfusion.config.validate_training import training
from avfusion.config.validate_widths import fusion_widths
from avfusion.config.validate_windows import windows
from avfusion.errors import ConfigError
from avfusion.registry import Registry, corpora, encoders, fusions, losses, near


def faults(study: Study, protocols: Path) -> list[str]:
    """Return one message per fault that the types of the settings do not show.

    Names must exist, options must belong to their entry, and numbers must fit together.
    protocols: folder of the evaluation protocols.
    """
    unreadable = list(_classes(study))
    if unreadable:
        return unreadable
    messages = list(
        chain(
            _corpora(study),
            _encoders(study),
            features(study),
            fits(study),
            _values(study),
            _loss("train.loss", study.train.loss),
            _fusions(study),
            baseline.taken(study),
            _grid("grid", study, None, study.grid),
            windows(study),
            training(study),
            _shared_roots(study),
            _downloads(study),
            _on_classes(study),
            validate_select.on_classes(study),
            validate_select.select(study, protocols),
            _robustness(study),
            _protocols(study, protocols),
        )
    )
    return messages or list(fusion_widths(study))


def _classes(study: Study) -> Iterator[str]:
    """Yield a message per `is` that is no text; the other checks need text."""
    for section, entries in (("encoders", study.encoders), ("fusions", study.fusions)):
        for name, options in entries.items():
            kind = options.get("is", name)
            if not isinstance(kind, str):
                yield f"{section}.{name}.is: expected a name or package.module:Class; found {kind}."


def _corpora(study: Study) -> Iterator[str]:
    for name, entry in study.corpora.items():
        kind = study.corpus_class(name)
        yield from _options(f"corpora.{name}.options", corpora, kind, entry.options)
        yield from _overrides(f"corpora.{name}.train", study.train, entry.train)


def _encoders(study: Study) -> Iterator[str]:
    for name in dict.fromkeys([*study.features.encoders, *study.encoders]):
        if not re.fullmatch(r"[A-Za-z0-9_]+", name):
            yield (
                f"features lists {name!r}, which cannot be a name: use letters, digits and _ only. "
                f"For a class outside avfusion, add `my_name: {{is: package.module:Class}}` under "
                f"encoders and list my_name."
            )
            continue
        kind = study.encoder_class(name)
        yield from _options(f"encoders.{name}", encoders, kind, study.encoder_options(name))
        yield from _processes(study, name, kind)


def _fusions(study: Study) -> Iterator[str]:
    for name, entry in study.fusions.items():
        path = f"fusions.{name}"
        kind, options = study.fusion_class(name), study.fusion_options(name)
        yield from _options(path, fusions, kind, options)
        yield from _inner(path, kind, options)
        if fusions.known(kind):
            yield from modalities.faults(name, kind, options, study.features.text)
        yield from _overrides(f"{path}.train", study.train, entry.get("train", {}))
        yield from _grid(f"{path}.grid", study, name, entry.get("grid", {}))


def _robustness(study: Study) -> Iterator[str]:
    for name, levels in study.robustness.items():
        yield from corruptions.faults(name, levels, study.windows.hop_s)


def _protocols(study: Study, folder: Path) -> Iterator[str]:
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    for name in dict.fromkeys([*study.protocols, study.headline]):
        if known and name not in known:
            yield (
                f"no protocol named {name!r} in {folder}.{near(name, known)} "
                f"Known: {', '.join(known)}."
            )
    if study.headline not in study.protocols:
        yield f"headline {study.headline!r} is not among protocols. Add it there."


def _shared_roots(study: Study) -> Iterator[str]:
    """Yield a message where two entries would fill one folder with different options."""
    first: dict[str, tuple[str, object]] = {}
    for name, entry in study.corpora.items():
        kind = study.corpus_class(name)
        if entry.download:
            filled: object = (kind, study.part(name))
        elif corpora.known(kind) and corpora.defines(kind, "make"):
            filled = (kind, entry.options)
        else:
            continue
        other, by = first.setdefault(entry.root.rstrip("/"), (name, filled))
        if by != filled:
            yield (
                f"corpora.{name} and corpora.{other} fill {entry.root} by different options. "
                f"Give each a `root` of its own."
            )


def _downloads(study: Study) -> Iterator[str]:
    """Yield a message for each corpus that should be downloaded and cannot be."""
    for name, entry in study.corpora.items():
        kind = study.corpus_class(name)
        if entry.download and corpora.known(kind) and not corpora.defines(kind, "source"):
            yield (
                f"corpora.{name}.download: no program can download {kind}. Remove the key. "
                f"For how to request access, run: avf obtain {name}"
            )


def _on_classes(study: Study) -> Iterator[str]:
    """Yield a message per corpus and setting that has no meaning where runs predict classes."""
    names = [name for name, entry in study.corpora.items() if entry.task == "classes"]
    default = TrainSettings().loss
    unfit = [
        (path, name)
        for name in names
        for fusion in study.fusions
        for key, plain in (("corrupt", {}), ("loss", default))
        for path, value in trained_with(study, name, fusion, key)
        if value != plain
    ]
    if len(names) == len(study.corpora) and study.robustness:
        unfit += [("robustness", name) for name in names]
    for path, name in dict.fromkeys(unfit):
        yield f"{path} is not offered with `task: classes` (corpora.{name}). Remove one of them."


def _options(path: str, registry: Registry, name: str, given: dict[str, Any]) -> Iterator[str]:
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


def _inner(path: str, kind: str, given: dict[str, Any]) -> Iterator[str]:
    """Yield a message per fault of the fusion that `kind` wraps, if it wraps one."""
    known = fusions.options(kind) if fusions.known(kind) else {}
    if not {"wraps", "inner"} <= known.keys():
        return
    wraps, inner = given.get("wraps", ast.literal_eval(known["wraps"])), given.get("inner") or {}
    allowed = fusions.annotations(kind).get("wraps", "Any")
    if not isinstance(wraps, str) or not isinstance(inner, dict) or misfit(allowed, wraps):
        return  # `_options` reports it
    try:
        fusions.entry(wraps)
    except ConfigError as error:
        yield f"{path}.wraps: {error}"
        return
    yield from _options(f"{path}.inner", fusions, wraps, inner)
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


def _processes(study: Study, encoder: str, kind: str) -> Iterator[str]:
    path, given = f"encoders.{encoder}.processes", study.processes(encoder)
    if type(given) is not int or given < 1:
        yield f"{path}: expected a number of processes, 1 or more; found {given!r}."
    elif given > 1 and encoders.known(kind) and not study.fitted(encoder):
        yield f"{path}: {encoder!r} is pretrained and not fitted. Remove it."


def _overrides(path: str, train: TrainSettings, given: Any) -> Iterator[str]:
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
        yield from _loss(f"{path}.loss", given["loss"])


def _loss(path: str, name: str) -> Iterator[str]:
    """Yield a message if there is no such loss."""
    try:
        losses.entry(name)
    except ConfigError as error:
        yield f"{path}: {error}"


def _grid(path: str, study: Study, fusion: str | None, grid: Any) -> Iterator[str]:
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
        yield from _overrides(f"{path}.train", study.train, {key.removeprefix("train."): value})
    elif fusion is None:
        yield f"{path}.{key}: a grid for all fusions can only hold `train.…` keys."
    else:
        kind = study.fusion_class(fusion)
        yield from _options(path, fusions, kind, {key: value})
        if key in ("wraps", "inner"):
            yield from _inner(path, kind, {**study.fusions[fusion], key: value})


def _values(study: Study) -> Iterator[str]:
    """Yield a message per duplicated value, empty list, negative seed and overlapping folder."""
    seeds = {"seeds": study.seeds, "grid_seeds": study.grid_seeds}
    lists: dict[str, list[Any]] = {**seeds, "protocols": study.protocols}
    lists |= {f"features.{m}": getattr(study.features, m) for m in MODALITIES}
    for path, given in lists.items():
        repeated = sorted({value for value in given if given.count(value) > 1})
        if repeated:
            yield f"{path}: {repeated[0]!r} is listed twice and would count twice. Remove one."
    for path, numbers in seeds.items():
        if min(numbers) < 0:
            yield f"{path}: found {min(numbers)}; a seed is 0 or more."
    yield from without_encoders(study)
    yield from _folders(study)


def _folders(study: Study) -> Iterator[str]:
    """Yield a message if `results`, which `make clean` empties, and a corpus overlap."""
    places = {"results": study.results}
    places |= {f"corpora.{name}.root": entry.root for name, entry in study.corpora.items()}
    empty = [path for path, place in places.items() if not place.strip()]
    yield from (f"{path} is empty. Name a folder." for path in empty)
    if empty:
        return
    absolute = {path: Path(os.path.abspath(place)) for path, place in places.items()}
    results = absolute.pop("results")
    for path, root in absolute.items():
        if results.is_relative_to(root) or root.is_relative_to(results):
            yield f"{path} ({root}) and results ({results}) overlap. Take another folder for one."
