"""Choose and read the faces of clips: single faces that are averaged, or several at once."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from avfusion.config.contexts import Span
from avfusion.config.jobs import EncoderSettings
from avfusion.encoders.ahead import ReadsAhead
from avfusion.encoders.clip_inputs import Clips
from avfusion.encoders.outputs import finite
from avfusion.media.clips import clip_spans, pool_clips
from avfusion.media.store import MediaRecord
from avfusion.schemas import SLACK_S

CHUNK = 64
"""Number of faces embedded at a time."""


class FaceTimes:
    """Examples at the times of faces, `fit_hz` per second; a base of fitted encoders of faces."""

    fit_hz: float

    def instants(self, record: MediaRecord, settings: EncoderSettings) -> np.ndarray:
        """Return the times of the faces to fit on, `fit_hz` per second."""
        return face_times(record, self.fit_hz)


class SingleFaces(FaceTimes):
    """Examples that are single faces."""

    def inputs(self, record: MediaRecord, times_s: np.ndarray) -> Tensor | Clips:
        """Return faces uint8 RGB (N, side, side, 3) of the frames at these times."""
        return faces_at(record, times_s)


class AveragedFaces(ReadsAhead):
    """Base of encoders that embed sampled faces and average them per clip."""

    context_before: ClassVar[Span] = 0
    frame_hz: float

    def read(
        self, record: MediaRecord, ends_s: np.ndarray, clip_s: float
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Yield frames (B,) and their faces, uint8 RGB (B, side, side, 3)."""
        return face_batches(record, ends_s, clip_s, self.frame_hz)

    def gather(
        self,
        parts: Iterable[tuple[np.ndarray, np.ndarray]],
        record: MediaRecord,
        ends_s: np.ndarray,
        clip_s: float,
    ) -> np.ndarray:
        """Return the mean embedding of each clip's faces: float32 (N, D), NaN without a face."""
        return pool_faces(parts, record, ends_s, clip_s, self.dim)


def face_batches(
    record: MediaRecord, ends_s: np.ndarray, clip_s: float, frame_hz: float
) -> Iterator[tuple[np.ndarray, Tensor]]:
    """Yield sampled frames (B,), `frame_hz` per second, and faces uint8 RGB (B, side, side, 3)."""
    frames = sample_faces(record, ends_s, clip_s, frame_hz)
    for begin, faces in read_faces(record, frames):
        yield frames[begin : begin + len(faces)], faces


def pool_faces(
    parts: Iterable[tuple[np.ndarray, np.ndarray]],
    record: MediaRecord,
    ends_s: np.ndarray,
    clip_s: float,
    dim: int,
) -> np.ndarray:
    """Average the embeddings of each clip's faces.

    Parameters
    ----------
    parts
        Frames (B,) and the embeddings of their faces (B, dim).
    record
        The video's media.
    ends_s
        Ends of the clips in seconds (N,).
    clip_s
        Length of a clip in seconds.
    dim
        Width of the embedding.

    Returns
    -------
    ndarray
        float32 (N, dim); NaN without a face.
    """
    frames, values = [np.empty(0, np.int64)], [np.empty((0, dim), np.float32)]
    for chosen, rows in parts:
        frames.append(chosen)
        values.append(finite(rows))
    times_s = record.frames["time_s"].to_numpy()[np.concatenate(frames)]
    return pool_clips(times_s, np.concatenate(values), ends_s, clip_s)


def read_faces(record: MediaRecord, frames: np.ndarray) -> Iterator[tuple[int, Tensor]]:
    """Yield the crops of these frames in chunks: first position, uint8 RGB (B, side, side, 3)."""
    for begin in range(0, len(frames), CHUNK):
        yield begin, torch.from_numpy(record.crops(frames[begin : begin + CHUNK]))


def face_times(record: MediaRecord, rate_hz: float) -> np.ndarray:
    """Return the times of faces in seconds, `rate_hz` per second."""
    times_s = record.frames["time_s"].to_numpy()[record.with_face]
    return times_s[thin(times_s, rate_hz)]


