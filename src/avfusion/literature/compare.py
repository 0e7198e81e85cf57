"""Published numbers beside ours: like meets like, and what has no counterpart says why."""

import math
import re
from typing import Any

import pandas as pd

from avfusion.config import match
from avfusion.config.match import meant
from avfusion.literature.published import CLASS_MEASURES, COMPARED, Published


def beside(
    scores: pd.DataFrame,
    published: list[Published],
    study: dict[str, Any],
    away: dict[str, str] | None = None,
) -> pd.DataFrame:
    """A row a published number: theirs, ours with its interval, and which of three it is.

    scores: `corpus, fusion, partition, protocol, target, mean, low, high, seeds`, a row each; the
    corpus of folds taken together is their names with `+` between; for corrupted input also
    `corruption, level`; on classes `measure` (wa, ua) and no target. away: entry of `corpora` ->
    why it is not here. verdict: `inside interval` if theirs lies in ours, `outside`, or `not run`,
    and `why` says what there is none of. Ours is given in their unit.
    """
    ours = _by_place(scores)
    return pd.DataFrame([_beside(row, ours, study, away or {}) for row in published])


def _beside(
    row: Published, ours: dict[tuple, dict], study: dict[str, Any], away: dict[str, str]
) -> dict[str, Any]:
    """One published number with ours, or with what there is none of."""
    found = row.model_dump(include={"paper", "corpus", "partition", "method", "metric", "unit"})
    found |= row.model_dump(include={"target", "kind", "source", "note", "corruption"})
    measure = CLASS_MEASURES.get(row.metric, "")
    protocol = "classes" if measure else row.protocol or study["headline"]
    entry = match.find({"is": row.fusion, **row.options}, study) if row.fusion else None
    task = "classes" if measure else "ratings"
    entries, lost = meant(row.corpus, task, row.corpus_options, study)
    target = "" if measure else row.target
    place = ("+".join(entries), entry, row.partition, protocol, target, row.corruption, row.level)
    mine = ours.get((*place, measure), {}) if row.metric in COMPARED else {}
    ran = bool(mine) and math.isfinite(mine["mean"])
    unit = 100.0 if measure and row.unit == "%" else 1.0
    mean, low, high = (unit * mine[key] if ran else math.nan for key in ("mean", "low", "high"))
    gone = next((f"{row.corpus}: {away[name]}" for name in entries if name in away), lost)
    return {
        **found,
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
        "why": _beside_what(row, entries) if ran else _why(row, protocol, study, gone),
        "ours_on": ", ".join(entries) if ran else "",
    }


def _verdict(theirs: float, low: float, high: float) -> str:
    return "inside interval" if low <= theirs <= high else "outside"


def _beside_what(row: Published, entries: list[str]) -> str:
    """What ours is, where that is not plain: a measure that a paper names otherwise, and folds.

    Of a CCC of one entry there is nothing to say.
    """
    said = []
    if row.metric in CLASS_MEASURES:
        measure = CLASS_MEASURES[row.metric].upper()
        theirs = re.search(r"printed as (\w+ accuracy)", row.note)
        swapped = {"UA": "weighted accuracy", "WA": "unweighted accuracy"}[measure]
        if theirs and theirs[1] == swapped:
            said.append(f"ours is {measure}, which the paper calls {theirs[1]}")
        else:
            said.append(f"ours is {measure}")
    if len(entries) > 1:
        said.append(f"over the videos of {len(entries)} folds at once")
    return ", ".join(said)


def _why(row: Published, protocol: str, study: dict[str, Any], gone: str) -> str:
    """The first thing that has to be there before the number can be met."""
    if row.metric not in COMPARED:
        return f"{row.metric} of {row.target}: only CCC, accuracy and its balance are compared here"
    if not row.fusion:
        return "not a fusion of this project"
    if gone:
        return gone
    lacking = match.lacking({"is": row.fusion, **row.options}, study)
    if lacking:
        return lacking
    if protocol not in (*study["protocols"], "classes"):
        return f"protocol {protocol} is not in the study"
    if row.corruption:
        return f"no score with {row.corruption} at {row.level:g}"
    return f"no score on {row.partition} of {row.corpus}"


def _by_place(scores: pd.DataFrame) -> dict[tuple, dict]:
    """Our scores by corpus, entry, partition, protocol, target, corruption, level and measure."""
    found = {}
    for row in scores.to_dict("records"):
        level, measure = row.get("level", math.nan), row.get("measure")
        whole = not isinstance(row.get("corruption"), str) or math.isnan(level)
        key = tuple(row[name] for name in ("corpus", "fusion", "partition", "protocol", "target"))
        end = ("", None) if whole else (row["corruption"], level)
        found[(*key, *end, measure if isinstance(measure, str) else "")] = row
    return found
