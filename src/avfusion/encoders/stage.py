"""The two stages that run an encoder: fit it once per corpus, then encode each video once."""

import logging
from typing import cast

import pandas as pd

from avfusion.config.jobs import EncoderSettings
from avfusion.encoders.base import Encoder, FittableEncoder, build
from avfusion.encoders.cost import Progress, clips_of
from avfusion.encoders.job import Job
from avfusion.encoders.stored import remove_withdrawn
from avfusion.errors import AvfError
from avfusion.io.shards import deal, shard_path, write_table
from avfusion.layout import Layout
from avfusion.schemas import INDEX

log = logging.getLogger(__name__)


def fit(corpus: str, settings: EncoderSettings, layout: Layout) -> None:
    """Fit an encoder on the train partition; the validation partition chooses the epoch.

    Raises
    ------
    AvfError
        If the encoder is pretrained, so that there is nothing to fit.
    """
    encoder: Encoder = build(settings)
    if not encoder.fitted:
        raise AvfError(
            f"Encoder {settings.encoder!r} is pretrained: its weights are in {encoder.weights} and "
            f"nothing is fitted. Run: avf encode {corpus} {settings.encoder}"
        )
    cast(FittableEncoder, encoder).fit(corpus, settings, layout)


def encode_shard(
    corpus: str, shard: tuple[int, int], settings: EncoderSettings, layout: Layout
) -> None:
    """Encode the videos of one shard and write its table; existing features are kept.

    A video that the media stage could not read, or that fails here, has a row with the reason.

    Parameters
    ----------
    corpus
        Name of the corpus entry.
    shard
        (i, n): every n-th video, beginning with the i-th.
    settings
        Settings of the encoder.
    layout
        Paths of the study.
    """
    from avfusion.training.loop import deterministic

    name = f"{settings.encoder} shard {shard[0]}/{shard[1]}"
    media = _media_index(corpus, layout)
    index = deal(media, shard)
    job = Job(corpus, settings, layout)
    if shard[0] == 0:
        remove_withdrawn(job.folder, set(media["video"]))
    hop_s = settings.windows.hop_s
    job.progress = Progress(name, clips_of(index, hop_s), int(clips_of(media, hop_s).sum()))
    with deterministic(seed=0):
        rows = list(job.rows(index.itertuples(index=False)))
    write_table(pd.DataFrame(rows, columns=list(INDEX)), shard_path(job.folder, shard))


def _media_index(corpus: str, layout: Layout) -> pd.DataFrame:
    path = layout.media(corpus) / "index.parquet"
    if not path.is_file():
        raise AvfError(
            f"{path}: file not found. Run `avf media {corpus}` and `avf index {path.parent} "
            f"--shards 1` first."
        )
    return pd.read_parquet(path)
