"""Table of protocols: results/tables/protocols.{csv,md}."""

from typing import Any

import numpy as np

from avfusion.report import format, sentences
from avfusion.report.format import markdown, number
from avfusion.report.tables.part import TableData


def write_protocols(data: TableData) -> None:
    """Write the mean CCC and the rank of every fusion under each protocol."""
    shown, rows = [], []
    for part in data.parts:
        mean = part.scores[part.scores["target"] == "mean"].copy()
        ranks = mean.groupby("protocol")["mean"].rank(ascending=False, method="min")
        mean["rank"] = ranks.astype("Int64")
        rows.append(mean[["corpus", "partition", "fusion", "protocol", "leaks", "mean", "rank"]])
        at = mean.set_index(["fusion", "protocol"])
        cells = [
            [name, *(_ranked(at.loc[(name, rule.name)]) for rule in part.rules)]
            for name in part.order
        ]
        shown += [f"## {part.scored.corpus}", sentences.protocol_header(part.scored)]
        shown += part.same_people + sentences.constant_gold(part.scored)
        shown += [markdown(["fusion", *(rule.stamp for rule in part.rules)], cells)]
        shown += ["\n".join(f"- {rule.stamp}: {rule.description}" for rule in part.rules)]
    shown += sentences.not_run(data.absent)
    format.write_csv(data.layout.tables / "protocols.csv", format.join(rows))
    format.write_page(data.layout.tables / "protocols.md", "Protocols", shown)


def _ranked(row: Any) -> str:
    if np.isfinite(row["mean"]):
        return f"{number(row['mean'])} ({row['rank']})"
    return format.NONE if row["seeds"] else "not run"
