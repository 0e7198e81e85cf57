"""What is wrong with a config, one sentence a fault, each naming setting, value and remedy."""

import ast
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError, create_model

from avfusion.config import modalities
from avfusion.config.grid import points
from avfusion.config.modalities import MODALITIES
from avfusion.config.option_types import misfit, text_for_number
from avfusion.errors import ConfigError
from avfusion.registry import Registry, corpora, encoders, fusions, near

if TYPE_CHECKING:
    from avfusion.config.study import Study


ARRAYS = "arrays"


def sentences(model: type[BaseModel], error: ValidationError) -> list[str]:
    """Pydantic's faults in plain words."""
    return [_sentence(model, fault) for fault in error.errors()]


def _sentence(model: type[BaseModel], fault: Any) -> str:
    path = ".".join(str(part) for part in fault["loc"] if part != "[key]")
    if fault["type"] == "extra_forbidden":
        return f"unknown setting {path!r}.{_nearest(model, fault['loc'])} Correct or remove it."
    if fault["type"] == "missing":
        return f"setting {path!r} is missing. Add it (config/README.md lists all)."
    if fault["loc"][-1] == "[key]":
        return f"{path!r} cannot be a name: use letters, digits and _ only."
    said = fault["msg"][0].lower() + fault["msg"][1:]
    return f"{path}: {said}; found {fault['input']!r}."


def _nearest(model: Any, loc: tuple[Any, ...]) -> str:
    """The known setting most like the unknown one, beside which it would stand."""
    for part in loc[:-1]:
        if hasattr(model, "model_fields"):
            model = model.model_fields[part].annotation
        else:  # a mapping of names to settings
            model = get_args(model)[-1]
        if get_origin(model) is Annotated:
            model = get_args(model)[0]
    known = list(model.model_fields)
    return near(str(loc[-1]), known) or f" Known: {', '.join(known)}."


def faults(study: "Study", protocols: Path) -> list[str]:
    """What types cannot say: names exist, options are the entry's own, numbers fit together."""
    found = []
    for name, corpus in study.corpora.items():
        kind = study.corpus_class(name)
        found += _entry(f"corpora.{name}.options", corpora, kind, corpus.options)
        found += _overrides(f"corpora.{name}.train", study.train, corpus.train)
    for name in dict.fromkeys([*study.encoder_names(), *study.encoders]):
        found += _entry(f"encoders.{name}", encoders, name, study.encoder_options(name))
        found += _processes(name, study.processes(name))
    found += [*_of_features(study), *_of_values(study)]
    for name, options in study.fusions.items():
        own = {k: v for k, v in options.items() if k not in ("is", "train", "grid")}
        found += _entry(f"fusions.{name}", fusions, study.fusion_class(name), own)
        found += _inner(f"fusions.{name}", study.fusion_class(name), own)
        if fusions.known(study.fusion_class(name)):
            given = study.features.text
            found += modalities.faults(name, study.fusion_class(name), own, given)
        found += _overrides(f"fusions.{name}.train", study.train, options.get("train", {}))
        found += _grid(f"fusions.{name}.grid", study, name, options.get("grid", {}))
    found += _grid("grid", study, None, study.grid)
    steps = study.windows.clip_s / study.windows.hop_s
    if abs(steps - round(steps)) > 1e-6:
        found.append(
            f"windows.clip_s ({study.windows.clip_s}) must be a multiple of windows.hop_s "
            f"({study.windows.hop_s}), so that each instant ends exactly one clip."
        )
    found += _shared_roots(study) + _on_classes(study)
    if study.robustness:
        from avfusion.config import corruptions

        for name, levels in study.robustness.items():
            found += corruptions.faults(name, levels, study.windows.hop_s)
    there = sorted(path.stem for path in protocols.glob("*.yaml"))
    for name in dict.fromkeys([*study.protocols, study.headline]):
        if there and name not in there:
            found.append(
                f"no protocol named {name!r} in {protocols}.{near(name, there)} "
                f"Known: {', '.join(there)}."
            )
    if study.headline not in study.protocols:
        found.append(f"headline {study.headline!r} is not among protocols. Add it there.")
    return found


def _shared_roots(study: "Study") -> list[str]:
    """A fault where two entries would make one folder, each its own way."""
    first: dict[str, str] = {}
    found = []
    for name, corpus in study.corpora.items():
        kind = study.corpus_class(name)
        if not corpora.known(kind) or not corpora.defines(kind, "make"):
            continue
        other = first.setdefault(corpus.root.rstrip("/"), name)
        if (kind, corpus.options) != (study.corpus_class(other), study.corpora[other].options):
            said = f"corpora.{name} and corpora.{other} make {corpus.root} by different options"
            found.append(f"{said}. Give each a `root` of its own.")
    return found


