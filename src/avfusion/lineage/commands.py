"""List the commands behind the numbers of a corpus, from its videos to the tables."""

import shlex
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from avfusion.config.grid import at_point, points
from avfusion.config.jobs import JobSettings, RunSettings
from avfusion.config.study import Study
from avfusion.layout import Layout
from avfusion.registry import corpora, encoders


class Step(NamedTuple):
    """One command of a stage, in one shard.

    Attributes
    ----------
    words
        The command without options that depend on the folder of results.
    settings
        Returns its settings; None if the command takes none.
    results
        Whether it takes `--results`.
    """

    words: str
    settings: Callable[[], JobSettings | Study] | None = None
    results: bool = True


def steps(
    corpus: str, study: Study, results: str, runs: list[tuple[str, int]] | None = None
) -> Iterator[Step]:
    """Yield the commands behind the numbers of one corpus, in the order to run them.

    Parameters
    ----------
    corpus
        A corpus of the study.
    study
        The study.
    results
        Folder of results.
    runs
        Fusion and seed of the runs to train, by default all of the study.
    """
    if runs is None:
        runs = [(fusion, seed) for fusion in study.fusions for seed in study.seeds]
    yield from _data(corpus, study, results)
    for fusion in dict.fromkeys(fusion for fusion, _ in runs):
        yield from _grid(corpus, fusion, study)
        for seed in [seed for name, seed in runs if name == fusion]:
            run = partial(study.run_settings, corpus, fusion, seed)
            yield Step(f"avf train {corpus} {fusion} --seed {seed}", run)
    yield Step(f"avf score {corpus}", partial(study.score_settings, corpus))
    if study.robustness and study.task(corpus) == "ratings":
        for name, level, encoder in study.signal_cases():
            signal = partial(study.signal_settings, encoder)
            yield Step(f"avf corrupt {corpus} {name} {level} {encoder}", signal)
        yield Step(f"avf robust {corpus}", study.robust_settings)


def place(study: Study, layout: Layout) -> str:
    """Return the folder of results as the study names it, if it names that folder from here."""
    same = Path(study.results).absolute() == layout.results.absolute()
    return study.results if same else str(layout.results)


def report(study: Study, only: str = "") -> Step:
    """Return the command that writes the report, or a part of it, after `steps` of each corpus."""
    return Step(f"avf report --only {only}" if only else "avf report", lambda: study)


def _data(corpus: str, study: Study, results: str) -> Iterator[Step]:
    """Yield the commands that make the features."""
    kind, entry = study.corpus_class(corpus), partial(study.corpus_settings, corpus)
    if corpora.known(kind) and corpora.defines(kind, "make"):
        yield Step(f"avf make-corpus {corpus}", entry, results=False)
    if study.corpora[corpus].download:
        obtained = partial(study.obtain_settings, corpus)
        yield Step(f"avf obtain {corpus} --accept-licence", obtained, results=False)
    yield Step(f"avf verify {corpus}", entry)
    yield Step(f"avf media {corpus}", partial(study.media_settings, corpus))
    yield _index(f"{results}/media/{corpus}")
    for name in dict.fromkeys(study.all_features().encoders):
        settings, kind = partial(study.encoder_settings, name, corpus), study.encoder_class(name)
        if encoders.known(kind) and study.fitted(name):
            yield Step(f"avf fit-encoder {corpus} {name}", settings)
        yield Step(f"avf encode {corpus} {name}", settings)
        yield _index(f"{results}/features/{corpus}/{name}")


def _index(folder: str) -> Step:
    return Step(f"avf index {shlex.quote(folder)} --shards 1", results=False)


def _grid(corpus: str, fusion: str, study: Study) -> Iterator[Step]:
    """Yield the commands that choose the point of a fusion's grid; nothing without a grid."""
    if not study.grid_of(fusion):
        return
    for point in points(study.grid_of(fusion)):
        for seed in study.grid_seeds:
            words = f"avf train {corpus} {fusion} --point {shlex.quote(point)} --seed {seed}"
            yield Step(words, partial(_at_point, study, corpus, fusion, seed, point))
    yield Step(f"avf choose {corpus} {fusion}", partial(study.grid_settings, corpus, fusion))


def _at_point(study: Study, corpus: str, fusion: str, seed: int, point: str) -> RunSettings:
    return at_point(study.run_settings(corpus, fusion, seed), point)
