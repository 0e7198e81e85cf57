"""Check the settings of a study; each message names the setting, its value and what to do."""

import os
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from avfusion.config import baseline, corruptions, modalities, validate_options, validate_select
from avfusion.config.modalities import MODALITIES
from avfusion.config.study import Study
from avfusion.config.training import TrainSettings
from avfusion.config.validate_features import features, trained_with
from avfusion.config.validate_fits import fits
from avfusion.config.validate_modalities import without_encoders
from avfusion.config.validate_training import training
from avfusion.config.validate_verification import verification
from avfusion.config.validate_widths import fusion_widths
from avfusion.config.validate_windows import windows
from avfusion.registry import corpora, encoders, fusions, near


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
            validate_options.loss("train.loss", study.train.loss),
            _fusions(study),
            baseline.taken(study),
            validate_options.grid_values("grid", study, None, study.grid),
            windows(study),
            training(study),
            _shared_roots(study),
            _downloads(study),
            _on_classes(study),
            validate_select.on_classes(study),
            verification(study),
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
        yield from validate_options.options(f"corpora.{name}.options", corpora, kind, entry.options)
        yield from validate_options.overrides(f"corpora.{name}.train", study.train, entry.train)


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
        yield from validate_options.options(
            f"encoders.{name}", encoders, kind, study.encoder_options(name)
        )
        yield from _processes(study, name, kind)


def _fusions(study: Study) -> Iterator[str]:
    for name, entry in study.fusions.items():
        path = f"fusions.{name}"
        kind, options = study.fusion_class(name), study.fusion_options(name)
        yield from validate_options.options(path, fusions, kind, options)
        yield from validate_options.wrapped(path, kind, options)
        if fusions.known(kind):
            yield from modalities.faults(name, kind, options, study.features.text)
        yield from validate_options.overrides(f"{path}.train", study.train, entry.get("train", {}))
        yield from validate_options.grid_values(f"{path}.grid", study, name, entry.get("grid", {}))


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
    """Yield a message per corpus and setting that has meaning only for ratings."""
    names = [name for name, entry in study.corpora.items() if entry.task != "ratings"]
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
        task = study.task(name)
        yield f"{path} is not offered with `task: {task}` (corpora.{name}). Remove one of them."


def _processes(study: Study, encoder: str, kind: str) -> Iterator[str]:
    path, given = f"encoders.{encoder}.processes", study.processes(encoder)
    if type(given) is not int or given < 1:
        yield f"{path}: expected a number of processes, 1 or more; found {given!r}."
    elif given > 1 and encoders.known(kind) and not study.fitted(encoder):
        yield f"{path}: {encoder!r} is pretrained and not fitted. Remove it."


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