def _on_classes(study: "Study") -> list[str]:
    """A fault for each setting that means nothing where runs predict classes, per corpus."""
    asked = [name for name, corpus in study.corpora.items() if corpus.task == "classes"]
    given = {"train": study.train.model_dump()}
    given |= {f"corpora.{name}.train": study.corpora[name].train for name in asked}
    for name, options in study.fusions.items():
        own = options.get("train", {})
        given[f"fusions.{name}.train"] = own if isinstance(own, dict) else {}
    unfit = [f"{path}.corrupt" for path, own in given.items() if own.get("corrupt")]
    unfit += [f"{path}.loss" for path, own in given.items() if own.get("loss") == "per_window"]
    if asked and len(asked) == len(study.corpora) and study.robustness:
        unfit.append("robustness")
    return [
        f"{path} is not offered with `task: classes` (corpora.{name}). Remove one of them."
        for path in unfit
        for name in asked
    ]


def _entry(path: str, registry: Registry, name: str, given: dict[str, Any]) -> list[str]:
    """Faults of one corpus, encoder or fusion: unknown, or given options that it has not."""
    try:
        known = registry.options(name)
    except ConfigError as error:
        return [f"{path.removesuffix('.options')}: {error}"]
    listed = ", ".join(f"{key} (default {value})" for key, value in known.items()) or "none"
    kinds = registry.annotations(name)
    found = []
    for key, value in given.items():
        if key not in known:
            found.append(f"{path} has no option {key!r}.{near(key, known)} Its options: {listed}.")
        elif wrong := misfit(kinds.get(key, "Any"), value):
            found.append(f"{path}.{key}: {wrong}.")
    return found


def _inner(path: str, kind: str, given: dict[str, Any]) -> list[str]:
    """Faults of what a fusion of the class `kind` wraps; none where it wraps nothing."""
    known = fusions.options(kind) if fusions.known(kind) else {}
    if not {"wraps", "inner"} <= known.keys():
        return []
    wraps, inner = given.get("wraps", ast.literal_eval(known["wraps"])), given.get("inner") or {}
    if not isinstance(wraps, str) or not isinstance(inner, dict):
        return []  # said already
    if not fusions.known(wraps):
        return [f"{path}.wraps: no fusion named {wraps!r}.{near(wraps, fusions.names())}"]
    found = _entry(f"{path}.inner", fusions, wraps, inner)
    if sorted(map(str, modalities.used(wraps, inner))) != sorted(modalities.USUAL):
        said = f"{path}.inner: {kind} gates audio and video alone; {wraps} reads others"
        found.append(f"{said}. Remove `modalities`, or wrap another fusion.")
    return found


def _processes(encoder: str, given: Any) -> list[str]:
    path = f"encoders.{encoder}.processes"
    if type(given) is not int or given < 1:
        return [f"{path}: expected a number of processes, 1 or more; found {given!r}."]
    if given > 1 and encoders.known(encoder) and not encoders.constant(encoder, "fitted"):
        return [f"{path}: {encoder!r} is pretrained and not fitted. Remove it."]
    return []


def _overrides(path: str, train: BaseModel, given: Any) -> list[str]:
    """Faults of a fusion's own training settings."""
    if not isinstance(given, dict):
        return [f"{path}: expected settings such as {{lr: 0.001}}; found {given!r}."]
    model = type(train)
    try:
        model.model_validate({**train.model_dump(), **given})
    except ValidationError as error:
        found = [{**fault, "loc": (path, *fault["loc"])} for fault in error.errors()]
        return [_sentence(create_model("Train", **{path: (model, ...)}), f) for f in found]
    return []


def _grid(path: str, study: "Study", name: str | None, grid: Any) -> list[str]:
    """Faults of a fusion's grid, or of the study's (name None), value by value."""
    lists = isinstance(grid, dict) and all(isinstance(v, list) and v for v in grid.values())
    if not lists:
        return [f"{path}: expected lists such as {{train.lr: [0.001, 0.0001]}}; found {grid!r}."]
    found = []
    for key, values in grid.items():
        head, _, tail = str(key).partition("train.")
        for value in values:
            if tail and not head and text_for_number(value):
                found.append(f"{path}.{key}: {value!r}{text_for_number(value)}.")
            elif tail and not head:
                found += _overrides(path, study.train, {tail: value})
            elif name is None:
                found.append(f"{path}.{key}: a grid for all fusions holds `train.…` keys alone.")
            else:
                kind, one = study.fusion_class(name), {str(key): value}
                found += _entry(path, fusions, kind, one)
                if key in ("wraps", "inner"):
                    found += _inner(path, kind, {**study.fusions[name], **one})
    if len(points(grid)) != math.prod(map(len, grid.values())):
        found.append(f"{path}: two of its points are one. Remove the value that stands twice.")
    return list(dict.fromkeys(found))


