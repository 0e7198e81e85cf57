"""The two stages that run an encoder: fit it once per corpus, then encode each video once."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import cast

import pandas as pd

from avfusion.config.jobs import EncoderSettings
from avfusion.encoders.base import Encoder, FittableEncoder, build
from avfusion.encoders.cost import Progress, clips_of
from avfusion.encoders.job import JOINED_AHEAD, Job
from avfusion.encoders.kept_records import KeptRecords
from avfusion.encoders.stored import remove_withdrawn
from avfusion.errors import AvfError
from avfusion.io.shards import deal, shard_path, write_table
from avfusion.layout import Layout
from avfusion.media.store import MediaRecord
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
    """Encode the videos of one shard and write its table; see `encode_together`."""
    encode_together(corpus, shard, [settings], layout)


def encode_together(
    corpus: str, shard: tuple[int, int], each: Sequence[EncoderSettings], layout: Layout
) -> None:
    """Encode the videos of one shard by some encoders and write a table for each.

    Existing features are kept. A video that the media stage could not read, or that fails here, has
    a row with the reason. All encoders encode a video before the next one, so that faces are
    decoded and log-mels are computed once. Features do not depend on the other encoders.

    Parameters
    ----------
    corpus
        Name of the corpus entry.
    shard
        (i, n): every n-th video, beginning with the i-th.
    each
        Settings of the encoders.
    layout
        Paths of the study.
    """
    from avfusion.training.loop import deterministic

    media = _media_index(corpus, layout)
    index = deal(media, shard)
    # An encoder reads ahead, so the first one is at later videos than the others.
    records = KeptRecords(JOINED_AHEAD + 2) if len(each) > 1 else MediaRecord.open
    jobs = [Job(corpus, settings, layout, records) for settings in each]
    for job in jobs:
        if shard[0] == 0:
            remove_withdrawn(job.folder, set(media["video"]))
        name = f"{job.settings.encoder} shard {shard[0]}/{shard[1]}"
        hop_s = job.settings.windows.hop_s
        job.progress = Progress(name, clips_of(index, hop_s), int(clips_of(media, hop_s).sum()))
    with deterministic(seed=0), ExitStack() as stack:
        rows = [job.rows(index.itertuples(index=False)) for job in jobs]
        for taken in rows:
            stack.enter_context(closing(taken))
        made = list(zip(*rows, strict=True))  # video by video
    for at, job in enumerate(jobs):
        table = pd.DataFrame([row[at] for row in made], columns=list(INDEX))
        write_table(table, shard_path(job.folder, shard))


def _media_index(corpus: str, layout: Layout) -> pd.DataFrame:
    path = layout.media(corpus) / "index.parquet"
    if not path.is_file():
        raise AvfError(
            f"{path}: file not found. Run `avf media {corpus}` and `avf index {path.parent} "
            f"--shards 1` first."
        )
    return pd.read_parquet(path)
