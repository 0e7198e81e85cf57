"""Load and check the settings of a study."""

import json
import uuid
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from avfusion.config.baseline import with_ridge
from avfusion.config.messages import sentences
from avfusion.config.study import Study
from avfusion.config.validate import faults
from avfusion.errors import ConfigError
from avfusion.io.atomic import write_text
from avfusion.io.yaml import read_mapping
from avfusion.layout import Layout

BASE = Path("config/config.yaml")
"""The default study; a file without `fusions` overrides its keys."""


def study_id(layout: Layout) -> str:
    """Return the identifier of this results folder in a tracking store; created once."""
    path = layout.results / "mlflow.id"
    if not path.is_file():
        write_text(path, uuid.uuid4().hex[:12] + "\n")
    return path.read_text().strip()


def load(source: Path | dict[str, Any], protocols: Path = Path("config/protocols")) -> Study:
    """Read and check the settings of a study, and add the baseline `ridge` to its fusions.

    Parameters
    ----------
    source
        A YAML file, or a mapping that was merged already. As in Snakemake, a file without
        `fusions` overrides keys of `BASE`.
    protocols
        Folder of the evaluation protocols, whose names are checked.

    Raises
    ------
    ConfigError
        If anything is wrong; the message has one line per fault.
    """
    study, messages = checked(source, protocols)
    if study is None or messages:
        where = str(source) if isinstance(source, Path) else "config"
        raise ConfigError("\n".join(f"{where}: {message}" for message in messages))
    return study


def checked(
    source: Path | dict[str, Any], protocols: Path = Path("config/protocols")
) -> tuple[Study | None, list[str]]:
    """Return the settings of a study and one message per fault; None if they cannot be read.

    Raises
    ------
    ConfigError
        If the file is missing or is not YAML.
    """
    raw = _merged(source) if isinstance(source, Path) else source
    try:
        study = Study.model_validate(raw)
    except ValidationError as error:
        return None, sentences(Study, error)
    messages = faults(study, protocols)
    return (study, messages) if messages else (with_ridge(study), [])


def overlay(path: Path) -> bool:
    """Return whether a file overrides keys of `BASE` instead of being a complete study."""
    if not BASE.is_file() or path.absolute() == BASE.absolute():
        return False
    return "fusions" not in read_mapping(path)


def _merged(path: Path) -> dict[str, Any]:
    """Return the settings of a file, laid over those of `BASE` if it lists no fusions."""
    raw = read_mapping(path)
    return _over(read_mapping(BASE), raw) if overlay(path) else raw


def _over(base: dict[str, Any], raw: dict[str, Any]) -> dict[str, Any]:
    """Merge two mappings as Snakemake does: sections are merged, other values are replaced."""
    merged = dict(base)
    for key, value in raw.items():
        below = base.get(key)
        if isinstance(value, dict):
            value = _over(below if isinstance(below, dict) else {}, value)
        merged[key] = value
    return merged


def schema() -> str:
    """Return the JSON schema of config.yaml, for editors."""
    return json.dumps(Study.model_json_schema(), indent=2) + "\n"
