"""Draw the figures of a study, each as SVG and PNG, from files that earlier stages wrote.

`results/figures/captions.json` holds the words of each figure by file stem.
"""

import json
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from avfusion.config.study import Study
from avfusion.io.atomic import write_text
from avfusion.layout import Layout
from avfusion.report.absent import scored
from avfusion.report.figures.catalogue import FIGURES, FigureSpec, check_files, specs_of
from avfusion.report.figures.style import SOFT, drawing, save, stamped
from avfusion.report.inputs import Caption, CorpusFiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)


def write_figures(study: Study, layout: Layout, stamp: str = "") -> None:
    """Draw every figure of every corpus into results/figures, and captions.json last.

    Older figures of these corpora that the study does not have are removed. A corpus without the
    numbers for a figure gets a figure that states what is missing. `stamp` is written across each.
    """
    check_files(study, study.corpora)
    layout.figures.mkdir(parents=True, exist_ok=True)
    captions: dict[str, Any] = {}
    made: set[str] = set()
    for corpus, entry in study.corpora.items():
        if entry.if_present and not scored(corpus, layout):
            continue  # left out of the study; the tables give the reason
        files = CorpusFiles(corpus, study.scoped(corpus), layout)
        with drawing():
            for spec in specs_of(files.study, corpus):
                for name, figure, caption in _drawn(spec, files):
                    stem = f"{corpus}_{name}"
                    save(stamped(figure, stamp), layout.figures / stem)
                    captions[stem] = asdict(caption)
                    log.info("figure %s", stem)
                for name, figure in _narrow(spec, files) if spec.narrow else ():
                    narrow = layout.figures / f"{corpus}_{name}_narrow"
                    save(stamped(figure, stamp), narrow, ["svg"])
                    made.add(f"{corpus}_{name}_narrow")
    _remove_others(study.corpora, {*captions, *made}, layout)
    text = json.dumps(captions, indent=2, ensure_ascii=False) + "\n"
    write_text(layout.figures / "captions.json", text)


def _drawn(spec: FigureSpec, files: CorpusFiles) -> "Iterator[tuple[str, Figure, Caption]]":
    """Yield the figures of one kind with their names."""
    draw = spec.function()
    if spec.per_fusion:
        for fusion, figure, caption in draw(files):
            yield f"{spec.name}_{fusion}", figure, caption
        return
    drawn = draw(files, spec.copies) if spec.copies else [draw(files)]
    for name, pair in zip_longest(spec.names, drawn):
        figure, caption = pair or _absent(files, spec)
        yield name, figure, caption


def _narrow(spec: FigureSpec, files: CorpusFiles) -> "Iterator[tuple[str, Figure]]":
    """Yield the forms for phones of the figures of one kind that have data."""
    draw = spec.function()
    copies = (spec.copies,) if spec.copies else ()
    drawn = draw(files, *copies, narrow=True)
    for name, pair in zip(spec.names, drawn if spec.copies else [drawn], strict=False):
        if pair:
            yield name, pair[0]


def _remove_others(corpora: Iterable[str], made: set[str], layout: Layout) -> None:
    """Remove figures of an earlier study, which could be taken for figures of this one."""
    names = "|".join(corpora)
    kinds = "|".join(dict.fromkeys(spec.name for spec in FIGURES))
    for path in layout.figures.glob("*_*.*"):
        ours = re.fullmatch(rf"({names})_({kinds})(_.*)?\.(png|svg)", path.name)
        if ours and path.stem not in made:
            path.unlink()
            log.info("removed %s: this study does not have it", path.name)


def _absent(files: CorpusFiles, spec: FigureSpec) -> "tuple[Figure, Caption]":
    """Draw a figure that states what is missing, so that no gap is taken for a result."""
    from matplotlib.figure import Figure

    if files.card():
        lack = (
            "no further video with predictions and a CCC"
            if spec.copies
            else "not enough finished runs"
        )
        words = f"{files.corpus}: {lack} for this figure ({spec.name})"
    else:
        words = f"{files.corpus}: not run"
    figure = Figure(figsize=(8.2, 1.2))
    figure.text(0.5, 0.5, words, ha="center", va="center", color=SOFT, fontsize=11)
    title = f"{spec.title}: no data"
    return figure, Caption(files.corpus, spec.name, title, words + ".", words + ".")
