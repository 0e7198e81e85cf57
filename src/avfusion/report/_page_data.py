"""What the page says of each corpus, taken from the tables, the card and what is missing."""

import ast
import json
import math
from typing import Any

import pandas as pd

from avfusion.errors import AvfError
from avfusion.layout import Layout
from avfusion.registry import corpora as corpus_files
from avfusion.report._fig_protocols import by_protocol, stamps
from avfusion.report._fig_read import TARGETS, Part, interval, number, order, read
from avfusion.report._page_figures import figures_of
from avfusion.report._page_paths import without_paths
from avfusion.report.style import looks

UNITS = {"_s": " (s)", "_hz": " (Hz)", "_px": " (px)", "_mb": " (MB)"}


def corpora(study: dict[str, Any], layout: Layout) -> list[dict[str, Any]]:
    """One mapping a corpus of the study, in its order; a corpus without scores is `run: False`."""
    summary = _json(layout.tables / "summary.json").get("corpora", {})
    return [_corpus(Part(name, study, layout), summary.get(name, {})) for name in study["corpora"]]


def _corpus(part: Part, said: dict[str, Any]) -> dict[str, Any]:
    rows = headline(part)
    run = any(row["run"] for row in rows)
    return {
        "name": part.corpus,
        "run": run,
        "sentences": said.get("sentences") or [f"{part.corpus}: not run."],
        "caveats": [without_paths(text) for text in said.get("caveats", [])],
        "header": said.get("header", ""),
        "rows": rows if run else [],
        "comparisons": comparisons(part) if run else [],
        "protocols": protocols(part) if run else {},
        "rules": list(_json(part.layout.scores(part.corpus) / "protocols.json").values()),
        "figures": figures_of(part.corpus, part.layout) if run else [],
        "card": card(part),
        "partitions": partitions(part),
        "videos_missing": videos_missing(part),
        "runs_missing": runs_missing(part),
    }


def headline(part: Part) -> list[dict[str, Any]]:
    """The first table: a row a fusion, best first, those that were not run last."""
    scores = part.headline("scores")
    ranked = order(scores)
    style = looks(part.study["fusions"])
    absent = [name for name in part.study["fusions"] if name not in ranked]
    found = []
    for name in ranked:
        rows = scores[scores["fusion"] == name].set_index("target")
        first = rows.loc["mean"]
        found.append(
            {
                "fusion": name,
                "colour": style[name].colour,
                "run": True,
                "best": bool(first.get("best", False)),
                "cells": [_cell(rows.loc[target]) for target in TARGETS],
                "seeds": int(first["seeds"]),
                "videos": int(first["videos"]),
                "missing": int(first["missing"]),
                "parameters": parameters(part, name),
            }
        )
    return found + [{"fusion": n, "colour": style[n].colour, "run": False} for n in absent]


def parameters(part: Part, fusion: str) -> str:
    """Trained numbers of the fusion's model, as its first finished run wrote them down."""
    for seed in part.study["seeds"]:
        count = _json(part.layout.run(part.corpus, fusion, seed) / "settings.json")
        if "parameters" in count:
            return f"{count['parameters']:,}"
    return ""


def _cell(row: pd.Series) -> dict[str, Any]:
    spread = "" if math.isnan(row["sd"]) else number(row["sd"])
    return {
        "value": row["mean"],
        "text": number(row["mean"]),
        "sd": spread,
        "interval": interval(row["low"], row["high"]),
    }


def comparisons(part: Part) -> list[dict[str, Any]]:
    """Every pair under the headline protocol, in the table's order, mean CCC first."""
    pairs = part.headline("comparisons")
    if not len(pairs):
        return []
    first = {target: i for i, target in enumerate(TARGETS)}
    rows = pairs.assign(at=pairs["target"].map(first)).sort_values("at", kind="stable")
    return [
        {
            **row,
            "difference": number(row["difference"], sign=True),
            "interval": interval(row["low"], row["high"], sign=True),
            "p": number(row["p"]),
            "p_holm": number(row["p_holm"]),
            "told_apart": bool(row["told_apart"]),
        }
        for row in rows.to_dict("records")
    ]


def protocols(part: Part) -> dict[str, Any]:
    """Mean CCC and rank of every fusion under every protocol."""
    values = by_protocol(part)
    ranks = values.rank(ascending=False, method="min")
    rows = [
        {
            "fusion": name,
            "cells": [
                {"text": number(value), "value": value, "rank": "" if math.isnan(r) else f"{r:.0f}"}
                for value, r in zip(values.loc[name], ranks.loc[name], strict=True)
            ],
        }
        for name in values.index
    ]
    return {"names": stamps(part, list(values.columns)), "rows": rows}


def card(part: Part) -> dict[str, Any]:
    """corpus.json as lines, and what the corpus' own file says of itself."""
    facts = {_label(key): _fact(value) for key, value in part.card().items() if key != "name"}
    try:
        text = ast.get_docstring(ast.parse(corpus_files.source(part.corpus).read_text())) or ""
    except AvfError:
        text = ""
    return {"facts": facts, "text": [block for block in text.split("\n\n") if block.strip()]}


def _label(key: str) -> str:
    for suffix, unit in UNITS.items():
        key = key.removesuffix(suffix) + unit if key.endswith(suffix) else key
    return key.replace("_", " ")


def _fact(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_fact(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_fact(inner) for inner in value)
    return without_paths(f"{value:g}" if isinstance(value, float) else str(value))


def partitions(part: Part) -> list[dict[str, Any]]:
    """Videos and subjects of each partition, and in how many of those anyone of train is seen."""
    rows = read(part.layout.manifest(part.corpus))
    if not len(rows):
        return []
    train = set(rows.loc[rows["partition"] == "train", "subject"].dropna())
    return [
        {
            "name": name,
            "videos": len(own),
            "subjects": own["subject"].nunique(),
            "shared": 0 if name == "train" else len(train & set(own["subject"].dropna())),
        }
        for name, own in rows.groupby("partition", sort=False)
    ]


def videos_missing(part: Part) -> list[dict[str, str]]:
    """Every video without a score: its partition, the stage that lost it, and why."""
    rows = read(part.layout.scores(part.corpus) / "missing.csv")
    return [{k: without_paths(str(v)) for k, v in row.items()} for row in rows.to_dict("records")]


def runs_missing(part: Part) -> list[dict[str, str]]:
    """Every run of the study that has no score on the reported partition, and why."""
    rows = part.headline("runs")
    if not len(rows):
        return [{"run": f"{fusion} seed {seed}", "why": "not run"} for fusion, seed in part.runs()]
    rows = rows[(rows["partition"] == part.partition) & (rows["target"] == "mean")]
    why = {(r.fusion, r.seed): r.note for r in rows.itertuples() if pd.isna(r.ccc)}
    return [
        {"run": f"{fusion} seed {seed}", "why": without_paths(str(why[fusion, seed]))}
        for fusion, seed in part.runs()
        if (fusion, seed) in why
    ]


def _json(path: Any) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
