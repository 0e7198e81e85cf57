"""Table of how the features fit the scale of the train partition: features.{csv,md}."""

from typing import Any

from avfusion.report import format, scaling
from avfusion.report.format import markdown
from avfusion.report.tables.part import TableData

HEAD = ["encoder", "partition", "videos", "limited or missing", "worst feature", "constant", "dead"]
WORDS = (
    "Shares are of clips in which the modality is present. Where nothing is, as in files whose "
    "rows all failed, see `missing_share` in `features/<corpus>/<encoder>/index.parquet`. "
    "Values are limited where they are further from the center of the train partition than "
    "`train.limit` times its scale; `standardise: standard` and `none` pass them on. Constant: "
    "features that are constant on the train partition. Dead: features that fire in less than "
    "0.5 % of its rows."
)


def write_features(data: TableData) -> None:
    """Write the shares of limited and missing values of every encoder and partition."""
    shown = [WORDS]
    for part in data.parts:
        rows = [_cells(row) for row in part.scaling.to_dict("records")]
        shown += [f"## {part.scored.corpus}"]
        shown += [markdown(HEAD, rows)] if rows else ["Not recorded: no run has a scaling.csv."]
        shown += scaling.caveats(part.scaling)
    table = format.join([part.scaling for part in data.parts])
    columns = table if len(table) else table.reindex(columns=list(scaling.COLUMNS))
    format.write_csv(data.layout.tables / "features.csv", columns)
    format.write_page(data.layout.tables / "features.md", "Features", shown)


def _cells(row: dict[Any, Any]) -> list[str]:
    of = "" if row["fusions"] == "all" else f" ({row['fusions']})"
    worst = f"{row['worst_feature']} ({row['worst_share']:.2%})" if row["worst_share"] else ""
    counts = [f"{row[name]} of {row['features']}" for name in ("constant", "dead")]
    return [f"{row['encoder']}{of}", row["partition"], str(row["videos"]), f"{row['share']:.2%}",
            worst, *counts]  # fmt: skip
