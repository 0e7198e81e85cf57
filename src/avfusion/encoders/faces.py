"""Compute clip features from a face track: sample frames, embed each once, average per clip."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from avfusion.media.clips import clip_spans, pool_clips
from avfusion.media.store import MediaRecord

CHUNK = 64
"""Number of faces embedded at a time."""


def encode_faces(
    record: MediaRecord,
    ends_s: np.ndarray,
    clip_s: float,
    frame_hz: float,
    embed: Callable[[Tensor], Tensor],
    dim: int,
) -> np.ndarray:
    """Average the embeddings of each clip's sampled faces.

    Parameters
    ----------
    record
        The video's media.
    ends_s
        Ends of the clips in seconds (N,).
    clip_s
        Length of a clip in seconds.
    frame_hz
        Faces to sample per second.
    embed
        Maps faces uint8 RGB (B, side, side, 3) to (B, dim).
    dim
        Width of the embedding.

    Returns
    -------
    ndarray
        float32 (N, dim); NaN without a face.
    """
    frames = sample_faces(record, ends_s, clip_s, frame_hz)
    values = np.empty((len(frames), dim), np.float32)
    with torch.inference_mode():
        for begin, faces in read_faces(record, frames):
            values[begin : begin + len(faces)] = embed(faces).cpu().numpy()
    return pool_clips(record.frames["time_s"].to_numpy()[frames], values, ends_s, clip_s)


def read_faces(record: MediaRecord, frames: np.ndarray) -> Iterator[tuple[int, Tensor]]:
    """Yield the crops of these frames in chunks: first position, uint8 RGB (B, side, side, 3)."""
    for begin in range(0, len(frames), CHUNK):
        yield begin, torch.from_numpy(record.crops(frames[begin : begin + CHUNK]))


def sample_faces(
    record: MediaRecord, ends_s: np.ndarray, clip_s: float, frame_hz: float
) -> np.ndarray:
    """Return about `frame_hz` frames with a face per second, at least one per clip with a face."""
    faces = record.with_face
    times_s = record.frames["time_s"].to_numpy()[faces]
    chosen = thin(times_s, frame_hz)
    first, last = clip_spans(times_s, ends_s, clip_s)
    have, have_last = clip_spans(times_s[chosen], ends_s, clip_s)
    lacking = (have == have_last) & (first < last)
    return faces[np.union1d(chosen, last[lacking] - 1).astype(int)]


def thin(times_s: np.ndarray, rate_hz: float) -> np.ndarray:
    """Return the indices of the first of the ascending times in each cell of 1/rate_hz seconds.

    >>> thin(np.array([0.0, 0.04, 0.08, 0.12, 0.2]), 12.5).tolist()
    [0, 2, 4]
    """
    cells = np.floor(times_s * rate_hz + 1e-6)
    return np.flatnonzero(np.diff(cells, prepend=-np.inf) > 0)
