"""What is wrong with a study's encoders: another modality's, or another kind of corpus'."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from avfusion.modalities import MODALITIES
from avfusion.registry import corpora, encoders

if TYPE_CHECKING:
    from avfusion.settings import Study

ARRAYS = "arrays"


def faults(study: "Study") -> list[str]:
    """A sentence a fault; names that do not exist are told elsewhere."""
    listed = [(m, name) for m in MODALITIES for name in getattr(study.features, m)]
    listed = [(m, name) for m, name in listed if name in encoders.names()]
    found = [
        f"features.{modality} lists {name!r}, which encodes {own}. Move it there."
        for modality, name in listed
        if (own := encoders.constant(name, "modality")) not in (None, modality)
    ]
    names = [name for _, name in listed]
    return [*found, *_of_corpora(study, names), *_unrated(study), *_taken_off(study, names)]


def _of_corpora(study: "Study", listed: list[str]) -> Iterator[str]:
    """Encoders of recordings where a corpus is arrays, and of arrays where it is recordings."""
    has = _has_media(study)
    reads = {name: encoders.constant(name, "reads") != ARRAYS for name in listed}
    of_arrays = [name for name in encoders.names() if encoders.constant(name, "reads") == ARRAYS]
    for encoder, media in reads.items():
        for corpus in (name for name in has if has[name] != media):
            said = f"features lists {encoder!r}, but corpora.{corpus} holds "
            if media:
                known = ", ".join(of_arrays)
                yield f"{said}arrays and no recordings. Use {known}, in a study of its own."
            else:
                yield f"{said}recordings. Give corpora that are arrays a study of their own."


def _unrated(study: "Study") -> Iterator[str]:
    """Arrays hold no ratings, and `task` is ratings where nothing is said."""
    for name, media in _has_media(study).items():
        if not media and study.corpora[name].task != "classes":
            yield f"corpora.{name} holds arrays with classes alone. Add `task: classes` to it."


def _taken_off(study: "Study", listed: list[str]) -> Iterator[str]:
    """An encoder of one vector a video says nothing once each video's own mean is taken off."""
    for encoder in (name for name in listed if encoders.constant(name, "constant")):
        for name, corpus in study.corpora.items():
            if {"baseline": study.train.baseline, **corpus.train}["baseline"] == "video":
                yield (
                    f"{encoder} is one vector a video, and train.baseline `video` takes all of it "
                    f"off. Add `train: {{baseline: none}}` to corpora.{name}, or leave it out."
                )


def _has_media(study: "Study") -> dict[str, bool]:
    """Corpus -> whether it holds recordings, of those whose class is known."""
    kinds = {name: study.corpus_class(name) for name in study.corpora}
    return {
        name: corpora.constant(kind, "media") is not False
        for name, kind in kinds.items()
        if kind in corpora.names()
    }
