"""Read published numbers from config/published.csv and check them row by row.

The file holds only numbers of papers. A number of a paper is compared with one of a study only if
corpus, partition, fusion, target and scoring rule are the same. Accuracy on classes is compared
with WA, and balanced accuracy with UA.
"""

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from avfusion.errors import ConfigError

FILE = Path("config/published.csv")

KEY = [
    *("paper", "corpus", "partition", "method", "corruption", "level", "metric", "unit"),
    *("target", "note"),
]
"""Columns that identify a row."""

CLASS_MEASURES = {"accuracy": "wa", "balanced_accuracy": "ua"}
"""Metric of the file -> measure of tables/classes.csv."""


COMPARED = ("ccc", *CLASS_MEASURES)
"""Metrics that are compared."""

RANGES = {"ccc": (-1, 1), "pearson": (-1, 1), "mae": (0, math.inf), "min_dcf": (0, 1)}
"""Range of each metric; other metrics are shares, in [0, 1] or [0, 100]."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]


class Published(BaseModel):
    """One published number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    paper: Name = Field(description="Short key of the paper.")
    title: str = Field(min_length=1)
    arxiv: str = Field("", pattern=r"^(\d{4}\.\d{5})?$", description="arXiv id; empty if none.")
    year: Annotated[int, Field(ge=1989, le=2100)]
    corpus: Name = Field(description="The corpus' name in this project.")
    partition: Literal["train", "validation", "test", "unstated"]
    method: str = Field(min_length=1, description="What was scored, in the paper's words.")
    fusion: Annotated[str, Field(pattern=r"^[a-z0-9_]*$")] = Field(
        "", description="The fusion's name in this project; empty if it is none of its fusions."
    )
    options: dict[str, Any] = Field({}, description="Options that make it the paper's form, JSON.")
    corruption: Annotated[str, Field(pattern=r"^[a-z0-9_]*$")] = Field(
        "", description="What was done to the input; empty for clean input."
    )
    level: Annotated[float, Field(ge=0, le=1)] | None = Field(None, description="How much of it.")
    metric: Name
    unit: Literal["1", "%"]
    protocol: Annotated[str, Field(pattern=r"^[a-z0-9_]*$")] = Field(
        "", description="The scoring rule in config/protocols; empty if it is not known."
    )
    target: Name = Field(description="`valence` or `arousal`; other tasks have their own word.")
    value: float
    spread: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Standard deviation over runs, if it is published."
    )
    kind: Literal["printed", "digitised", "log", "user_report", "quoted"] = Field(
        description="Printed by the authors; read off their figure; in a log they left in a "
        "repository; reported by a user; seen only where a third party repeats it."
    )
    source: str = Field(min_length=1, description="Where the number can be seen.")
    note: str = Field("", description="What a reader must know before comparing.")
    corpus_options: dict[str, Any] = Field(
        {}, description="Options of the corpus in this project, JSON; a list: folds, as one."
    )

    meets: Literal["", "train", "validation", "test"] = Field(
        "", description="Our partition that it is compared with, if the paper names it otherwise."
    )

    @model_validator(mode="after")
    def _sane(self) -> "Published":
        share = (0, 100 if self.unit == "%" else 1)
        low, high = RANGES.get(self.metric, share)
        if not low <= self.value <= high:
            raise ValueError(f"{self.metric} {self.value:g} is not in [{low:g}, {high:g}]")
        if bool(self.corruption) != (self.level is not None):
            raise ValueError("corruption and level belong together; give both or neither")
        return self


def load(path: Path = FILE) -> list[Published]:
    """Read all published numbers.

    Raises
    ------
    ConfigError
        If the file is missing or lacks a column, or a row is wrong or occurs twice; the message
        has a line per row.
    """
    if not path.is_file():
        raise ConfigError(f"File not found: {path}. Run from the root folder of the project.")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    absent = [name for name in Published.model_fields if name not in table]
    if absent:
        raise ConfigError(f"{path}: no column {', '.join(absent)}. Add it to the first line.")
    rows, faults = [], []
    for number, raw in enumerate(table.to_dict("records"), start=2):
        try:
            rows.append(Published.model_validate(_typed(raw)))
        except (ValidationError, json.JSONDecodeError) as error:
            faults += [f"{path}: row {number}: {fault}." for fault in _sentences(error)]
    for place in table.index[table.duplicated(KEY, keep="first")]:
        first = table.index[(table[KEY] == table.loc[place, KEY]).all(axis=1)][0] + 2
        faults.append(f"{path}: row {place + 2}: repeats row {first}. Remove one of them.")
    if faults:
        raise ConfigError("\n".join(faults))
    return rows


def schema() -> str:
    """Return the JSON schema of the rows, as in workflow/schemas/published.schema.json."""
    rows = TypeAdapter(list[Published]).json_schema()
    return json.dumps({"title": "Rows of config/published.csv", **rows}, indent=2) + "\n"


def _typed(raw: dict[str, str]) -> dict[str, Any]:
    """Leave out empty cells and parse the JSON of options."""
    given: dict[str, Any] = {key: value for key, value in raw.items() if value != ""}
    for name in ("options", "corpus_options"):
        if name in given:
            given[name] = json.loads(given[name])
    return given


def _sentences(error: ValidationError | json.JSONDecodeError) -> list[str]:
    if isinstance(error, json.JSONDecodeError):
        return [f'options are not JSON ({error.msg.lower()}); write them like {{"stages": 2}}']
    sentences = []
    for fault in error.errors():
        where = "".join(f"{part}: " for part in fault["loc"])
        message = fault["msg"].removeprefix("Value error, ")
        value = "" if fault["type"] in ("value_error", "missing") else f"; found {fault['input']!r}"
        sentences.append(f"{where}{message[0].lower()}{message[1:]}{value}")
    return sentences
