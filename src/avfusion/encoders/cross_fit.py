"""Features of train videos from fits that did not see the person (cross-fitting).

An encoder that is fitted on the gold of the train partition describes these videos better than new
ones: its features there contain the gold that it was fitted to. A fusion that is trained on them
learns to trust them too much. With `cross_fit: K`, the train people are divided into K folds. The
features of a train video are from a fit without its fold, and those of other videos from the fit on
all train people (Chernozhukov et al., Econometrics Journal 2018, section 1.1).
"""

from pathlib import Path
from typing import Any, cast

import pandas as pd

from avfusion.config.jobs import EncoderSettings
from avfusion.encoders.base import FittableEncoder
from avfusion.errors import TrainError
from avfusion.io.atomic import file_digest
from avfusion.layout import Layout

WEIGHTS = "best.safetensors"
ALL = -1
"""The fit on all train people."""


class Fits:
    """The fits of an encoder on a corpus: on all train people, and without each fold of them.

    Parameters
    ----------
    encoder
        It has the fit on all train people, until `choose` is called.
    corpus, settings, layout
        Name of the corpus, settings of the encoder, and paths of the study.
    """

    def __init__(
        self, encoder: FittableEncoder, corpus: str, settings: EncoderSettings, layout: Layout
    ) -> None:
        folder = layout.encoder(corpus, settings.encoder)
        self.encoder, self.path = encoder, folder / WEIGHTS
        self.fold_of = folds(corpus, settings.cross_fit, layout)
        self.fits: dict[int, tuple[Any, str]] = {}
        for fold in (*range(settings.cross_fit), ALL):
            path = self.path if fold == ALL else fold_folder(folder, fold) / WEIGHTS
            encoder.load(path, settings)
            if settings.cross_fit:
                self.fits[fold] = cast(Any, encoder).net, file_digest(path).hex()

    def choose(self, video: str) -> str:
        """Give the encoder the fit without the person of a video; return its weights' SHA-256."""
        net, digest = self.fits[self.fold_of.get(video, ALL)]
        cast(Any, self.encoder).net = net
        return digest


def folds(corpus: str, count: int, layout: Layout) -> dict[str, int]:
    """Return train video -> fold; all videos of a person are in one fold.

    People are dealt in the order of their names. A video without a subject is a person of its own.

    Raises
    ------
    TrainError
        If there are fewer people than folds.
    """
    if not count:
        return {}
    manifest = pd.read_parquet(layout.manifest(corpus))
    train = manifest[manifest["partition"] == "train"]
    subject = dict(zip(train["video"], train["subject"], strict=True))
    person = {v: str(s) if pd.notna(s) else f"{v} alone" for v, s in subject.items()}
    people = sorted(set(person.values()))
    if len(people) < count:
        raise TrainError(
            f"{corpus}: cross_fit is {count}, but the train partition has {len(people)} people. "
            f"Lower cross_fit, or set it to 0."
        )
    rank = {name: i % count for i, name in enumerate(people)}
    return {video: rank[name] for video, name in person.items()}


def fold_folder(folder: Path, fold: int) -> Path:
    """Return the folder of the fit without a fold, below that of the encoder."""
    return folder / f"fold{fold}"
