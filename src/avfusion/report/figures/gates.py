"""Figure of the response of gates to planted spans."""

import itertools
from typing import TYPE_CHECKING, Any

import pandas as pd

from avfusion.report.figures.style import INK, SOFT, looks
from avfusion.report.inputs import Caption, CorpusFiles, interval, number
from avfusion.robustness.gates import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


KIND_MARKERS = "sDv^<>P"


def draw_gate_auroc(files: CorpusFiles) -> "tuple[Figure, Caption] | None":
    """Draw the AUROC of every gate, one panel per modality: all spans, then each kind."""
    from matplotlib.figure import Figure

    table = files.table("gates")
    table = table.dropna(subset=["auroc"]) if len(table) else table
    if not len(table):
        return None
    gates = list(dict.fromkeys(zip(table["fusion"], table["gate"], strict=True)))
    modalities = sorted(table["modality"].unique())
    figure = Figure(figsize=(8.2, 1.5 + 0.36 * len(gates)), layout="constrained")
    axes = figure.subplots(1, len(modalities), sharex=True, sharey=True, squeeze=False)[0]
    pairs = table.loc[table["kind"] != "any", ["modality", "kind"]].drop_duplicates()
    markers = dict(zip(pairs.sort_values("modality").itertuples(index=False, name=None),
                       itertools.cycle(KIND_MARKERS), strict=False))  # fmt: skip
    for axis, modality in zip(axes, modalities, strict=True):
        rows = table[table["modality"] == modality]
        kinds = {k: m for (a, k), m in markers.items() if a == modality}
        _auroc_panel(axis, files, rows, gates, kinds)
        axis.set_title(f"spans in {modality}")
        axis.set_xlabel("AUROC of the gate's weight")
    handles, labels = _marks(markers)
    if handles:
        figure.legend(handles, labels, loc="outside lower right", ncols=6, fontsize=8)
    axes[0].set_yticks(range(len(gates)), [f"{f}: {words(g)}" for f, g in gates])
    axes[0].set_ylim(len(gates) - 0.4, -0.6)
    return figure, _auroc_caption(files, table)


def _marks(markers: dict[tuple[str, str], str]) -> tuple[list[Any], list[str]]:
    """Return the legend of the kinds of spans."""
    from matplotlib.lines import Line2D

    style: dict[str, Any] = {
        "color": INK,
        "linestyle": "",
        "markersize": 4,
        "markerfacecolor": "none",
    }
    handles = [Line2D([], [], marker=marker, **style) for marker in markers.values()]
    return handles, [f"{kind} ({modality})" for modality, kind in markers]


def _auroc_panel(
    axis: "Axes",
    files: CorpusFiles,
    rows: pd.DataFrame,
    gates: list[tuple[str, str]],
    markers: dict[str, str],
) -> None:
    style = looks(files.study.fusions)
    axis.axvline(0.5, color=SOFT, linewidth=1)
    for y, (fusion, gate) in enumerate(gates):
        kinds = rows[(rows["fusion"] == fusion) & (rows["gate"] == gate)].set_index("kind")
        drawn = style[fusion]
        if "any" in kinds.index:
            row = kinds.loc["any"]
            axis.plot([row["low"], row["high"]], [y, y], color=drawn.colour, linewidth=2)
            axis.plot([row["auroc"]], [y], color=drawn.colour, marker=drawn.marker, markersize=6)
        for kind, marker in markers.items():
            if kind in kinds.index:
                axis.plot([kinds.loc[kind, "auroc"]], [y + 0.3], marker=marker, markersize=4,
                          markerfacecolor="none", color=drawn.colour)  # fmt: skip
    axis.grid(axis="x")
    axis.tick_params(left=False)
    axis.spines["left"].set_visible(False)


def _auroc_caption(files: CorpusFiles, table: pd.DataFrame) -> Caption:
    text = (
        f"{files.corpus}, {files.partition} partition: the chance that a gate's weight is larger "
        f"in a clip of a planted span than in a clean clip. 0.5: no response; a value on "
        f"either side is a response. Filled: all spans of the modality, bar: {files.confidence} "
        f"interval over {files.unit_word}s; hollow: each kind of span. "
        f"The weight is that of the attended features (audio, video) or of video (modality)."
    )
    rows = table[table["kind"] == "any"]
    values = [
        f"{r.fusion} {words(r.gate)} in {r.modality} spans {number(r.auroc)} "
        f"{interval(r.low, r.high)}"
        for r in rows.itertuples()
    ]
    return Caption(files.corpus, "gates", "Gates in planted spans", text, "; ".join(values) + ".")
