"""Encoders of any width in place of those that do not exist: a random projection of the record."""

import zlib

import numpy as np

from avfusion.media.mel import HOP_S, log_mel_of
from avfusion.media.store import MediaRecord
from avfusion.media.transcript import Transcript
from avfusion.schemas import SLACK_S


class StandIn:
    """`dim` numbers per clip, at or above 0 as behind a ReLU, projected from a few statistics."""

    fitted = False
    weights = None
    modality: str

    def __init__(self, *, dim: int = 8) -> None:
        self.dim = dim

    def encode(self, record, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Statistics of each clip, projected: float32 (N, dim); NaN where there are none."""
        rows = self.statistics(record, ends_s, clip_s)  # (N, S)
        seed = zlib.crc32(f"{self.modality}{self.dim}".encode())
        mixing = np.random.default_rng(seed).normal(0, 1, (rows.shape[1], self.dim))
        return np.maximum(rows @ mixing, 0).astype(np.float32) + 0 * rows[:, :1].astype(np.float32)

    def statistics(self, record, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Mean over each clip of what the record holds of the modality (N, S)."""
        raise NotImplementedError


class Heard(StandIn):
    """Of the log-mel spectrogram."""

    modality = "audio"

    def statistics(self, record: MediaRecord, ends_s, clip_s):
        mel = np.nan_to_num(log_mel_of(record).astype(np.float32), nan=-14)
        last = np.clip((ends_s / HOP_S).astype(int), 1, len(mel))
        first = np.clip(last - max(int(clip_s / HOP_S), 1), 0, last - 1)
        sums = np.vstack([np.zeros(mel.shape[1]), mel.cumsum(0, dtype=float)])
        return (sums[last] - sums[first]) / (last - first)[:, None] / 10


class Seen(StandIn):
    """Of the face boxes and landmarks of the last frame of a clip whose face was read."""

    modality = "video"

    def statistics(self, record: MediaRecord, ends_s, clip_s):
        frames = record.frames.select_dtypes("number")
        values = frames.to_numpy(float)
        known = np.isfinite(values).all(1)
        values = (values - values[known].mean(0)) / (values[known].std(0) + 1e-6)
        times_s = record.frames["time_s"].to_numpy()[known]
        at = np.searchsorted(times_s, ends_s + SLACK_S, side="right") - 1
        seen = (at >= 0) & (times_s[at] > ends_s - clip_s)
        return np.where(seen[:, None], values[known][at], np.nan)


class Read(StandIn):
    """Of the words: how long each is and how long ago it began; never absent."""

    modality = "text"

    def statistics(self, record: Transcript, ends_s, clip_s):
        count = np.full((len(ends_s), 1), float(len(record.words)))
        return np.hstack([count / 10, np.sin(ends_s)[:, None], np.cos(ends_s)[:, None]])
