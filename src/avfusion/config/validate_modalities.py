"""Find modalities that a fusion reads although no encoder makes them."""

from collections.abc import Iterator

from avfusion.config.modalities import USUAL, read
from avfusion.config.study import Study
from avfusion.registry import fusions


def without_encoders(study: Study) -> Iterator[str]:
    """Yield a message per modality that has no encoder although a fusion reads it.

    `features: {video: []}` is for recordings without pictures, `{audio: []}` for films without
    sound.
    """
    words = {"audio": "sound", "video": "pictures"}
    for modality in USUAL:
        if getattr(study.features, modality):
            continue
        path, other = f"features.{modality}", USUAL[1 - USUAL.index(modality)]
        if not getattr(study.features, other):
            yield f"{path} names no encoder; name one, or leave the key out for the default."
            continue
        kinds = {name: study.fusion_class(name) for name in study.fusions}
        readers = [
            name
            for name, kind in kinds.items()
            if fusions.known(kind) and modality in read(kind, study.fusion_options(name))
        ]
        if readers:
            yield (
                f"{path} names no encoder, but {', '.join(readers)} under fusions "
                f"{'reads' if len(readers) == 1 else 'read'} {words[modality]}. Name an encoder, "
                f"or keep only fusions that read {words[other]}: {other}."
            )
        corrupted = {"robustness": [*study.robustness], "train.corrupt": [*study.train.corrupt]}
        for section, names in corrupted.items():
            for name in names:
                if name.startswith(f"{modality}_"):
                    yield f"{section}.{name}: {path} names no encoder. Remove it."
