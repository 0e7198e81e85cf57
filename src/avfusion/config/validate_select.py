"""Check how epochs are chosen, and training settings that have no meaning for classes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from avfusion.config.study import Study
from avfusion.config.training import SelectSettings
from avfusion.config.validate_features import trained_with
from avfusion.errors import ConfigError


def select(study: Study, folder: Path) -> Iterator[str]:
    """Yield a message per protocol of `train.select` that cannot choose an epoch.

    folder: folder of the protocols; not checked if it holds none.
    """
    # Imported here, because protocols need SciPy, and most studies name none.
    from avfusion.protocols import protocol as protocols

    for path, name in _protocols(study):
        if not any(folder.glob("*.yaml")):
            return
        try:
            reason = protocols.unfit(protocols.load(name, folder))
        except ConfigError as error:
            yield f"{path}: {error}"
            continue
        if reason:
            yield (
                f"{path}: protocol {name!r} cannot choose an epoch: {reason}. Name another, or "
                f"remove it."
            )


def on_classes(study: Study) -> Iterator[str]:
    """Yield a message per training setting that is defined only for ratings."""
    unfit: list[tuple[str, str]] = []
    for corpus in (name for name, entry in study.corpora.items() if entry.task != "ratings"):
        for fusion in study.fusions:
            given = {key: trained_with(study, corpus, fusion, key) for key in ("targets", "head")}
            paths = [f"{path}: {value}" for path, value in given["targets"] if value == "separate"]
            paths += [f"{path}: {value}" for path, value in given["head"] if value == "rjcma"]
            paths += [path for path, name in _select_paths(study, corpus, fusion) if name]
            unfit += [(path, corpus) for path in paths]
    for path, corpus in dict.fromkeys(unfit):
        task = study.task(corpus)
        yield f"{path} is not offered with `task: {task}` (corpora.{corpus}). Remove one of them."


def _protocols(study: Study) -> list[tuple[str, str]]:
    """Return (path, name) of every protocol that chooses epochs, each once."""
    pairs = [(corpus, fusion) for corpus in study.corpora for fusion in study.fusions]
    given = [one for pair in pairs for one in _select_paths(study, *pair)]
    return [(path, name) for path, name in dict.fromkeys(given) if name is not None]


def _select_paths(study: Study, corpus: str, fusion: str) -> list[tuple[str, str | None]]:
    """Return (path, name) of the protocol in each `select` of the runs of a fusion on a corpus.

    Values that are no `select` are left out; other checks report them.
    """
    paths = []
    for path, value in trained_with(study, corpus, fusion, "select"):
        given = _read(value)
        if given is not None:
            paths.append((f"{path}.protocol", given.protocol))
    return paths


def _read(value: Any) -> SelectSettings | None:
    try:
        return SelectSettings.model_validate(value)
    except ValidationError:
        return None
