"""The two stages that run an encoder: fit it once, then encode each video once."""

import hashlib
import json
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.encoders.base import build
from avfusion.encoders.records import Records, identity, remark
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


def fit(corpus: str, own: dict[str, Any], layout: Layout) -> None:
    """Fit an encoder on the train partition's gold, best epoch by the validation partition's."""
    encoder = build(own)
    if not encoder.fitted:
        raise AvfError(
            f"Encoder {own['encoder']!r} is pretrained: its weights ship in {encoder.weights} and "
            f"nothing is fitted. Run `avf encode {corpus} {own['encoder']}` at once."
        )
    encoder.fit(corpus, own, layout)


def encode_shard(corpus: str, shard: tuple[int, int], own: dict[str, Any], layout: Layout) -> None:
    """Encode the videos of one shard and write its table; what is already encoded is kept.

    A video that the media stage could not read, or that fails here, keeps a row with the reason.
    """
    from avfusion.training.loop import deterministic

    name = f"{own['encoder']} shard {shard[0]}/{shard[1]}"
    whole = _media_index(corpus, layout)
    index = deal(whole, shard)
    job = Job(corpus, own, layout)
    if shard[0] == 0:
        _remove_withdrawn(job.folder, set(whole["video"]))
    began = said = time.monotonic()
    rows = []
    with deterministic(seed=0):
        for count, entry in enumerate(index.itertuples(index=False), start=1):
            rows.append(job.row(entry))
            now = time.monotonic()
            if now - said > LOG_EVERY_S or count == len(index):
                left_s = (now - began) / count * (len(index) - count)
                log.info("%s: %d of %d videos, %.0f s left", name, count, len(index), left_s)
                said = now
    write_table(pd.DataFrame(rows, columns=list(INDEX)), shard_path(job.folder, shard))


class Job:
    """One encoder, ready, and the folder it writes to."""

    def __init__(self, corpus: str, own: dict[str, Any], layout: Layout) -> None:
        self.corpus, self.own = corpus, own
        self.folder = layout.features(corpus, own["encoder"])
        self.encoder = build(own)
        arrays = getattr(self.encoder, "reads", "media") == "arrays"
        self.records = Records(corpus, self.encoder.modality, own, layout, arrays)
        weights = self.encoder.weights
        if self.encoder.fitted:
            weights = layout.encoder(corpus, own["encoder"]) / "best.safetensors"
            self.encoder.load(weights, own)
        self.weights_sha256: Any = file_digest(weights).hex() if weights else None
        if hasattr(self.encoder, "note"):  # weights that neither ship nor are fitted here
            self.weights_sha256 = self.encoder.note(corpus, own, layout)

    def row(self, entry: Any) -> dict[str, Any]:
        """The index row of one video, encoding it unless its files are there with the same key."""
        if entry.status != "ok":
            return _failed(entry.video, entry.reason)
        try:
            return self.encode(entry.video)
        except Exception as error:  # one bad video must not cost the others
            if of_place(error):
                raise
            unforeseen = not isinstance(error, AvfError)
            log.warning("%s failed: %s", entry.video, error, exc_info=unforeseen)
            command = f"avf encode {self.corpus} {self.own['encoder']}"
            said = below(self.own.get("root", ""), str(error))
            return _failed(entry.video, f"{entry.video}: {said} After mending, run `{command}`.")

    def open(self, video: str) -> Any:
        """What the encoder is given of one video: a `MediaRecord`, or for text a `Transcript`."""
        return self.records.open(video)

    def encode(self, video: str) -> dict[str, Any]:
        """The index row of one video; refuses what gives no features."""
        record = self.open(video)
        named = identity(record)
        key = self._key(named)
        windows = self.own["windows"]
        ends_s = clip_ends(record.duration_s, windows["hop_s"])
        kept = _kept(self.folder, video, key, ends_s)
        if kept is None and share_features(self.folder, video, key):
            kept = _kept(self.folder, video, key, ends_s)
        if kept is not None:
            return kept
        if len(ends_s) == 0:
            raise AvfError(
                f"lasts {record.duration_s:.3f} s, less than windows.hop_s ({windows['hop_s']} s)."
            )
        rows = self.encoder.encode(record, ends_s, windows["clip_s"])  # (N, D)
        expected = (len(ends_s), self.encoder.dim)
        if rows.shape != expected:
            raise AvfError(f"{self.own['encoder']} gave features {rows.shape}, not {expected}.")
        if np.nanmax(np.abs(rows), initial=0.0) > np.finfo(np.float16).max:
            raise AvfError(f"{self.own['encoder']} gave a feature beyond float16's range.")
        stamp = self.folder / f"{video}.json"
        stamp.unlink(missing_ok=True)
        answer = {
            "video": video,
            "status": "ok",
            "reason": remark(record) or self._remark(record),
            "rows": len(rows),
            "dim": self.encoder.dim,
            "missing_share": float(np.isnan(rows).any(1).mean()) if len(rows) else 0.0,
            "sha256": write_features(self.folder, video, ends_s, rows),
        }
        write_text(stamp, json.dumps({"key": key, "row": answer}, indent=1) + "\n")
        return answer

    def _remark(self, record: Any) -> str | None:
        """What the encoder itself has to say of a video, such as words that it does not know."""
        return self.encoder.remark(record) if hasattr(self.encoder, "remark") else None

    def _key(self, record: Any) -> str:
        """Names everything that the features depend on: media, settings, weights and code."""
        own = {key: self.own.get(key) for key in ("encoder", "options", "windows", "code")}
        parts = [record, own, self.weights_sha256]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _remove_withdrawn(folder: Path, videos: set[str]) -> None:
    for stamp in folder.glob("*.json"):
        if stamp.stem not in videos:
            log.warning("%s: no such video any more; its features are removed", stamp.stem)
            for ending in (".npy", ".times.npy", ".json"):
                stamp.with_suffix(ending).unlink(missing_ok=True)


def _media_index(corpus: str, layout: Layout) -> pd.DataFrame:
    path = layout.media(corpus) / "index.parquet"
    if not path.is_file():
        raise AvfError(
            f"{path}: no such index. Run `avf media {corpus}` and `avf index {path.parent} "
            f"--shards 1` first."
        )
    return pd.read_parquet(path)


def _kept(folder: Path, video: str, key: str, ends_s: np.ndarray) -> dict[str, Any] | None:
    """The row of a video that was encoded under the same key, its files being whole."""
    try:
        stamp = json.loads((folder / f"{video}.json").read_text())
        found = file_digest(folder / f"{video}.npy").hex()
        whole = stamp["key"] == key and found == stamp["row"]["sha256"]
        times_s = np.load(folder / f"{video}.times.npy", allow_pickle=False)
        return stamp["row"] if whole and np.array_equal(times_s, ends_s) else None
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


def _failed(video: str, reason: str) -> dict[str, Any]:
    row = dict.fromkeys(INDEX)
    return row | {"video": video, "status": "failed", "reason": reason, "rows": 0, "dim": 0}
