"""Figures of a study, each as SVG and PNG, drawn only from files that earlier stages wrote.

`results/figures/captions.json` holds, by file stem, what the page and a reader say beside each.
"""

import json
import logging
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from avfusion.config.tasks import scoped
from avfusion.layout import Layout
from avfusion.report.absent import scored
from avfusion.report.figures.ccc import draw_ccc, draw_differences
from avfusion.report.figures.confusion import draw_confusion
from avfusion.report.figures.gates import draw_gate_auroc
from avfusion.report.figures.over_time import draw_over_time
from avfusion.report.figures.protocols import draw_protocols
from avfusion.report.figures.robustness import draw_robust
from avfusion.report.figures.style import SOFT, drawing, save
from avfusion.report.figures.traces import draw_traces
from avfusion.report.figures.training_curves import draw_curves
from avfusion.report.inputs import Caption, CorpusFiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure


log = logging.getLogger(__name__)


DRAW = {
    "ccc": draw_ccc,
    "differences": draw_differences,
    "protocols": draw_protocols,
    "curves": draw_curves,
}
"""Figures of which each corpus has exactly one; a corpus without the numbers gets one saying so."""


CLASSES = {
    "ccc": draw_ccc,
    "differences": draw_differences,
    "confusion": draw_confusion,
    "curves": draw_curves,
}
"""As `DRAW`, of a corpus whose task is classes: one protocol, and nothing over time."""


TRACES = [f"traces_{number}" for number in range(1, 4)]
"""Figures of single videos, the one with the most planted spans first."""


ROBUST = {"robust": draw_robust, "gates": draw_gate_auroc}
"""As `DRAW`, for a study that corrupts input."""


def write_figures(study: dict[str, Any], layout: Layout) -> None:
    """Draw every figure of every corpus into results/figures, captions.json last.

    Older figures of these corpora that are no longer made are removed.
    """
    layout.figures.mkdir(parents=True, exist_ok=True)
    captions: dict[str, Any] = {}
    for corpus, own in study["corpora"].items():
        if own.get("if_present") and not scored(corpus, layout):
            continue  # left out of the study: the tables say why
        with drawing():
            for stem, figure, caption in _all(CorpusFiles(corpus, scoped(study, corpus), layout)):
                save(figure, layout.figures / stem)
                captions[stem] = asdict(caption)
                log.info("figure %s", stem)
    _remove_others(study["corpora"], set(captions), layout)
    half = layout.figures / ".captions.half.json"
    half.write_text(json.dumps(captions, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(half, layout.figures / "captions.json")


def _all(files: CorpusFiles) -> "Iterator[tuple[str, Figure, Caption]]":
    for kind, draw in (CLASSES if files.on_classes else DRAW).items():
        figure, caption = draw(files) or _absent(files, kind)
        yield f"{files.corpus}_{kind}", figure, caption
    if files.on_classes:
        return
    for kind, drawn in zip_longest(TRACES, draw_traces(files, len(TRACES))):
        figure, caption = drawn or _absent(files, "traces")
        yield f"{files.corpus}_{kind}", figure, caption
    for kind, draw in ROBUST.items() if files.study["robustness"] else ():
        figure, caption = draw(files) or _absent(files, kind)
        yield f"{files.corpus}_{kind}", figure, caption
    for fusion, figure, caption in draw_over_time(files):
        yield f"{files.corpus}_gates_{fusion}", figure, caption


def _remove_others(corpora: Iterable[str], made: set[str], layout: Layout) -> None:
    """Remove figures that an earlier study left; they would pass for this one's."""
    names, kinds = "|".join(corpora), "|".join({**DRAW, **CLASSES, **ROBUST, "traces": None})
    for path in layout.figures.glob("*_*.*"):
        ours = re.fullmatch(rf"({names})_({kinds})(_.*)?\.(png|svg)", path.name)
        if ours and path.stem not in made:
            path.unlink()
            log.info("removed %s: this study does not make it", path.name)


def _absent(files: CorpusFiles, kind: str) -> "tuple[Figure, Caption]":
    """A figure that says what it lacks, so that no gap is mistaken for a result."""
    from matplotlib.figure import Figure

    if files.card():
        lack = (
            "no further video with predictions" if kind == "traces" else "not enough finished runs"
        )
        words = f"{files.corpus}: {lack} for this figure ({kind})"
    else:
        words = f"{files.corpus}: not run"
    figure = Figure(figsize=(8.2, 1.2))
    figure.text(0.5, 0.5, words, ha="center", va="center", color=SOFT, fontsize=11)
    return figure, Caption(files.corpus, kind, f"{kind}: nothing to show", words + ".", words + ".")
