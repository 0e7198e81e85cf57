"""Tables of corrupted input: robustness (CCC by level), losses and areas (pairs)."""

from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.corruptions import describe, find
from avfusion.evaluation import units
from avfusion.evaluation.inference import least_p
from avfusion.layout import Layout
from avfusion.report import format
from avfusion.report.format import estimate, latex, markdown, number
from avfusion.report.sentences import and_list
from avfusion.robustness import curves as _curves
from avfusion.robustness.curves import Curves

EMPTY = ["corpus", "corruption", "level", "target", "fusion", "other", "mean", "difference"]


EMPTY += ["low", "high", "p", "seeds"]


def write_robustness(study: dict[str, Any], layout: Layout) -> None:
    """Write robustness.*, areas.* and losses.csv from what `avf robust` left.

    study: `Study.model_dump()`. Without `robustness`, tables of an earlier study are taken away:
    the claims would read them.
    """
    if not study["robustness"]:
        for name in ("robustness", "areas", "losses"):
            for path in layout.tables.glob(f"{name}.*"):
                path.unlink()
        return
    curves = {corpus: _curves.read_curves(corpus, study, layout) for corpus in study["corpora"]}
    _write({corpus: own for corpus, own in curves.items() if own}, study, layout)


def _write(curves: dict[str, Curves], study: dict[str, Any], layout: Layout) -> None:
    """Both pages, their LaTeX and the three CSV files; `curves` by corpus."""
    shown: dict[str, list[str]] = {"robustness": [], "areas": []}
    typeset: dict[str, list[str]] = {"robustness": [], "areas": []}
    tables: dict[str, list[pd.DataFrame]] = {"robustness": [], "losses": [], "areas": []}
    for corpus, own in curves.items():
        said = _header(own, study)
        point, loss = _curves.estimates(own, study)
        pair = _curves.comparisons(own, study)
        for table, rows in zip(tables.values(), (point, loss, pair), strict=True):
            table.append(rows)
        for part in shown.values():
            part += [f"## {corpus}", said]
        for name in own.levels:
            what = f"{name}: {describe(name)}"
            head, cells = _point_cells(point, own, name)
            shown["robustness"] += [f"### {what}", markdown(head, cells)]
            typeset["robustness"].append(latex(head, cells, f"{what}. {said}", f"{corpus}-{name}"))
            head, cells = _loss_cells(loss, name)
            shown["areas"] += [f"### {what}", markdown(head, cells), _told(pair, own, name, study)]
            label = f"loss-{corpus}-{name}"
            typeset["areas"].append(latex(head, cells, f"{what}. {said}", label))
    for corpus in (c for c in study["corpora"] if c not in curves):
        for part in shown.values():
            part += [f"## {corpus}", f"Not run. `avf robust {corpus}` makes it."]
    for name, parts in tables.items():
        format.write_csv(layout.tables / f"{name}.csv", _joined(parts))
    titles = {"robustness": "Robustness", "areas": "What corruption costs"}
    for name, title in titles.items():
        format.write_page(layout.tables / f"{name}.md", title, shown[name])
        format.write_text(layout.tables / f"{name}.tex", "\n".join(typeset[name]))


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """One table; where no corpus was run, one without rows that readers still understand."""
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=EMPTY)


def _point_cells(points: pd.DataFrame, own: Curves, name: str) -> tuple[list[str], list[list[str]]]:
    """Mean CCC of each fusion at each level, best on whole input first."""
    rows = points[(points["corruption"] == name) & (points["target"] == "mean")]
    table = rows.pivot(index="fusion", columns="place", values="mean")
    table = table.sort_values(table.columns[0], ascending=False, kind="stable")
    kind = find(name)[1]
    head = ["fusion", *(kind.text(level) for level in own.levels[name])]
    return head, [[str(fusion), *map(number, row)] for fusion, *row in table.itertuples()]


def _loss_cells(losses: pd.DataFrame, name: str) -> tuple[list[str], list[list[str]]]:
    """Each fusion's CCC on whole input, its mean over the levels and its loss, least first."""
    rows = losses[(losses["corruption"] == name) & (losses["target"] == "mean")]
    rows = rows.sort_values("loss", kind="stable")
    head = ["fusion", "whole", "mean over levels", "loss"]
    return head, [
        [r.fusion, number(r.whole), number(r.mean), estimate(r.loss, r.low, r.high)]
        for r in rows.itertuples()
    ]


def _told(pairs: pd.DataFrame, own: Curves, name: str, study: dict[str, Any]) -> str:
    """Which fusions lose less than which others, as far as that can be told."""
    how = study["statistics"]
    rows = pairs[(pairs["corruption"] == name) & (pairs["target"] == "mean")]
    told = rows[rows["told_apart"].astype(bool)]
    if not len(told):
        text = f"None of {len(rows)} pairs can be told apart by what it loses (Holm-corrected p)."
        least = least_p(own.units, how["draws"])
        if len(rows) and least * len(rows) > how["alpha"]:
            text += (
                f" {own.units} {units.word(how)}s are too few for that: the smallest possible p is "
                f"{least:.2g}, before correction."
            )
        return text
    said = []
    for row in told.itertuples():
        first, second = (row.fusion, row.other)[:: 1 if row.difference > 0 else -1]
        low, high = sorted(np.sign(row.difference) * np.array([row.low, row.high]))
        said.append(
            f"{first} loses less than {second} by {estimate(abs(row.difference), low, high)}"
        )
    return f"{len(told)} of {len(rows)} pairs can be told apart: {and_list(said)}."


def _header(own: Curves, study: dict[str, Any]) -> str:
    how = study["statistics"]
    return (
        f"{own.corpus}, protocol {own.rule.stamp}, {own.partition} partition, {len(own.videos)} "
        f"videos: mean CCC of {and_list(list(own.names))} with one modality "
        f"corrupted at test time, the same draw for every run; averaged over seeds. Brackets: "
        f"{100 * (1 - how['alpha']):g}% interval over {units.word(how)}s "
        f"({how['draws']:,} bootstrap draws). Loss: CCC on whole input minus the "
        f"curve's mean over its levels (trapezoids)."
    )
