"""Settings of the papers' published code, next to those of config/experiments.

config/published_settings.csv has one row per setting of each `<paper>_as_published.yaml`: what the
authors published, and our value of the key. A value is written as YAML. `unlisted` compares the
rows with the settings that the study has.
"""

import ast
import math
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from avfusion.config.study import Study
from avfusion.config.widths import options_of
from avfusion.errors import ConfigError
from avfusion.registry import encoders, fusions

FILE = Path("config/published_settings.csv")
SUFFIX = "_as_published"
"""Ending of the studies that follow published code, before `.yaml`."""

NOT_STATED = "not stated"
NOT_USED = "not used"
LEAVES = ("train.schedule", "train.corrupt", "grid", "robustness")
"""Settings that are one value, although they are mappings."""
COVERED = (
    "class",
    "options",
    "corpus",
    "features",
    "windows",
    "train",
    "headline",
    "seeds",
    "verification",
)
"""Sections whose every key must have a row."""
IF_GIVEN = ("grid", "robustness")
"""Sections that must have a row unless they are empty."""


class PublishedSetting(BaseModel):
    """One setting of published code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    paper: str = Field(pattern=r"^[a-z0-9_]+$", description="Study without the ending.")
    fusion: str = Field("", description="Entry of `fusions` that the row is about; empty for all.")
    setting: str = Field(min_length=1, description="What is set, in words.")
    key: str = Field("", description="Path into the settings of a run; empty if there is no key.")
    published: str = Field(
        min_length=1, description="Value as YAML, `not stated`, or `not used` without effect."
    )
    ours: str = Field(min_length=1, description="Value as YAML; words if there is no key.")
    source: str = Field("", description="Where the published value can be seen.")
    kind: Literal["code", "bytecode", "log", "paper", "poster", "inferred", ""] = Field(
        "", description="Kind of the source; empty if nothing is stated."
    )
    remark: str = ""

    @property
    def equal(self) -> str:
        """`yes` or `no`, or that nothing is stated or that the setting has no effect."""
        if self.published in (NOT_STATED, NOT_USED):
            return self.published
        same = bool(self.key) and equal(value(self.published), value(self.ours))
        return "yes" if same else "no"


def load(path: Path = FILE) -> list[PublishedSetting]:
    """Read all rows.

    Raises
    ------
    ConfigError
        If the file is missing or a row is wrong; the message has a line per fault.
    """
    if not path.is_file():
        raise ConfigError(f"File not found: {path}. Run from the root folder of the project.")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    rows, faults = [], []
    for number, raw in enumerate(table.to_dict("records"), start=2):
        try:
            rows.append(PublishedSetting.model_validate(raw))
        except ValidationError as error:
            faults += [
                f"{path}: row {number}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}."
                for fault in error.errors()
            ]
    repeated = table.index[table.duplicated(["paper", "fusion", "setting", "key"])]
    faults += [f"{path}: row {place + 2} repeats an earlier row. Remove one." for place in repeated]
    if faults:
        raise ConfigError("\n".join(faults))
    return rows


def resolved(study: Study, corpus: str, fusion: str) -> dict[str, Any]:
    """Return path -> value of every setting of a fusion's runs on a corpus, defaults included."""
    run = study.run_settings(corpus, fusion, study.seeds[0])
    document = run.document()
    document["train"]["schedule"] = run.train.schedule.model_dump(mode="json", exclude_none=True)
    names = ("class", "features", "windows", "train", "grid")
    settings: dict[str, Any] = {name: document[name] for name in names}
    settings["verification"] = document["verification"] or {}
    settings["options"] = _with_defaults(run.class_, run.options)
    rules = study.scoped(corpus)
    settings |= {"seeds": study.seeds, "headline": rules.headline, "protocols": rules.protocols}
    settings |= {"robustness": study.robustness, "corpus": study.corpora[corpus].options}
    known = (name for name in run.features.encoders if encoders.known(study.encoder_class(name)))
    settings["encoders"] = {name: options_of(study, name) for name in known}
    settings["media"] = study.media.model_dump(mode="json")
    return _flat(settings)


def unlisted(study: Study, rows: list[PublishedSetting]) -> list[str]:
    """Return one message per setting of a study that its rows leave out or give a wrong value.

    Parameters
    ----------
    study
        A study that follows published code.
    rows
        The rows of its paper.
    """
    messages: dict[str, None] = {}
    for name in {row.fusion for row in rows} - {"", *study.fusions}:
        messages[f"fusions.{name}: no such entry, but a row"] = None
    for fusion in study.fusions:
        if study.closed_form(fusion):  # the baseline that every study has
            continue
        settings = resolved(study, next(iter(study.corpora)), fusion)
        about = {row.key: row for row in rows if row.fusion in ("", fusion) and row.key}
        for key, row in about.items():
            if key not in settings:
                messages[f"{key}: no such setting of {fusion}"] = None
            elif not equal(value(row.ours), settings[key]):
                messages[f"{key}: {fusion} has {settings[key]!r}, the row {row.ours}"] = None
        for key in settings.keys() - about.keys():
            section = key.partition(".")[0]
            if section in COVERED or (section in IF_GIVEN and settings[key]):
                messages[f"{key}: {fusion} has {settings[key]!r}, and no row"] = None
    return sorted(messages)


def value(text: str) -> Any:
    """Return the value of a cell: YAML.

    >>> value("{is: step, every: 2}")
    {'is': 'step', 'every': 2}
    """
    return yaml.safe_load(text)


def equal(one: Any, other: Any) -> bool:
    """Return whether two values are the same; numbers to six digits, since 32/30 has no end.

    >>> equal(1.0666667, 32 / 30), equal({"a": [1]}, {"a": [1.0]}), equal(None, 0)
    (True, True, False)
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    numbers = (int, float)
    if type(one) in numbers and type(other) in numbers:
        return math.isclose(one, other, rel_tol=1e-6)
    return bool(one == other)


def _with_defaults(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a fusion with their defaults, and those of the fusion it wraps."""
    options = {name: ast.literal_eval(text) for name, text in fusions.options(kind).items()}
    options |= given
    if {"wraps", "inner"} <= options.keys():
        options["inner"] = _with_defaults(options["wraps"], options["inner"] or {})
    return options


def _flat(settings: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Return path -> value of nested settings."""
    flat: dict[str, Any] = {}
    for name, entry in settings.items():
        key = f"{path}.{name}" if path else name
        if isinstance(entry, dict) and key not in LEAVES:
            flat |= _flat(entry, key)
        else:
            flat[key] = entry
    return flat
