"""Sound for networks that return frames, in long chunks, or one row, of what ends with a clip.

Chunk k of a video is [k chunk_s, (k + 1) chunk_s). The network also reads `margin_s` before and
after it, because frames at the border of what it reads lack their surroundings; their values are
not used. What it reads does not reach beyond the video, and is equally long for all chunks. A
chunk depends on nothing but the video, so features do not depend on which clips are asked for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from avfusion.encoders.ahead import ahead
from avfusion.encoders.outputs import finite
from avfusion.errors import ConfigError
from avfusion.media.clips import pool_spans
from avfusion.media.store import MediaRecord
from avfusion.schemas import SLACK_S

BATCH = 8
"""Chunks that go through the network together."""
WINDOWS = 64
"""Clips that go through the network together, if each has its own sound."""


@dataclass(frozen=True)
class Chunks:
    """How sound is read, and the frames that the network makes of it.

    Parameters
    ----------
    rate_hz
        Sampling rate.
    hop
        Samples from one frame to the next.
    field
        Samples that a frame is computed from, `hop` or more.
    chunk_s, margin_s
        Length of a chunk, and what is read before and after it, in seconds.
    """

    rate_hz: int
    hop: int
    field: int
    chunk_s: float = 10.0
    margin_s: float = 1.0

    def checked(self, entry: str) -> "Chunks":
        """Return self.

        Raises
        ------
        ConfigError
            If a length is not possible.
        """
        if not self.chunk_s >= 0.1:
            raise ConfigError(f"{entry}: `chunk_s` must be 0.1 or more, found {self.chunk_s}.")
        if not self.margin_s >= 0:
            raise ConfigError(f"{entry}: `margin_s` must be 0 or more, found {self.margin_s}.")
        return self

    def encode(
        self,
        record: MediaRecord,
        ends_s: np.ndarray,
        clip_s: float,
        embed: Callable[[np.ndarray], np.ndarray],
        dim: int,
    ) -> np.ndarray:
        """Return the mean of the frames of each clip, weighted by how long they overlap it.

        Parameters
        ----------
        record
            The video's media.
        ends_s
            Ends of the clips in seconds (N,), ascending.
        clip_s
            Length of a clip in seconds.
        embed
            Maps samples float32 (B, n) to frames (B, T, dim); a frame each `hop` samples.
        dim
            Width of a frame.

        Returns
        -------
        ndarray
            float32 (N, dim); NaN if no sound is recorded in the clip.
        """
        out = np.full((len(ends_s), dim), np.nan, np.float32)
        known = heard(record, ends_s, clip_s)
        if not known.any():
            return out
        chunk_of = np.maximum(np.ceil((ends_s - SLACK_S) / self.chunk_s).astype(int) - 1, 0)
        first = int(max((ends_s[0] - clip_s) // self.chunk_s, 0))
        starts_s, stops_s, values = np.empty(0), np.empty(0), np.empty((0, dim), np.float32)
        for number, begin_s, end_s, frames in self._embedded(
            record, range(first, int(chunk_of[-1]) + 1), embed
        ):
            at_s = begin_s + np.arange(len(frames) + 1) * (self.hop / self.rate_hz)
            at_s[-1] = max(at_s[-1], end_s)  # the last frame stands for what is left
            at_s = at_s.clip(number * self.chunk_s, (number + 1) * self.chunk_s)
            new, old = at_s[1:] > at_s[:-1], stops_s > number * self.chunk_s - clip_s
            starts_s = np.concatenate([starts_s[old], at_s[:-1][new]])
            stops_s = np.concatenate([stops_s[old], at_s[1:][new]])
            values = np.concatenate([values[old], frames[new]])
            rows = (chunk_of == number) & known
            out[rows] = pool_spans(starts_s, stops_s, values, ends_s[rows], clip_s)
        return out

    def _embedded(
        self, record: MediaRecord, numbers: range, embed: Callable[[np.ndarray], np.ndarray]
    ) -> Iterator[tuple[int, float, float, np.ndarray]]:
        """Yield number, begin and end of what is read, and frames (T, D), of some chunks."""
        parts = [numbers[at : at + BATCH] for at in range(0, len(numbers), BATCH)]
        spans = [[self.span(number, record.duration_s) for number in part] for part in parts]
        sampled = ahead(np.stack([self.samples(record, *span) for span in some]) for some in spans)
        for part, some, samples in zip(parts, spans, sampled, strict=True):
            for number, span, rows in zip(part, some, finite(embed(samples)), strict=True):
                yield number, *span, rows

    def span(self, number: int, duration_s: float) -> tuple[float, float]:
        """Return begin and end of what is read for a chunk, in seconds.

        >>> form = Chunks(16_000, 320, 400)
        >>> form.span(0, 25.0), form.span(1, 25.0), form.span(2, 25.0), form.span(0, 5.0)
        ((0.0, 12.0), (9.0, 21.0), (13.0, 25.0), (0.0, 5.0))
        """
        return self.around(number * self.chunk_s, self.chunk_s, duration_s)

    def around(self, begin_s: float, length_s: float, duration_s: float) -> tuple[float, float]:
        """Return begin and end of what is read for a part of a video, in seconds."""
        longest_s = length_s + 2 * self.margin_s
        end_s = min(begin_s + length_s + self.margin_s, duration_s)
        begin_s = max(min(begin_s - self.margin_s, end_s - longest_s), 0.0)
        return begin_s, min(max(end_s, begin_s + longest_s), duration_s)

    def samples(self, record: MediaRecord, begin_s: float, end_s: float) -> np.ndarray:
        """Return samples whose frames are centred in steps of `hop` from `begin_s` on."""
        before = (self.field - self.hop) // 2
        begin = round(begin_s * self.rate_hz) - before
        length = max(round((end_s - begin_s) * self.rate_hz), self.hop) + self.field - self.hop
        span_s = begin / self.rate_hz, (begin + length) / self.rate_hz
        return record.waveform(*span_s, self.rate_hz)[0]


def encode_windows(
    record: MediaRecord,
    ends_s: np.ndarray,
    clip_s: float,
    rate_hz: int,
    samples: int,
    embed: Callable[[np.ndarray], np.ndarray],
    dim: int,
) -> np.ndarray:
    """Return the embedding of the last `samples` samples before the end of each clip.

    Parameters
    ----------
    record, ends_s, clip_s, dim
        As in `Chunks.encode`.
    rate_hz
        Sampling rate.
    samples
        Length of what is read; it is 0 where nothing is recorded.
    embed
        Maps samples float32 (B, samples) to (B, dim).

    Returns
    -------
    ndarray
        float32 (N, dim); NaN if no sound is recorded in the clip.
    """
    out = np.full((len(ends_s), dim), np.nan, np.float32)
    rows = np.flatnonzero(heard(record, ends_s, clip_s))
    parts = [rows[begin : begin + WINDOWS] for begin in range(0, len(rows), WINDOWS)]

    def waveforms(part: np.ndarray) -> np.ndarray:
        ends = np.rint(ends_s[part] * rate_hz).astype(int)
        spans_s = [((end - samples) / rate_hz, end / rate_hz) for end in ends]
        return np.stack([record.waveform(*span_s, rate_hz)[0] for span_s in spans_s])

    for part, given in zip(parts, ahead(map(waveforms, parts)), strict=True):
        out[part] = finite(embed(given))
    return out


def heard(record: MediaRecord, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
    """Return whether sound is recorded in each clip, bool (N,)."""
    spans = [record.waveform(end_s - clip_s, end_s)[1] for end_s in ends_s]
    return np.array([recorded.any() for recorded in spans], bool)


def low_rate(record: MediaRecord, rate_hz: int) -> str | None:
    """Return a note on a video whose sound is stored at a lower rate than it is read."""
    sound = record.meta["sound"]
    kept = sound.get("native", sound["stored"])["rate_hz"]
    if kept >= rate_hz:
        return None
    return (
        f"sound is stored at {kept} Hz and read at {rate_hz} Hz, so there is nothing above "
        f"{kept // 2} Hz; set media.native_sound, or media.sample_rate_hz"
    )
