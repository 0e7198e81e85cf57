"""Read and write one video's media: frames.parquet, faces.zip, sound.npy, voice.npy, meta.json.

A folder gets its final name only when it is complete; `meta.json` is written last.
"""

import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from avfusion.errors import MediaError
from avfusion.media.audio import Piece
from avfusion.media.voice import STEP_S
from avfusion.media.waveform import SpanSound, StoredSound
from avfusion.media.writer import FRAME_COLUMNS, NATIVE, SOUND, VOICE, crop_name


class MediaRecord:
    """The media of one video; files are read on access."""

    def __init__(self, folder: Path, meta: dict[str, Any]) -> None:
        self.folder = folder
        self.meta = meta
        self.derived: dict[Any, Any] = {}  # what encoders compute from it, such as log-mels
        self._sounds: dict[str, StoredSound] = {}
        self._archive: tuple[int, zipfile.ZipFile] | None = None

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the record in `folder`.

        Raises
        ------
        MediaError
            If the media stage did not complete the folder.
        """
        path = folder / "meta.json"
        try:
            return cls(folder, json.loads(path.read_text()))
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None

    @property
    def duration_s(self) -> float:
        """Seconds from time 0 to the end of the last frame."""
        return float(self.meta["duration_s"])

    @property
    def sound_hz(self) -> int:
        """Sampling rate of the sound in Hz."""
        return self._sound(SOUND).rate_hz

    @cached_property
    def frames(self) -> pd.DataFrame:
        """One row per displayed frame, see FRAME_COLUMNS; upright pixels; NaN without a face."""
        return self._table("frames.parquet")

    @property
    def with_face(self) -> np.ndarray:
        """Indices of the frames that have a crop, ascending; int64 (n,)."""
        return np.flatnonzero(self.frames["score"].notna().to_numpy())

    @cached_property
    def people(self) -> pd.DataFrame:
        """One row per face and frame: person, shot, frame, place, `speaking` and `followed`."""
        return self._table("people.parquet")

    @cached_property
    def tracks(self) -> pd.DataFrame:
        """One row per person and shot: start, end, mean box and `speaking`."""
        return self._table("tracks.parquet")

    def of_person(self, person: int) -> "MediaRecord":
        """Return the record as if this person had been followed; it needs `face: all`.

        Raises
        ------
        MediaError
            If there is no such person, or the pictures of the others were not kept.
        """
        if self.meta.get("faces", {}).get("rule") != "all" or person not in set(
            self.people["person"]
        ):
            raise MediaError(
                f"{self.folder}: no faces of person {person}. Set `face: all`, run `avf media "
                f"{self.folder.parent.name}`, and use a number in the column `person` of `tracks`."
            )
        return _OfPerson(self, person)

    def _table(self, name: str) -> pd.DataFrame:
        path = self.folder / name
        try:
            return pd.read_parquet(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise _unreadable(path, error) from None

    def _crop_name(self, frame: int) -> str:
        return crop_name(frame)

    def crops(self, frame_indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Read the aligned faces of some frames.

        Parameters
        ----------
        frame_indices
            Indices of frames (n,) out of `with_face`, in any order.

        Returns
        -------
        ndarray
            RGB uint8 (n, face_px, face_px, 3), in the order of `frame_indices`.

        Raises
        ------
        MediaError
            If a frame has no face, or the file is damaged.
        """
        import cv2

        side = int(self.meta["face_px"])
        out = np.empty((len(frame_indices), side, side, 3), np.uint8)
        path = self.folder / "faces.zip"
        for row, frame in enumerate(frame_indices):
            try:
                raw = self._faces.read(self._crop_name(int(frame)))
            except KeyError:
                raise MediaError(
                    f"{path}: frame {int(frame)} has no face. Read only frames in `with_face`."
                ) from None
            except (OSError, zipfile.BadZipFile) as error:
                raise _unreadable(path, error) from None
            bgr = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR)
            if bgr is None or bgr.shape != out.shape[1:]:
                raise _unreadable(path, ValueError(f"frame {int(frame)} is not a {side} px JPEG"))
            out[row] = bgr[..., ::-1]
        return out

    def pieces(self) -> Iterator[Piece]:
        """Yield the recorded sound as (first sample, samples float32 (n,)), ascending.

        Sample i is at `i / sound_hz` of the video's time. Gaps are gaps between pieces.

        Raises
        ------
        MediaError
            If the record has no sound file, or it is damaged.
        """
        sound = self._sound(SOUND)
        try:
            yield from sound.pieces()
        except (OSError, ValueError) as error:
            raise _unreadable(self.folder / SOUND, error) from None

    def waveform(
        self, begin_s: float, end_s: float, rate_hz: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Read a span of the sound.

        Parameters
        ----------
        begin_s, end_s
            Span in seconds of the video's time; it may reach beyond the video.
        rate_hz
            Sampling rate; by default that of the stored sound, `media.sample_rate_hz`. A higher one
            is read from the sound at its native rate, if the study keeps it
            (`media.native_sound`).

        Returns
        -------
        samples : ndarray
            Mono float32 (n,), n = round(end_s * rate_hz) - round(begin_s * rate_hz); sample i is at
            round(begin_s * rate_hz) + i samples. It is 0 where nothing is recorded.
        recorded : ndarray
            Where sound is recorded, bool (n,).

        Raises
        ------
        MediaError
            If the record has no sound file, or it is damaged.
        """
        sound = self._sound(SOUND)
        rate_hz = rate_hz or sound.rate_hz
        if rate_hz > sound.rate_hz and "native" in self.meta["sound"]:
            sound = self._sound(NATIVE)
        try:
            return sound.at_rate(round(begin_s * rate_hz), round(end_s * rate_hz), rate_hz)
        except (OSError, ValueError) as error:
            raise _unreadable(self.folder, error) from None

    def voiced(self, times_s: np.ndarray) -> np.ndarray:
        """Return the probability of speech at some times (N,), float32; NaN without sound."""
        rows = np.floor(np.asarray(times_s) / STEP_S + 1e-9).astype(np.int64)
        inside = (rows >= 0) & (rows < len(self._voice))
        out = np.full(rows.shape, np.nan, np.float32)
        out[inside] = self._voice[rows[inside]]
        return out

    @cached_property
    def _voice(self) -> np.ndarray:
        """Probability of speech per step of 32 ms, float32 (N,)."""
        path = self.folder / VOICE
        try:
            return np.asarray(np.load(path, allow_pickle=False))
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None

    def _sound(self, name: str) -> SpanSound:
        """Return the stored sound of that file."""
        if name not in self._sounds:
            try:
                about = self.meta["sound"]["stored" if name == SOUND else "native"]
                self._sounds[name] = StoredSound(self.folder, about)
            except (KeyError, TypeError, ValueError) as error:
                raise _unreadable(self.folder / name, error) from None
        return self._sounds[name]

    @property
    def _faces(self) -> zipfile.ZipFile:
        # Opened again in each process: a forked child would share its parent's file position.
        if self._archive is None or self._archive[0] != os.getpid():
            path = self.folder / "faces.zip"
            try:
                self._archive = os.getpid(), zipfile.ZipFile(path)
            except (OSError, zipfile.BadZipFile) as error:
                raise _unreadable(path, error) from None
        return self._archive[1]


class _OfPerson(MediaRecord):
    """A record in which another person is followed."""

    def __init__(self, record: MediaRecord, person: int) -> None:
        super().__init__(record.folder, record.meta)
        rows = record.people[record.people["person"] == person].set_index("frame")
        columns = list(FRAME_COLUMNS[2:])
        table = record.frames.copy()
        table[columns] = rows[columns].reindex(table.index)
        self.frames = table
        self._person = person
        self._followed = set(rows.index[rows["followed"]])

    def _crop_name(self, frame: int) -> str:
        return crop_name(frame, None if frame in self._followed else self._person)


def _unreadable(path: Path, error: Exception) -> MediaError:
    return MediaError(
        f"{path}: {type(error).__name__}: {error}. Remove {path.parent} and run "
        f"`avf media {path.parent.parent.name}` again."
    )
