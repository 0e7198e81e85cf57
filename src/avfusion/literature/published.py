"""Published numbers: config/published.csv, checked row by row and put beside this study's.

No number of the file was measured here and none of ours is in it. A number of a paper and one of
ours are compared only where corpus, partition, fusion, target and scoring rule are the same.
Accuracy on classes (WA) and balanced accuracy (UA) are met by the measures of those names.
"""

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from avfusion.errors import ConfigError

FILE = Path("config/published.csv")


KEY = ["paper", "corpus", "partition", "method", "corruption", "level", "metric", "unit"]


KEY += ["target", "note"]


CLASS_MEASURES = {"accuracy": "wa", "balanced_accuracy": "ua"}
"""Metric of the file -> measure of tables/classes.csv."""


COMPARED = ("ccc", *CLASS_MEASURES)


RANGES = {"ccc": (-1, 1), "pearson": (-1, 1), "mae": (0, math.inf), "min_dcf": (0, 1)}
"""Least and greatest value of a metric that is no share; a share lies in [0, 1] or [0, 100]."""


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
        "", description="What was done to the input; empty for whole input."
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
    """Every published number; refuses with a sentence for each wrong row and each twin."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such file. Run from the project's root.")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    absent = [name for name in Published.model_fields if name not in table]
    if absent:
        raise ConfigError(f"{path}: no column {', '.join(absent)}. Add it to the first line.")
    rows, found = [], []
    for number, raw in enumerate(table.to_dict("records"), start=2):
        try:
            rows.append(Published.model_validate(_typed(raw)))
        except (ValidationError, json.JSONDecodeError) as error:
            found += [f"{path}: row {number}: {said}." for said in _sentences(error)]
    twins = table[table.duplicated(KEY, keep="first")]
    for i, row in twins.iterrows():
        first = table.index[(table[KEY] == row[KEY]).all(axis=1)][0] + 2
        found.append(f"{path}: row {i + 2}: says again what row {first} says. Remove one of them.")
    if found:
        raise ConfigError("\n".join(found))
    return rows


def schema() -> str:
    """The JSON schema of the file's rows, as workflow/schemas/published.schema.json holds it."""
    rows = TypeAdapter(list[Published]).json_schema()
    return json.dumps({"title": "Rows of config/published.csv", **rows}, indent=2) + "\n"


def _typed(raw: dict[str, str]) -> dict[str, Any]:
    """Empty cells are absent; options are JSON."""
    given = {key: value for key, value in raw.items() if value != ""}
    for name in ("options", "corpus_options"):
        if name in given:
            given[name] = json.loads(given[name])
    return given


def _sentences(error: ValidationError | json.JSONDecodeError) -> list[str]:
    if isinstance(error, json.JSONDecodeError):
        return [f'options are no JSON ({error.msg.lower()}); write them like {{"stages": 2}}']
    found = []
    for fault in error.errors():
        where = "".join(f"{part}: " for part in fault["loc"])
        said = fault["msg"].removeprefix("Value error, ")
        value = "" if fault["type"] in ("value_error", "missing") else f"; found {fault['input']!r}"
        found.append(f"{where}{said[0].lower()}{said[1:]}{value}")
    return found
