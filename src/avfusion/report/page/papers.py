"""Claims and numbers of the papers in the page, from claims.csv and published.csv."""

import math
from typing import Any

import pandas as pd

from avfusion.config.match import kinds_of
from avfusion.config.study import Study
from avfusion.layout import Layout
from avfusion.literature.published import COMPARED
from avfusion.report.absent import left_out
from avfusion.report.format import p_value
from avfusion.report.inputs import interval, number, read
from avfusion.report.marks import Marks
from avfusion.report.recordings import same_people
from avfusion.report.tables import published
from avfusion.report.tables.claims import header


def papers(study: Study, layout: Layout) -> dict[str, Any]:
    """Return claims by corpus, and published numbers; both empty without their tables."""
    claims = read(layout.tables / "claims.csv")
    numbers = read(layout.tables / "published.csv")
    gone = {name for one in left_out(study, layout) for name in one.names}
    claims = claims[~claims["corpus"].isin(gone)] if len(claims) else claims
    by_corpus = list(claims.groupby("corpus", sort=False)) if len(claims) else []
    return {
        "claims": [_claims(str(name), rows, study, layout) for name, rows in by_corpus],
        "published": _published(numbers, study) if len(numbers) else None,
    }


def _claims(corpus: str, rows: pd.DataFrame, study: Study, layout: Layout) -> dict[str, Any]:
    texts = ["says", "source", "quantity", "detail", "missing", "claimed_on", "partition"]
    rows = rows.assign(**{name: rows[name].fillna("") for name in texts})
    ran = rows["verdict"] != "not run"
    return {
        "corpus": corpus,
        "header": header(rows, corpus),
        "caveats": [
            *Marks.read([corpus], study, layout).caveats(),
            *same_people(corpus, layout),
        ],
        "rows": [_claim(row) for row in rows[ran].to_dict("records")],
        "absent": rows[~ran].to_dict("records"),
    }


def _claim(row: dict[Any, Any]) -> dict[Any, Any]:
    return {
        **row,
        "effect": number(row["effect"], sign=True),
        "interval": interval(row["low"], row["high"], sign=True),
        "p_holm": p_value(row["p_holm"]),
    }


def _published(table: pd.DataFrame, study: Study) -> dict[str, Any]:
    """Return compared numbers, those of our corpora without a counterpart, and the other counts."""
    table = table.assign(**{c: table[c].fillna("") for c in ("fusion", "why", "corruption")})
    compared = table["verdict"] != "not run"
    here = table["corpus"].isin([kind for name in study.corpora for kind in kinds_of(name, study)])
    open_ = here & ~compared & table["metric"].isin(COMPARED) & table["fusion"].ne("")
    others = table[~compared & ~open_]
    counts = others["corpus"].value_counts()
    return {
        "header": published.header(table) if (here | compared).any() else "",
        "head": [*published.HEAD, "corpus"],
        "compared": _lines(table[compared]),
        "absent": _lines(table[open_]),
        "here": int(here.sum()),
        "corpora": ", ".join(study.corpora),
        "others": len(others),
        "elsewhere": ", ".join(f"{corpus} ({count})" for corpus, count in counts.items()),
    }


def _lines(rows: pd.DataFrame) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    row: Any
    for row in rows.itertuples():
        if math.isfinite(row.theirs):
            source = row.source + (f"; {row.note}" if isinstance(row.note, str) else "")
            cells = [*published.cells_of(row), row.corpus]
            lines.append({"cells": cells, "source": source, "why": row.why})
    return lines
