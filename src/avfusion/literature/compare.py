"""Compare published scores with ours and explain missing matches."""

import math
import re
from typing import Any

import pandas as pd

from avfusion.config import match
from avfusion.config.match import meant
from avfusion.config.study import Study
from avfusion.literature.published import CLASS_MEASURES, COMPARED, Published

Place = tuple[Any, ...]
"""Corpus, entry, partition, protocol, target, corruption, level and measure of a score."""


def compare(
    scores: pd.DataFrame,
    published: list[Published],
    study: Study,
    away: dict[str, str] | None = None,
) -> pd.DataFrame:
    """Compare each published number with ours.

    Parameters
    ----------
    scores
        `corpus, fusion, partition, protocol, target, mean, low, high, seeds`. The corpus of folds
        that are pooled is their names joined by `+`. Rows of corrupted input also have
        `corruption, level`; rows of classes have `measure` (wa, ua) and no target.
    published
        The published numbers.
    study
        Its corpora, fusions and protocols are matched.
    away
        Entry of `corpora` -> why it is not here.

    Returns
    -------
    DataFrame
        A row per published number with ours and its interval, in the unit of the paper. `verdict`
        is `inside interval` if the published number lies in our interval, else `outside`, or
        `not run`, for which `why` holds the reason.
    """
    ours = _by_place(scores)
    return pd.DataFrame([_compare(row, ours, study, away or {}) for row in published])


def _compare(
    row: Published, ours: dict[Place, dict[str, Any]], study: Study, away: dict[str, str]
) -> dict[str, Any]:
    """Return one published number with ours, or with the reason why there is none."""
    fields = row.model_dump(include={"paper", "corpus", "partition", "method", "metric", "unit"})
    fields |= row.model_dump(include={"target", "kind", "source", "note", "corruption"})
    measure = CLASS_MEASURES.get(row.metric, "")
    protocol = "classes" if measure else row.protocol or study.headline
    entry = match.find({"is": row.fusion, **row.options}, study) if row.fusion else None
    task = "classes" if measure else "ratings"
    entries, lost = meant(row.corpus, task, row.corpus_options, study)
    target = "" if measure else row.target
    partition = row.meets or row.partition
    place = ("+".join(entries), entry, partition, protocol, target, row.corruption, row.level)
    mine = ours.get((*place, measure), {}) if row.metric in COMPARED else {}
    ran = bool(mine) and math.isfinite(mine["mean"])
    unit = 100.0 if measure and row.unit == "%" else 1.0
    mean, low, high = (unit * mine[key] if ran else math.nan for key in ("mean", "low", "high"))
    absent = next((f"{row.corpus}: {away[name]}" for name in entries if name in away), lost)
    return {
        **fields,
        "fusion": entry or row.fusion,
        "protocol": protocol,
        "protocol_known": bool(row.protocol or measure),
        "theirs": row.value,
        "spread": math.nan if row.spread is None else row.spread,
        "level": math.nan if row.level is None else row.level,
        "ours": mean,
        "low": low,
        "high": high,
        "difference": mean - row.value,
        "verdict": _verdict(row.value, low, high) if ran else "not run",
        "why": _description(row, entries) if ran else _why(row, protocol, study, absent),
        "ours_on": ", ".join(entries) if ran else "",
        "ours_partition": partition,
    }


def _verdict(theirs: float, low: float, high: float) -> str:
    return "inside interval" if low <= theirs <= high else "outside"


def _description(row: Published, entries: list[str]) -> str:
    """Describe our measure if a paper names it otherwise, and how many folds it is of."""
    parts = []
    if row.metric in CLASS_MEASURES:
        measure = CLASS_MEASURES[row.metric].upper()
        theirs = re.search(r"printed as (\w+ accuracy)", row.note)
        swapped = {"UA": "weighted accuracy", "WA": "unweighted accuracy"}[measure]
        if theirs and theirs[1] == swapped:
            parts.append(f"ours is {measure}, which the paper calls {theirs[1]}")
        else:
            parts.append(f"ours is {measure}")
    if row.meets:
        parts.append(f"ours is of {row.meets}, which the paper calls {row.partition}")
    if len(entries) > 1:
        parts.append(f"over the videos of {len(entries)} folds at once")
    return ", ".join(parts)


def _why(row: Published, protocol: str, study: Study, absent: str) -> str:
    """Return the first thing that is missing for a comparison."""
    if row.metric not in COMPARED:
        return f"{row.metric} of {row.target}: only CCC, accuracy and its balance are compared here"
    if not row.fusion:
        return "not a fusion of this project"
    if absent:
        return absent
    lacking = match.lacking({"is": row.fusion, **row.options}, study)
    if lacking:
        return lacking
    if protocol not in (*study.protocols, "classes"):
        return f"protocol {protocol} is not in the study"
    if row.corruption:
        return f"no score with {row.corruption} at {row.level:g}"
    return f"no score on {row.meets or row.partition} of {row.corpus}"


def _by_place(scores: pd.DataFrame) -> dict[Place, dict[str, Any]]:
    """Index our scores by place."""
    ours: dict[Place, dict[str, Any]] = {}
    for row in scores.to_dict("records"):
        level, measure = row.get("level", math.nan), row.get("measure")
        clean = not isinstance(row.get("corruption"), str) or math.isnan(level)
        key = tuple(row[name] for name in ("corpus", "fusion", "partition", "protocol", "target"))
        end = ("", None) if clean else (row["corruption"], level)
        values = {str(name): value for name, value in row.items()}
        ours[(*key, *end, measure if isinstance(measure, str) else "")] = values
    return ours
