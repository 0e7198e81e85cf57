"""Read the settings of jobs from the JSON files that the workflow writes."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from avfusion.config.jobs import (
    SCHEMA_VERSION,
    EncoderSettings,
    EncodersSettings,
    JobSettings,
    RunSettings,
    RunsSettings,
)
from avfusion.config.sections import Settings
from avfusion.errors import ConfigError

T = TypeVar("T", bound=Settings)


def read(kind: type[T], path: Path) -> T:
    """Read the settings of a job, or a study, from the JSON file that the workflow wrote.

    Raises
    ------
    ConfigError
        If the file is missing, not JSON, of another schema version or not of this kind.
    """
    return _valid(kind, _document(path), path)


def read_runs(path: Path) -> list[RunSettings]:
    """Read the settings of one run, or of the runs of a training job, as `read`."""
    document = _document(path)
    if isinstance(document, dict) and "runs" in document:
        return _valid(RunsSettings, document, path).runs
    return [_valid(RunSettings, document, path)]


def read_encoders(path: Path) -> list[EncoderSettings]:
    """Read the settings of one encoder, or of the fits of an encoder, as `read`."""
    document = _document(path)
    if isinstance(document, dict) and "encoders" in document:
        return _valid(EncodersSettings, document, path).encoders
    return [_valid(EncoderSettings, document, path)]


def _document(path: Path) -> Any:
    if not path.exists() or path.is_dir():  # a pipe such as /dev/stdin is no regular file
        raise ConfigError(f"--settings {path}: no such file.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"--settings {path}: not JSON ({error}).") from None


def _valid(kind: type[T], document: Any, path: Path) -> T:
    if issubclass(kind, JobSettings):
        version = document.get("schema_version") if isinstance(document, dict) else None
        if version != SCHEMA_VERSION:
            raise ConfigError(
                f"--settings {path}: schema version {version}, but this avfusion reads "
                f"{SCHEMA_VERSION}. Run: snakemake all (it writes the file again)."
            )
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError("\n".join(f"--settings {path}: {line}" for line in lines)) from None