def faces_at(record: MediaRecord, times_s: np.ndarray) -> Tensor:
    """Return faces uint8 RGB (N, side, side, 3) of the frames at these times."""
    frames = np.searchsorted(record.frames["time_s"].to_numpy(), times_s)
    return torch.cat([faces for _, faces in read_faces(record, frames)])


def clips_at(
    record: MediaRecord, ends_s: np.ndarray, clip_s: float, frame_hz: float, frames: int
) -> Clips:
    """Return the faces of clips that have one, chosen as in `faces_of_clips`."""
    _, chosen = faces_of_clips(record, ends_s, clip_s, frame_hz, frames)
    unique, places = np.unique(chosen, return_inverse=True)
    faces = torch.cat([part for _, part in read_faces(record, unique)])
    return Clips(faces, torch.from_numpy(places.reshape(chosen.shape)))


def sample_faces(
    record: MediaRecord, ends_s: np.ndarray, clip_s: float, frame_hz: float
) -> np.ndarray:
    """Return about `frame_hz` frames with a face per second, at least one per clip with a face.

    There are none after the last clip.
    """
    faces = record.with_face
    times_s = record.frames["time_s"].to_numpy()[faces]
    faces = faces[times_s <= ends_s[-1] + SLACK_S]
    times_s = times_s[: len(faces)]
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


def faces_of_clips(
    record: MediaRecord, ends_s: np.ndarray, clip_s: float, frame_hz: float, frames: int
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the faces of clips that are read at once.

    Of the n faces of a clip at `frame_hz`, every (n // frames)-th is taken, counted from the last
    one, until there are `frames`: 8 of 32 are every fourth. If a clip has fewer, its last face is
    repeated. The code of T-BIOM, RJCA and DCA chooses in this way.

    Returns
    -------
    rows : ndarray
        Indices of the clips with a face (n,).
    chosen : ndarray
        Frames of each of them, int64 (n, frames), ascending.
    """
    faces = record.with_face
    times_s = record.frames["time_s"].to_numpy()[faces]
    thinned = thin(times_s, frame_hz)
    first, last = clip_spans(times_s[thinned], ends_s, clip_s)
    some, until = clip_spans(times_s, ends_s, clip_s)
    rows = np.flatnonzero(some < until)
    chosen = [
        faces[thinned[spread(first[row], last[row], frames)]]
        if first[row] < last[row]
        else np.repeat(faces[until[row] - 1], frames)
        for row in rows
    ]
    return rows, np.array(chosen, np.int64).reshape(-1, frames)


def read_clips(record: MediaRecord, chosen: np.ndarray) -> Iterator[tuple[int, Tensor]]:
    """Yield the faces of clips, at most `CHUNK` at a time; a face is read once.

    Parameters
    ----------
    record
        The video's media.
    chosen
        Frames of each clip (n, frames).

    Yields
    ------
    tuple
        Index of the first clip, and faces uint8 RGB (m, frames, side, side, 3).
    """
    each = max(1, CHUNK // chosen.shape[1])
    for begin in range(0, len(chosen), each):
        part = chosen[begin : begin + each]
        unique, places = np.unique(part, return_inverse=True)
        faces = torch.from_numpy(record.crops(unique))
        yield begin, faces[torch.from_numpy(places.reshape(part.shape))]


def spread(first: int, last: int, frames: int) -> np.ndarray:
    """Return `frames` places out of [first, last), as in `faces_of_clips`, ascending.

    >>> spread(0, 32, 8).tolist(), spread(0, 3, 5).tolist()
    ([3, 7, 11, 15, 19, 23, 27, 31], [0, 1, 2, 2, 2])
    """
    count = int(last - first)
    step = max(1, count // frames)
    places = last - 1 - step * np.arange(min(count, frames))[::-1]
    return np.append(places, np.full(frames - len(places), last - 1))
