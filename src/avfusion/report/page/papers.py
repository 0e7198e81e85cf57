"""What the page says of the papers: their claims and their numbers, taken from the tables."""

import math
from typing import Any

import pandas as pd

from avfusion.config.match import kinds_of
from avfusion.layout import Layout
from avfusion.literature.published import COMPARED
from avfusion.report.absent import left_out
from avfusion.report.inputs import interval, number, read
from avfusion.report.tables import published
from avfusion.report.tables.claims import caveats, header


def papers(study: dict[str, Any], layout: Layout) -> dict[str, Any]:
    """Claims by corpus, and published numbers; both empty where the tables were not written."""
    claims = read(layout.tables / "claims.csv")
    numbers = read(layout.tables / "published.csv")
    gone = {name for one in left_out(study, layout) for name in one.names}
    claims = claims[~claims["corpus"].isin(gone)] if len(claims) else claims
    by_corpus = claims.groupby("corpus", sort=False) if len(claims) else []
    return {
        "claims": [_claims(name, rows, study) for name, rows in by_corpus],
        "published": _published(numbers, study) if len(numbers) else None,
    }


def _claims(corpus: str, rows: pd.DataFrame, study: dict[str, Any]) -> dict[str, Any]:
    texts = ["says", "source", "quantity", "detail", "missing", "claimed_on", "partition"]
    rows = rows.assign(**{name: rows[name].fillna("") for name in texts})
    ran = rows["verdict"] != "not run"
    return {
        "corpus": corpus,
        "said": header(rows, corpus),
        "caveats": caveats(rows, study),
        "rows": [_claim(row) for row in rows[ran].to_dict("records")],
        "absent": rows[~ran].to_dict("records"),
    }


def _claim(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "effect": number(row["effect"], sign=True),
        "interval": interval(row["low"], row["high"], sign=True),
        "p_holm": number(row["p_holm"]),
    }


def _published(table: pd.DataFrame, study: dict[str, Any]) -> dict[str, Any]:
    """Numbers with a counterpart; those on the study's corpora that lack one; how many others."""
    table = table.assign(**{c: table[c].fillna("") for c in ("fusion", "why", "corruption")})
    met = table["verdict"] != "not run"
    here = table["corpus"].isin(
        [kind for name in study["corpora"] for kind in kinds_of(name, study)]
    )
    open_ = here & ~met & table["metric"].isin(COMPARED) & table["fusion"].ne("")
    others = table[~met & ~open_]
    return {
        "said": published.header(table) if (here | met).any() else "",
        "head": [*published.HEAD, "corpus"],
        "met": _lines(table[met]),
        "absent": _lines(table[open_]),
        "here": int(here.sum()),
        "corpora": ", ".join(study["corpora"]),
        "others": len(others),
        "elsewhere": ", ".join(f"{k} ({n})" for k, n in others["corpus"].value_counts().items()),
    }


def _lines(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "cells": [*published.cells_of(row), row.corpus],
            "source": row.source + (f"; {row.note}" if isinstance(row.note, str) else ""),
            "why": row.why,
        }
        for row in rows.itertuples()
        if math.isfinite(row.theirs)
    ]
