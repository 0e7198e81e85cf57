"""Load and check a study's settings."""

import json
import uuid
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from avfusion.config.study import Study
from avfusion.config.validate import faults, sentences
from avfusion.errors import ConfigError
from avfusion.io.atomic import write_text
from avfusion.io.yaml import read_mapping
from avfusion.layout import Layout


def study_id(layout: Layout) -> str:
    """The name of this results folder in a store that others write to as well."""
    path = layout.results / "mlflow.id"
    if not path.is_file():
        write_text(path, uuid.uuid4().hex[:12] + "\n")
    return path.read_text().strip()


def load(source: Path | dict[str, Any], protocols: Path = Path("config/protocols")) -> Study:
    """A checked study from a YAML file or an already merged mapping; refuses with every fault."""
    where = str(source) if isinstance(source, Path) else "config"
    raw = read_mapping(source) if isinstance(source, Path) else source
    try:
        study = Study.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_lines(where, sentences(Study, error))) from None
    found = faults(study, protocols)
    if found:
        raise ConfigError(_lines(where, found))
    return study


def schema() -> str:
    """The JSON schema of config.yaml, as editors and the drift test read it."""
    return json.dumps(Study.model_json_schema(), indent=2) + "\n"


def _lines(where: str, found: list[str]) -> str:
    return "\n".join(f"{where}: {fault}" for fault in found)