def _of_features(study: "Study") -> list[str]:
    """Return a message per encoder of another modality or of another kind of corpus.

    Unknown names are reported elsewhere.
    """
    listed = [(m, name) for m in MODALITIES for name in getattr(study.features, m)]
    listed = [(m, name) for m, name in listed if encoders.known(name)]
    found = [
        f"features.{modality} lists {name!r}, which encodes {own}. Move it there."
        for modality, name in listed
        if (own := encoders.constant(name, "modality")) not in (None, modality)
    ]
    names = [name for _, name in listed]
    return [*found, *_of_corpora(study, names), *_unrated(study), *_taken_off(study, names)]


def _of_corpora(study: "Study", listed: list[str]) -> Iterator[str]:
    """Encoders of recordings where a corpus is arrays, and of arrays where it is recordings."""
    has = _has_media(study)
    reads = {name: encoders.constant(name, "reads") != ARRAYS for name in listed}
    of_arrays = [name for name in encoders.names() if encoders.constant(name, "reads") == ARRAYS]
    for encoder, media in reads.items():
        for corpus in (name for name in has if has[name] != media):
            said = f"features lists {encoder!r}, but corpora.{corpus} holds "
            if media:
                known = ", ".join(of_arrays)
                yield f"{said}arrays and no recordings. Use {known}, in a study of its own."
            else:
                yield f"{said}recordings. Give corpora that are arrays a study of their own."


def _unrated(study: "Study") -> Iterator[str]:
    """Arrays hold no ratings, and `task` is ratings where nothing is said."""
    for name, media in _has_media(study).items():
        if not media and study.corpora[name].task != "classes":
            yield f"corpora.{name} holds arrays with classes alone. Add `task: classes` to it."


def _taken_off(study: "Study", listed: list[str]) -> Iterator[str]:
    """An encoder of one vector a video says nothing once each video's own mean is taken off."""
    for encoder in (name for name in listed if encoders.constant(name, "constant")):
        for name, corpus in study.corpora.items():
            if {"baseline": study.train.baseline, **corpus.train}["baseline"] == "video":
                yield (
                    f"{encoder} is one vector a video, and train.baseline `video` takes all of it "
                    f"off. Add `train: {{baseline: none}}` to corpora.{name}, or leave it out."
                )


def _has_media(study: "Study") -> dict[str, bool]:
    """Corpus -> whether it holds recordings, of those whose class is known."""
    kinds = {name: study.corpus_class(name) for name in study.corpora}
    return {
        name: corpora.constant(kind, "media") is not False
        for name, kind in kinds.items()
        if corpora.known(kind)
    }


def _of_values(study: "Study") -> Iterator[str]:
    """Yield a message per duplicated value, empty list and overlapping folder."""
    lists = {"seeds": study.seeds, "grid_seeds": study.grid_seeds, "protocols": study.protocols}
    lists |= {f"features.{name}": given for name, given in study.features.model_dump().items()}
    for path, given in lists.items():
        twice = sorted({value for value in given if given.count(value) > 1})
        if twice:
            yield f"{path}: {twice[0]!r} stands twice and would count twice. Remove one."
    for path in ("seeds", "grid_seeds"):
        if min(lists[path]) < 0:
            yield f"{path}: found {min(lists[path])}; a seed is 0 or more."
    for path in ("features.audio", "features.video"):
        if not lists[path]:
            yield f"{path} names no encoder; name one, or leave the key out for the default."
    yield from _folders(study)


def _folders(study: "Study") -> Iterator[str]:
    """`make clean` empties the one, and the other is only read: neither lies in the other."""
    places = {"results": study.results}
    places |= {f"corpora.{name}.root": own.root for name, own in study.corpora.items()}
    empty = [path for path, place in places.items() if not place.strip()]
    yield from (f"{path} is empty. Name a folder." for path in empty)
    if empty:
        return
    whole = {path: Path(os.path.abspath(place)) for path, place in places.items()}
    results = whole.pop("results")
    for path, root in whole.items():
        if results.is_relative_to(root) or root.is_relative_to(results):
            yield f"{path} ({root}) and results ({results}) overlap. Take another folder for one."
