"""Load and check the settings of a study."""

import json
import uuid
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from avfusion.config.messages import sentences
from avfusion.config.study import Study
from avfusion.config.validate import faults
from avfusion.errors import ConfigError
from avfusion.io.atomic import write_text
from avfusion.io.yaml import read_mapping
from avfusion.layout import Layout


def study_id(layout: Layout) -> str:
    """Return the identifier of this results folder in a tracking store; created once."""
    path = layout.results / "mlflow.id"
    if not path.is_file():
        write_text(path, uuid.uuid4().hex[:12] + "\n")
    return path.read_text().strip()


def load(source: Path | dict[str, Any], protocols: Path = Path("config/protocols")) -> Study:
    """Read and check the settings of a study.

    Parameters
    ----------
    source
        A YAML file, or a mapping that was merged already.
    protocols
        Folder of the evaluation protocols, whose names are checked.

    Raises
    ------
    ConfigError
        If anything is wrong; the message has one line per fault.
    """
    where = str(source) if isinstance(source, Path) else "config"
    raw = read_mapping(source) if isinstance(source, Path) else source
    try:
        study = Study.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_lines(where, sentences(Study, error))) from None
    messages = faults(study, protocols)
    if messages:
        raise ConfigError(_lines(where, messages))
    return study


def schema() -> str:
    """Return the JSON schema of config.yaml, for editors."""
    return json.dumps(Study.model_json_schema(), indent=2) + "\n"


def _lines(where: str, messages: list[str]) -> str:
    return "\n".join(f"{where}: {message}" for message in messages)
