"""What the page says of each corpus, taken from the tables and from what is missing."""

import json
import math
from typing import Any

import pandas as pd

from avfusion.config.tasks import scoped
from avfusion.io.redact import without_paths
from avfusion.layout import Layout
from avfusion.report.absent import left_out
from avfusion.report.figures.protocols import by_protocol, stamps
from avfusion.report.figures.style import looks
from avfusion.report.inputs import CorpusFiles, interval, number, order, printed, read
from avfusion.report.page import classes as _page_classes
from avfusion.report.page import robustness
from avfusion.report.page.corpus_card import card, partitions
from avfusion.report.page.figures import figures_of
from avfusion.report.sentences import absence, of_seeds
from avfusion.report.tables.grids import origin


def corpora(study: dict[str, Any], layout: Layout) -> list[dict[str, Any]]:
    """One mapping a corpus that is here, in the study's order; `run: False` without scores."""
    summary = _json(layout.tables / "summary.json").get("corpora", {})
    gone = {name for one in left_out(study, layout) for name in one.names}
    return [
        _corpus(CorpusFiles(name, scoped(study, name), layout), summary.get(name, {}))
        for name in study["corpora"]
        if name not in gone
    ]


def _corpus(files: CorpusFiles, said: dict[str, Any]) -> dict[str, Any]:
    rows, classes = headline(files), files.on_classes
    run = any(row["run"] for row in rows)
    return {
        "name": files.corpus,
        "run": run,
        "sentences": said.get("sentences") or [f"{files.corpus}: not run."],
        "caveats": [without_paths(text) for text in said.get("caveats", [])],
        "header": said.get("header", ""),
        "headline": files.study["headline"],
        "metric": files.metric,
        "classes": classes,
        "targets": _page_classes.heads() if classes else list(printed(files.names).values()),
        "recalls": _page_classes.recalls(files),
        "rows": rows if run else [],
        "comparisons": comparisons(files) if run else [],
        "protocols": protocols(files) if run else {},
        "robustness": robustness.robustness(files) if run else {},
        "gates": robustness.gates(files) if run else [],
        "rules": list(_json(files.layout.scores(files.corpus) / "protocols.json").values()),
        "figures": figures_of(files.corpus, files.layout) if run else [],
        "card": card(files),
        "partitions": partitions(files),
        "videos_missing": videos_missing(files),
        "runs_missing": runs_missing(files),
    }


def headline(files: CorpusFiles) -> list[dict[str, Any]]:
    """The first table: a row a fusion, best first, those that were not run last."""
    scores = files.headline("scores")
    ranked = order(scores)
    style = looks(files.study["fusions"])
    absent = [name for name in files.study["fusions"] if name not in ranked]
    found, measured = [], _page_classes.cells(files)
    for name in ranked:
        rows = scores[scores["fusion"] == name].set_index("target")
        first = rows.loc["mean"]
        found.append(
            {
                "fusion": name,
                "colour": style[name].colour,
                "run": True,
                "best": bool(first.get("best", False)),
                "cells": measured.get(name) or _cells(rows, files),
                "seeds": of_seeds(int(first["seeds"]), files.study).rpartition(" ")[0],
                "videos": int(first["videos"]),
                "missing": int(first["missing"]),
                "parameters": parameters(files, name),
                "grid": origin(files.corpus, name, files.study, files.layout),
            }
        )
    why = {r.fusion: absence(r.note) for r in scores.itertuples()} if len(scores) else {}
    bare = {"run": False, "grid": ""}
    return found + [
        {"fusion": n, "colour": style[n].colour, "why": why.get(n, "not run"), **bare}
        for n in absent
    ]


def _cells(rows: pd.DataFrame, files: CorpusFiles) -> list[dict[str, Any]]:
    return [_page_classes.cell(rows.loc[target].to_dict()) for target in printed(files.names)]


def parameters(files: CorpusFiles, fusion: str) -> str:
    """Trained numbers of the fusion's model, as its first finished run wrote them down."""
    for seed in files.study["seeds"]:
        count = _json(files.layout.run(files.corpus, fusion, seed) / "settings.json")
        if "parameters" in count:
            return f"{count['parameters']:,}"
    return ""


def comparisons(files: CorpusFiles) -> list[dict[str, Any]]:
    """Every pair under the headline protocol, in the table's order, mean CCC first."""
    pairs = files.headline("comparisons")
    if not len(pairs):
        return []
    first = {target: i for i, target in enumerate(printed(files.names))}
    pairs = pairs[pairs["target"].isin(first)]
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


def protocols(files: CorpusFiles) -> dict[str, Any]:
    """Mean CCC and rank of every fusion under every protocol."""
    values = by_protocol(files)
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
    return {"names": stamps(files, list(values.columns)), "rows": rows}


def videos_missing(files: CorpusFiles) -> list[dict[str, str]]:
    """Every video without a score: its partition, the stage that lost it, and why."""
    rows = read(files.layout.scores(files.corpus) / "missing.csv")
    return [{k: without_paths(str(v)) for k, v in row.items()} for row in rows.to_dict("records")]


def runs_missing(files: CorpusFiles) -> list[dict[str, str]]:
    """Every run of the study that has no score on the reported partition, and why."""
    rows = files.headline("runs")
    if not len(rows):
        return [{"run": f"{fusion} seed {seed}", "why": "not run"} for fusion, seed in files.runs()]
    rows = rows[(rows["partition"] == files.partition) & (rows["target"] == "mean")]
    rows = rows.assign(value=rows[files.metric.lower()])
    why = {(r.fusion, r.seed): r.note for r in rows.itertuples() if pd.isna(r.value)}
    return [
        {"run": f"{fusion} seed {seed}", "why": without_paths(str(why[fusion, seed]))}
        for fusion, seed in files.runs()
        if (fusion, seed) in why
    ]


def _json(path: Any) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
