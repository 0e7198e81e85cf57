"""Check the encoders of a study: their modality, what they read, and how they are trained on."""

import ast
import math
from collections.abc import Iterator
from typing import Any

from avfusion.config.corruptions import find
from avfusion.config.modalities import MODALITIES, encoded
from avfusion.config.spectra import hop_fault
from avfusion.config.study import Study
from avfusion.errors import ConfigError
from avfusion.registry import corpora, encoders

ARRAYS = "arrays"
SPECTRUM = {"bands", "window_s", "hop_s"}
"""Options of an encoder that computes a log-mel spectrogram of the stored sound."""


def features(study: Study) -> Iterator[str]:
    """Yield a message per encoder under the wrong modality or for another kind of corpus.

    `_encoders` reports unknown names.
    """
    pairs = [(m, name) for m in MODALITIES for name in getattr(study.features, m)]
    pairs = [(m, name) for m, name in pairs if encoders.known(study.encoder_class(name))]
    places: dict[str, list[str]] = {}
    for modality, name in pairs:
        places.setdefault(name, []).append(f"features.{modality}")
        fits = encoded(study.encoder_class(name))
        if modality not in fits:
            text = f"features.{modality} lists {name!r}, which encodes {' or '.join(fits)}"
            yield f"{text}. Move it there."
    for name, where in places.items():
        if len(where) > 1 and encoders.constant(study.encoder_class(name), "modality") is None:
            yield (
                f"{' and '.join(where)} list {name!r}, but an entry has one modality. Make a "
                f"second entry under encoders, such as `{name}_2: {{is: "
                f"{study.encoder_class(name)}}}`."
            )
    names = [name for _, name in pairs]
    yield from _media(study, names)
    yield from _unrated(study)
    yield from _constant(study, names)
    yield from _signals(study)
    yield from _spectra(study, names)


def _media(study: Study, listed: list[str]) -> Iterator[str]:
    """Yield a message per encoder of recordings on a corpus of arrays, and the other way round."""
    has_media = _has_media(study)
    of_arrays = [name for name in encoders.names() if encoders.constant(name, "reads") == ARRAYS]
    for encoder in listed:
        reads = encoders.constant(study.encoder_class(encoder), "reads")
        if reads not in (None, ARRAYS):  # such as files of features, which any corpus may have
            continue
        reads_media = reads is None
        for corpus in (name for name in has_media if has_media[name] != reads_media):
            start = f"features lists {encoder!r}, but corpora.{corpus} holds"
            if reads_media:
                known = ", ".join(of_arrays)
                yield f"{start} arrays and no recordings. Use {known}, in a study of its own."
            else:
                yield f"{start} recordings. Give corpora that are arrays a study of their own."


def _unrated(study: Study) -> Iterator[str]:
    """Yield a message per corpus of arrays, which have no ratings, with the task `ratings`."""
    for name, media in _has_media(study).items():
        if not media and study.task(name) != "classes":
            yield f"corpora.{name} holds arrays with classes only. Add `task: classes` to it."


def _constant(study: Study, listed: list[str]) -> Iterator[str]:
    """Yield a message per encoder of one vector per video whose mean per video is subtracted."""
    for encoder in listed:
        if not encoders.constant(study.encoder_class(encoder), "constant"):
            continue
        for name in study.corpora:
            paths = [
                path
                for fusion in study.fusions
                for path, value in trained_with(study, name, fusion, "baseline")
                if value == "video"
            ]
            for path in dict.fromkeys(paths):
                remedy = f"Add `train: {{baseline: none}}` to corpora.{name}"
                if path != "train.baseline":
                    remedy = f"Write `none` there (corpora.{name} has this encoder)"
                yield (
                    f"{encoder} is one vector per video, and {path} `video` subtracts all of it. "
                    f"{remedy}, or leave {encoder} out."
                )


def _signals(study: Study) -> Iterator[str]:
    """Yield a message per corruption of recordings whose modality has an encoder of other input."""
    for name in study.robustness:
        try:
            modality, kind = find(name)
        except ConfigError:
            continue  # `_robustness` reports it
        for encoder in getattr(study.features, modality) if kind.signal else ():
            known = encoders.known(study.encoder_class(encoder))
            if known and encoders.constant(study.encoder_class(encoder), "reads") is not None:
                yield (
                    f"robustness.{name} changes recordings, but features.{modality} lists "
                    f"{encoder!r}, which reads none. Use a corruption of features, such as "
                    f"{modality}_missing, or remove it."
                )


def _spectra(study: Study, listed: list[str]) -> Iterator[str]:
    """Yield a message per encoder whose spectrogram cannot be computed from the stored sound."""
    for encoder in listed:
        defaults = encoders.options(study.encoder_class(encoder))
        if not defaults.keys() >= SPECTRUM:
            continue
        given = study.encoder_options(encoder)
        values = {name: given.get(name, ast.literal_eval(defaults[name])) for name in SPECTRUM}
        if not all(isinstance(value, int | float) for value in values.values()):
            continue  # the types of options are checked elsewhere
        wrong = [name for name in sorted(SPECTRUM) if not 0 < values[name] < math.inf]
        for name in wrong:
            yield f"encoders.{encoder}.{name}: found {values[name]}; expected a number above 0."
        fault = "" if wrong else hop_fault(values["hop_s"], study.media.sample_rate_hz)
        if fault:
            yield f"encoders.{encoder}.hop_s: {fault}"


def _has_media(study: Study) -> dict[str, bool]:
    """Return corpus -> whether it holds recordings, of those whose class is known."""
    kinds = {name: study.corpus_class(name) for name in study.corpora}
    return {
        name: corpora.constant(kind, "media") is not False
        for name, kind in kinds.items()
        if corpora.known(kind)
    }


def trained_with(study: Study, corpus: str, fusion: str, key: str) -> list[tuple[str, Any]]:
    """Return (path, value) of a training setting in the runs of a fusion on a corpus.

    path: the place in the config that the value comes from. A grid can give several values. Grids
    and overrides that are no mapping are left out; `_overrides` and `_grid` report them.
    """
    entry, on_corpus = study.fusions[fusion], study.corpora[corpus].train
    on_fusion, grid = entry.get("train"), study.grid_of(fusion)
    values = grid.get(f"train.{key}") if isinstance(grid, dict) else None
    if isinstance(values, list):
        path = f"fusions.{fusion}.grid" if "grid" in entry else "grid"
        return [(f"{path}.train.{key}", value) for value in values]
    if isinstance(on_fusion, dict) and key in on_fusion:
        return [(f"fusions.{fusion}.train.{key}", on_fusion[key])]
    if key in on_corpus:
        return [(f"corpora.{corpus}.train.{key}", on_corpus[key])]
    return [(f"train.{key}", getattr(study.train, key))]
