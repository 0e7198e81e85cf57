"""Figure of training: loss and validation score of every run by epoch, one column per fusion."""

from typing import TYPE_CHECKING

import pandas as pd

from avfusion.report.figures.style import Look, looks, width
from avfusion.report.inputs import Caption, CorpusFiles, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


COLUMNS, COLUMNS_NARROW = 5, 2
LEFT, RIGHT, GAP, BELOW = 0.62, 0.08, 0.14, 0.1
"""Inches next to the pairs, between columns, and below."""
PAIR, TITLE, PANEL, BETWEEN = 3.0, 0.26, 1.1, 0.1
"""Inches from a pair to the next row, of its title, of each of its axes, and between them."""


def draw_curves(files: CorpusFiles, narrow: bool = False) -> "tuple[Figure, Caption] | None":
    """Draw one column per fusion, loss above validation score, and one line per seed."""
    from matplotlib.ticker import MaxNLocator

    epochs, study = files.epochs(), files.study
    if not len(epochs):
        return None
    epochs = epochs[[not study.closed_form(name) for name in epochs["fusion"]]]
    names = [name for name in study.fusions if name in set(epochs["fusion"])]
    if not names:
        return None
    figure, grid = _grid(len(names), "UA" if files.on_classes else "CCC", narrow)
    style = looks(study.fusions)
    for name, (upper, lower) in zip(names, grid, strict=True):
        for _, run in epochs[epochs["fusion"] == name].groupby("seed"):
            _run(upper, lower, run, style[name])
        upper.set_title(name)
        lower.set_xlabel("epoch")
        locator = lower.xaxis.get_major_locator()
        if isinstance(locator, MaxNLocator):
            locator.set_params(integer=True, min_n_ticks=1)
    return figure, _caption(files, epochs, names)


def _grid(count: int, score: str, narrow: bool) -> "tuple[Figure, list[tuple[Axes, Axes]]]":
    """Return pairs of axes (loss above score), `COLUMNS` pairs per row, with shared scales.

    All pairs have the same labels, so their places are computed here: the general layout needs
    many seconds for a hundred axes.
    """
    from matplotlib.figure import Figure

    columns = min(count, COLUMNS_NARROW if narrow else COLUMNS)
    rows, wide = -(-count // columns), width(narrow)
    tall = rows * PAIR + BELOW
    figure = Figure(figsize=(wide, tall))
    pairs: list[tuple[Axes, Axes]] = []
    across = (wide - LEFT - RIGHT - (columns - 1) * GAP) / columns
    for place in range(count):
        row, column = divmod(place, columns)
        x, top = LEFT + column * (across + GAP), tall - row * PAIR - TITLE
        both: list[Axes] = []
        for i in range(2):
            y = top - (i + 1) * PANEL - i * BETWEEN
            box = (x / wide, y / tall, across / wide, PANEL / tall)
            first = pairs[0] if pairs else (*both, None, None)
            axis = figure.add_axes(box, sharex=first[0], sharey=pairs[0][i] if pairs else None)
            axis.grid(axis="y")
            axis.tick_params(labelleft=column == 0, labelbottom=i == 1)
            if column == 0:
                axis.set_ylabel(("training loss", f"validation {score}")[i])
            both.append(axis)
        pairs.append((both[0], both[1]))
    figure.align_ylabels([axis for pair in pairs[::columns] for axis in pair])
    return figure, pairs


def _run(upper: "Axes", lower: "Axes", run: pd.DataFrame, style: Look) -> None:
    run = run.sort_values("epoch")
    upper.plot(run["epoch"], run["loss"], color=style.colour, linewidth=1, alpha=0.8)
    lower.plot(run["epoch"], run["score"], color=style.colour, linewidth=1, alpha=0.8)
    if run["score"].notna().any():
        best = run.loc[run["score"].idxmax()]
        lower.plot([best["epoch"]], [best["score"]], marker=style.marker, color=style.colour,
                   markersize=5, clip_on=False, zorder=4)  # fmt: skip


def _caption(files: CorpusFiles, epochs: pd.DataFrame, names: list[str]) -> Caption:
    runs = len(epochs.groupby(["fusion", "seed"]))
    asked = len([name for name, _ in files.runs() if not files.study.closed_form(name)])
    score = "UA" if files.on_classes else f"mean CCC of {files.mean_of}"
    text = (
        f"Training on {files.corpus}: loss on the train partition above, {score} "
        f"on the validation partition below, one line per run ({runs} of {asked} "
        f"runs). Marker: the epoch whose weights are kept.{_remarks(files, names)}"
    )
    best = epochs.groupby("fusion")["score"].max()
    scores = "; ".join(f"{name} {number(best[name])}" for name in names)
    alt = f"Best validation {'UA' if files.on_classes else 'CCC'} of any run: {scores}."
    return Caption(files.corpus, "curves", "Training curves", text, alt)


def _remarks(files: CorpusFiles, names: list[str]) -> str:
    """Return what the scores of some fusions are, if it is not the usual."""
    rules = {name: files.study.train_rule(name, files.corpus) for name in names}
    separate = [name for name, rule in rules.items() if rule.targets == "separate"]
    subjects = [name for name, rule in rules.items() if rule.select.on == "train_subjects"]
    protocols = dict.fromkeys(rule.select.protocol for rule in rules.values())
    remarks = []
    if separate:
        listed = ", ".join(separate)
        remarks.append(f"One model per target: {listed}; the score is the mean of the best so far.")
    if subjects:
        remarks.append(f"Scored on train subjects that are set aside: {', '.join(subjects)}.")
    for protocol in filter(None, protocols):
        listed = ", ".join(n for n, rule in rules.items() if rule.select.protocol == protocol)
        remarks.append(f"Scored under protocol {protocol}: {listed}.")
    return "".join(f" {remark}" for remark in remarks)
