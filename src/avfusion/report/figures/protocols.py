"""Figure of the same predictions scored under each protocol."""

from typing import TYPE_CHECKING

import pandas as pd

from avfusion.report.figures.style import looks, width
from avfusion.report.inputs import Caption, CorpusFiles, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_protocols(files: CorpusFiles, narrow: bool = False) -> "tuple[Figure, Caption] | None":
    """Draw the mean CCC under each protocol and the rank of each fusion."""
    from matplotlib.figure import Figure

    values = by_protocol(files)
    if values.empty:
        return None
    ranks = values.rank(ascending=False, method="min")
    height = max(2.6, 0.9 + 0.3 * len(values))
    figure = Figure(figsize=(width(narrow), 2 * height if narrow else height))
    figure.set_layout_engine("constrained", wspace=0.08)
    if narrow:
        left, right = figure.subplots(2, 1)
    else:
        left, right = figure.subplots(1, 2, width_ratios=(1, 0.9))
    style = looks(files.study.fusions)
    for axis, table in ((left, values), (right, ranks)):
        for name, row in table.iterrows():
            axis.plot(range(len(row)), row, color=style[name].colour, linestyle=style[name].dash,
                      marker=style[name].marker, markersize=6)  # fmt: skip
        axis.set_xticks(range(len(table.columns)), stamps(files, list(table.columns)))
        axis.margins(x=0.12)
    left.set_title("mean CCC")
    left.grid(axis="y")
    right.set_title("rank")
    _rank_axis(right, ranks)
    return figure, _caption(files, values, ranks)


def by_protocol(files: CorpusFiles) -> pd.DataFrame:
    """Return the mean CCC per fusion (rows, best first under the headline) and protocol."""
    scores = files.table("scores")
    if "mean" not in scores:
        return pd.DataFrame()
    rows = scores[(scores["target"] == "mean") & scores["mean"].notna()]
    table = rows.pivot_table(index="fusion", columns="protocol", values="mean")
    known = [p for p in files.study.protocols if p in table]
    if not known:
        return pd.DataFrame()
    first = files.study.headline if files.study.headline in known else known[0]
    return table[known].sort_values(first, ascending=False, kind="stable")


def stamps(files: CorpusFiles, protocols: list[str]) -> list[str]:
    """Return the printed names of protocols; a protocol that uses its gold labels is marked."""
    scores = files.table("scores")
    leaks = set(scores.loc[scores["leaks"].eq(True), "protocol"]) if "leaks" in scores else set()
    return [f"{name}\n(LEAKS GOLD)" if name in leaks else name for name in protocols]


def _rank_axis(axis: "Axes", ranks: pd.DataFrame) -> None:
    """Put rank 1 at the top and names at both ends, so that crossings can be followed."""
    last = ranks.columns[-1]
    axis.set_ylim(len(ranks) + 0.5, 0.5)
    axis.set_yticks(ranks[ranks.columns[0]], ranks.index)
    axis.spines["left"].set_visible(False)
    axis.tick_params(left=False)
    for name, rank in ranks[last].items():
        axis.annotate(f"{rank:.0f}  {name}", (len(ranks.columns) - 1, rank), (8, 0), va="center",
                      textcoords="offset points", fontsize=8.5, annotation_clip=False)  # fmt: skip


def _caption(files: CorpusFiles, values: pd.DataFrame, ranks: pd.DataFrame) -> Caption:
    moved = int((ranks.nunique(axis=1) > 1).sum())
    protocols = ", ".join(values.columns)
    text = (
        f"The same {files.partition} predictions on {files.corpus} scored under each named "
        f"protocol ({protocols}). {moved} of {len(values)} rows change rank with the protocol; "
        f"scores under different protocols are not comparable."
    )
    values_text = "; ".join(
        f"{name} " + ", ".join(number(v) for v in row) for name, row in values.iterrows()
    )
    return Caption(files.corpus, "protocols", "Scores under each protocol", text,
                   f"Mean CCC under {protocols}: {values_text}.")  # fmt: skip
