"""The two stages that run an encoder: fit it once per corpus, then encode each video once."""

import hashlib
import json
import logging
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from avfusion.config.jobs import EncoderSettings
from avfusion.encoders.base import Encoder, FittableEncoder, build
from avfusion.encoders.records import Record, Records, identity, remark
from avfusion.errors import AvfError, of_place
from avfusion.features.reuse import share_features
from avfusion.features.store import write_features
from avfusion.io.atomic import file_digest, write_text
from avfusion.io.redact import below
from avfusion.io.shards import deal, shard_path, write_table
from avfusion.layout import Layout
from avfusion.media.clips import clip_ends
from avfusion.schemas import INDEX

log = logging.getLogger(__name__)


LOG_EVERY_S = 5.0


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
        _remove_withdrawn(job.folder, set(media["video"]))
    began = logged = time.monotonic()
    rows = []
    with deterministic(seed=0):
        for count, entry in enumerate(index.itertuples(index=False), start=1):
            rows.append(job.row(entry))
            now = time.monotonic()
            if now - logged > LOG_EVERY_S or count == len(index):
                left_s = (now - began) / count * (len(index) - count)
                log.info("%s: %d of %d videos, %.0f s left", name, count, len(index), left_s)
                logged = now
    write_table(pd.DataFrame(rows, columns=list(INDEX)), shard_path(job.folder, shard))


class Job:
    """One encoder, ready to encode, and the folder that it writes to.

    Parameters
    ----------
    corpus
        Name of the corpus entry.
    settings
        `class_` names the encoder in the registry; `encoder`, its name in the study, names the
        folders of features and weights.
    layout
        Paths of the study.
    """

    def __init__(self, corpus: str, settings: EncoderSettings, layout: Layout) -> None:
        self.corpus, self.settings = corpus, settings
        self.folder = layout.features(corpus, settings.encoder)
        self.encoder: Encoder = build(settings)
        arrays = getattr(self.encoder, "reads", "media") == "arrays"
        self.records = Records(corpus, self.encoder.modality, settings, layout, arrays)
        weights = self.encoder.weights
        if self.encoder.fitted:
            weights = layout.encoder(corpus, settings.encoder) / "best.safetensors"
            cast(FittableEncoder, self.encoder).load(weights, settings)
        self.weights_sha256: Any = file_digest(weights).hex() if weights else None
        note = getattr(self.encoder, "note", None)
        if note is not None:  # weights that neither ship with avfusion nor are fitted here
            self.weights_sha256 = note(corpus, settings, layout)

    def row(self, entry: Any) -> dict[str, Any]:
        """Return the index row of one video; encode it unless features with its key exist."""
        if entry.status != "ok":
            return _failed(entry.video, entry.reason)
        try:
            return self.encode(entry.video)
        except Exception as error:  # a bad video must not stop the others
            if of_place(error):
                raise
            unforeseen = not isinstance(error, AvfError)
            log.warning("%s failed: %s", entry.video, error, exc_info=unforeseen)
            command = f"avf encode {self.corpus} {self.settings.encoder}"
            message = below(self.settings.root or "", str(error))
            return _failed(entry.video, f"{entry.video}: {message} Then run `{command}`.")

    def open(self, video: str) -> Record:
        """Open the record that the encoder reads."""
        return self.records.open(video)

    def encode(self, video: str) -> dict[str, Any]:
        """Encode one video and return its index row.

        Raises
        ------
        AvfError
            If the video is too short, or the features have a wrong shape or range.
        """
        record = self.open(video)
        key = self._key(identity(record))
        windows, name = self.settings.windows, self.settings.encoder
        ends_s = clip_ends(record.duration_s, windows.hop_s)
        kept = _kept(self.folder, video, key, ends_s)
        if kept is None and share_features(self.folder, video, key):
            kept = _kept(self.folder, video, key, ends_s)
        if kept is not None:
            return kept
        if len(ends_s) == 0:
            raise AvfError(
                f"lasts {record.duration_s:.3f} s, less than windows.hop_s ({windows.hop_s} s)."
            )
        rows = self.encoder.encode(record, ends_s, windows.clip_s)  # (N, D)
        expected = (len(ends_s), self.encoder.dim)
        if rows.shape != expected:
            raise AvfError(f"{name} gave features of shape {rows.shape}, expected {expected}.")
        beyond = np.abs(rows) > np.finfo(np.float16).max  # False for NaN
        if beyond.any():
            at, feature = (int(index[0]) for index in np.nonzero(beyond))
            raise AvfError(
                f"{name} gave {rows[at, feature]:.3g} as feature {feature} at {ends_s[at]:g} s, "
                f"beyond the range of float16 ({int(beyond.any(0).sum())} such features)."
            )
        stamp = self.folder / f"{video}.json"
        stamp.unlink(missing_ok=True)
        row = {
            "video": video,
            "status": "ok",
            "reason": remark(record) or self._remark(record),
            "rows": len(rows),
            "dim": self.encoder.dim,
            "missing_share": float(np.isnan(rows).any(1).mean()) if len(rows) else 0.0,
            "sha256": write_features(self.folder, video, ends_s, rows),
        }
        write_text(stamp, json.dumps({"key": key, "row": row}, indent=1) + "\n")
        return row

    def _remark(self, record: Record) -> str | None:
        """Return the encoder's note on a video, such as the share of unknown words."""
        note = getattr(self.encoder, "remark", None)
        return None if note is None else note(record)

    def _key(self, record: Any) -> str:
        """Hash everything that the features depend on: record, settings, weights and code.

        The name of the entry is not part of it, so entries of equal settings have equal keys.
        """
        settings = self.settings.model_dump(
            mode="json", include={"class_", "options", "windows", "code"}
        )
        parts = [record, settings, self.weights_sha256]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _remove_withdrawn(folder: Path, videos: set[str]) -> None:
    for stamp in folder.glob("*.json"):
        if stamp.stem not in videos:
            log.warning("%s: no longer in the media index; its features are removed", stamp.stem)
            for ending in (".npy", ".times.npy", ".json"):
                stamp.with_suffix(ending).unlink(missing_ok=True)


def _media_index(corpus: str, layout: Layout) -> pd.DataFrame:
    path = layout.media(corpus) / "index.parquet"
    if not path.is_file():
        raise AvfError(
            f"{path}: file not found. Run `avf media {corpus}` and `avf index {path.parent} "
            f"--shards 1` first."
        )
    return pd.read_parquet(path)


def _kept(folder: Path, video: str, key: str, ends_s: np.ndarray) -> dict[str, Any] | None:
    """Return the row of a video that was encoded under the same key and has undamaged files."""
    try:
        stamp = json.loads((folder / f"{video}.json").read_text())
        digest = file_digest(folder / f"{video}.npy").hex()
        intact = stamp["key"] == key and digest == stamp["row"]["sha256"]
        times_s = np.load(folder / f"{video}.times.npy", allow_pickle=False)
        return stamp["row"] if intact and np.array_equal(times_s, ends_s) else None
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


def _failed(video: str, reason: str) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(INDEX)
    return row | {"video": video, "status": "failed", "reason": reason, "rows": 0, "dim": 0}
