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
    return [*found, *_of_corpora(study, [name for _, name in listed]), *_unrated(study)]


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


def _has_media(study: "Study") -> dict[str, bool]:
    """Corpus -> whether it holds recordings, of those whose class is known."""
    kinds = {name: study.corpus_class(name) for name in study.corpora}
    return {
        name: corpora.constant(kind, "media") is not False
        for name, kind in kinds.items()
        if kind in corpora.names()
    }
