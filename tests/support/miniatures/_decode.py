"""Read the values in the pictures and sound of a miniature back through the media stage."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from avfusion.config.jobs import MediaJobSettings
from avfusion.config.sections import MediaSettings
from avfusion.features.store import write_features
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.media.clips import clip_ends
from avfusion.media.mel import HOP_S, log_mel_of
from avfusion.media.probe import cut, probe
from avfusion.media.stage import person_of, run_shard
from avfusion.media.store import MediaRecord
from avfusion.media.video import Frames
from avfusion.schemas import INDEX
from support.miniatures import _film, verify


class ReadBack(NamedTuple):
    """Time, value of the picture and tone of every frame of a video, each (frames,)."""

    time_s: np.ndarray
    seen: np.ndarray
    band: np.ndarray  # NaN without sound


def read(corpus: str, root: Path, options: dict, layout: Layout, asked=None) -> pd.DataFrame:
    """Verify the tree and read the requested videos; return their rows of the manifest."""
    code, checks = verify(corpus, root, options, layout.results)
    assert code == 0, checks[checks["verdict"] == "FAIL"]
    table = pd.read_parquet(layout.manifest(corpus))
    if asked is not None:
        table = table[table["video"].isin(asked)].reset_index(drop=True)
        table.to_parquet(layout.manifest(corpus))
    settings = MediaJobSettings(root=root, media=MediaSettings())
    run_shard(corpus, (0, 1), settings, layout)
    index = pd.read_parquet(layout.media(corpus) / "shard-0-of-1.parquet")
    assert (index["status"] == "ok").all(), index["reason"].tolist()
    return table


def read_back(corpus: str, root: Path, row: Any, left_px: int, layout: Layout) -> ReadBack:
    """Return the values of one video; `row` is of the manifest, `left_px` the place of its code."""
    record = MediaRecord.open(layout.media(corpus) / row.video)
    time_s = record.frames["time_s"].to_numpy()
    person, _ = person_of(root, row)
    shown = [(at, image) for _, at, image in Frames(cut(probe(root / row.path), person.cut_s))]
    np.testing.assert_allclose([at for at, _ in shown], time_s, atol=1e-3)
    seen = np.array([_film.decoded(person.seen(image), left_px) for _, image in shown])
    rows = (time_s + np.append(time_s[1:], record.duration_s)) / 2 / HOP_S
    spectra = log_mel_of(record)
    mel = spectra[np.round(rows).astype(int).clip(max=len(spectra) - 1)].astype(float)
    band = np.where(np.isnan(mel[:, 0]), np.nan, np.nan_to_num(mel).argmax(1))
    return ReadBack(time_s, seen, band)


def as_encoded(
    corpus: str,
    what: str,
    values: dict[str, tuple[np.ndarray, np.ndarray]],
    verified: Layout,
    folder: Path,
    hop_s: float = 0.16,
) -> Layout:
    """Write a results folder in which a clip's feature is the value at its last instant.

    values: video -> times and values. what: `picture` or `tone`, the encoder with these features;
    the features of the other encoder are NaN.
    """
    made = Layout(folder)
    for name in ("manifest", "gold", "card"):
        path = getattr(made, name)(corpus)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(getattr(verified, name)(corpus), path)
    for encoder in ("picture", "tone"):
        index, encoder_folder = [], made.features(corpus, encoder)
        for video, (time_s, value) in values.items():
            ends_s = clip_ends(time_s[-1], hop_s)
            rows = np.interp(ends_s, time_s, value if encoder == what else np.nan * value)
            sha256 = write_features(encoder_folder, video, ends_s, rows[:, None])
            index.append((video, "ok", "", len(rows), 1, 0.0, sha256))
        write_table(pd.DataFrame(index, columns=list(INDEX)), encoder_folder / "index.parquet")
    return made
