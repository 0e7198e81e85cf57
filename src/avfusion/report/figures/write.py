"""Draw the figures of a study, each as SVG and PNG, from files that earlier stages wrote.

`results/figures/captions.json` holds the words of each figure by file stem.
"""

import json
import logging
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from itertools import zip_longest
from multiprocessing import get_context
from typing import TYPE_CHECKING

from avfusion.config.study import Study
from avfusion.errors import AvfError
from avfusion.io.atomic import write_text
from avfusion.layout import Layout
from avfusion.report.absent import scored
from avfusion.report.figures.catalogue import FIGURES, FigureSpec, check_files, specs_of
from avfusion.report.figures.style import SOFT, drawing, save, stamped
from avfusion.report.inputs import Caption, CorpusFiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)


Task = tuple[str, FigureSpec, bool]
"""Corpus, kind of figure, and whether its form for phones is drawn."""


def write_figures(study: Study, layout: Layout, stamp: str = "", processes: int = 1) -> None:
    """Draw every figure of every corpus into results/figures, and captions.json last.

    Older figures of these corpora that the study does not have are removed. A corpus without the
    numbers for a figure gets a figure that states what is missing.

    Parameters
    ----------
    study
        The settings of the study.
    layout
        Paths of the results folder.
    stamp
        Words that are written across each figure.
    processes
        Number of processes that draw.

    Raises
    ------
    AvfError
        If two figures would have the same file, or if one of the processes was killed.
    """
    check_files(study, study.corpora)
    layout.figures.mkdir(parents=True, exist_ok=True)
    tasks: list[Task] = [
        (corpus, spec, narrow)
        for corpus, entry in study.corpora.items()
        # One that is left out of the study has a reason in the tables.
        if not entry.if_present or scored(corpus, layout)
        for spec in specs_of(study.scoped(corpus), corpus)
        for narrow in ((False, True) if spec.narrow else (False,))
    ]
    drawn = {stem: words for made in _each(tasks, (study, layout, stamp), processes)
             for stem, words in made.items()}  # fmt: skip
    _remove_others(study.corpora, set(drawn), layout)
    captions = {stem: asdict(words) for stem, words in drawn.items() if words}
    text = json.dumps(captions, indent=2, ensure_ascii=False) + "\n"
    write_text(layout.figures / "captions.json", text)


class _Draw:
    """Draws tasks of a study; what it reads of a corpus stays in memory."""

    def __init__(self, study: Study, layout: Layout, stamp: str) -> None:
        self.study, self.layout, self.stamp = study, layout, stamp
        self._files: dict[str, CorpusFiles] = {}

    def __call__(self, task: Task) -> dict[str, Caption | None]:
        """Return the caption of each file stem; None for a form for phones, which shares it."""
        corpus, spec, narrow = task
        if corpus not in self._files:
            self._files[corpus] = CorpusFiles(corpus, self.study.scoped(corpus), self.layout)
        files, made = self._files[corpus], dict[str, Caption | None]()
        with drawing():
            if narrow:
                for name, figure in _narrow(spec, files):
                    stem = f"{corpus}_{name}_narrow"
                    save(stamped(figure, self.stamp), self.layout.figures / stem, ["svg"])
                    made[stem] = None
                return made
            for name, figure, caption in _drawn(spec, files):
                stem = f"{corpus}_{name}"
                save(stamped(figure, self.stamp), self.layout.figures / stem)
                made[stem] = caption
                log.info("figure %s", stem)
        return made


def _each(
    tasks: list[Task], given: tuple[Study, Layout, str], processes: int
) -> Iterator[dict[str, Caption | None]]:
    """Yield what each task made, in their order."""
    if min(processes, len(tasks)) < 2:
        yield from map(_Draw(*given), tasks)
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(tasks)), context, _start, given) as pool:
        try:
            yield from pool.map(_in_process, tasks)
        except BrokenProcessPool:
            raise AvfError(
                "figures: a process was killed, perhaps for lack of memory. Run the same command "
                "again; it draws all figures."
            ) from None


_started: list[_Draw] = []
"""In a process of `_each`, what draws."""


def _start(study: Study, layout: Layout, stamp: str) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    _started.append(_Draw(study, layout, stamp))


def _in_process(task: Task) -> dict[str, Caption | None]:
    return _started[0](task)


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
