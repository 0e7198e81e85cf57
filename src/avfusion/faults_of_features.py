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
    return [*found, *_of_corpora(study, [name for _, name in listed])]


def _of_corpora(study: "Study", listed: list[str]) -> Iterator[str]:
    """Encoders of recordings where a corpus is arrays, and of arrays where it is recordings."""
    kinds = {name: study.corpus_class(name) for name in study.corpora}
    kinds = {name: kind for name, kind in kinds.items() if kind in corpora.names()}
    has = {name: corpora.constant(kind, "media") is not False for name, kind in kinds.items()}
    reads = {name: encoders.constant(name, "reads") != ARRAYS for name in listed}
    of_arrays = [name for name in encoders.names() if encoders.constant(name, "reads") == ARRAYS]
    for encoder, media in reads.items():
        for corpus in (name for name in has if has[name] != media):
            if media:
                yield (
                    f"features lists {encoder!r}, but corpora.{corpus} ({kinds[corpus]}) holds "
                    f"arrays and no recordings. Use {', '.join(of_arrays)}, in a study of its own."
                )
            else:
                yield (
                    f"features lists {encoder!r}, but corpora.{corpus} ({kinds[corpus]}) holds "
                    f"recordings. Give corpora that are arrays a study of their own."
                )
