"""Encode the videos of a shard in order: open, encode, and write features with their stamp."""

import hashlib
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from avfusion.config.jobs import EncoderSettings
from avfusion.encoders.ahead import Ahead
from avfusion.encoders.base import Encoder, FittableEncoder, build
from avfusion.encoders.cost import Progress
from avfusion.encoders.cross_fit import Fits
from avfusion.encoders.joined import Parts, over_videos
from avfusion.encoders.outputs import refuse_partial
from avfusion.encoders.records import Record, Records, identity, remark
from avfusion.encoders.stored import Row, failed_row, kept_row
from avfusion.encoders.weights_file import identifying
from avfusion.errors import AvfError, of_place
from avfusion.features.reuse import share_features
from avfusion.features.store import write_features
from avfusion.io.atomic import file_digest, write_text
from avfusion.io.redact import below
from avfusion.layout import Layout
from avfusion.media.clips import clip_ends
from avfusion.media.store import MediaRecord
from avfusion.training import device

log = logging.getLogger(__name__)

JOINED_AHEAD = 4
"""Videos that are read ahead, each in a thread, if they share batches."""


@dataclass
class Opened:
    """A video whose features must be computed.

    `batches` are the inputs of the network that a thread reads ahead, if the encoder allows it.
    """

    video: str
    record: Record
    key: str
    ends_s: np.ndarray
    batches: Ahead[Any] | None = None

    def close(self) -> None:
        """Stop reading ahead."""
        if self.batches is not None:
            self.batches.close()


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
    opened
        Opens the media record of a folder.
    """

    def __init__(
        self,
        corpus: str,
        settings: EncoderSettings,
        layout: Layout,
        opened: Callable[[Path], MediaRecord] = MediaRecord.open,
    ) -> None:
        self.corpus, self.settings = corpus, settings
        self.folder = layout.features(corpus, settings.encoder)
        self.encoder: Encoder = build(settings)
        self.fits: Fits | None = None
        reads = getattr(self.encoder, "reads", "media")
        self.records = Records(corpus, self.encoder.modality, settings, layout, reads, opened)
        weights = self.encoder.weights
        if self.encoder.fitted:
            self.fits = Fits(cast(FittableEncoder, self.encoder), corpus, settings, layout)
            weights = self.fits.path
        self.weights_sha256: Any = None
        note = getattr(self.encoder, "note", None)
        if note is not None:  # weights that neither ship with avfusion nor are fitted here
            self.weights_sha256 = note(corpus, settings, layout)
        elif weights:
            self.weights_sha256 = file_digest(weights).hex()
        self.progress: Progress | None = None

    def _choose_fit(self, video: str) -> None:
        """Take the fit that did not see the person of a video, if there are several."""
        if self.fits is not None and self.settings.cross_fit:
            self.weights_sha256 = self.fits.choose(video)

    @property
    def joins(self) -> bool:
        """Whether a batch of the network holds inputs of several videos: on a GPU.

        Not if videos go through different fits.
        """
        on_gpu = device.of(getattr(self.encoder, "net", None)).type == "cuda"
        return on_gpu and not self.settings.cross_fit and self._in_batches

    @property
    def _in_batches(self) -> bool:
        return hasattr(self.encoder, "encode_read") and getattr(self.encoder, "batched", True)

    def rows(self, entries: Iterable[Any]) -> Generator[Row]:
        """Yield the index row of each video, in order.

        The next videos are opened, and their first inputs are read, while the network runs.
        """
        opened: deque[Row | Opened] = deque()
        last_s = time.monotonic()
        try:
            for video, row in self._encoded(self._opened(entries, opened)):
                if self.progress is not None:
                    encoded = isinstance(video, Opened) and row["status"] == "ok"
                    self.progress.step(row["rows"] if encoded else 0, time.monotonic() - last_s)
                yield row
                last_s = time.monotonic()  # other encoders had their turn
        finally:
            for each in opened:
                if isinstance(each, Opened):
                    each.close()

    def _opened(
        self, entries: Iterable[Any], opened: deque[Row | Opened]
    ) -> Iterator[Row | Opened]:
        """Open videos ahead; `opened` holds those that are at work."""
        ahead = JOINED_AHEAD if self.joins else 1
        for entry in entries:
            opened.append(self.start(entry))
            if len(opened) > ahead:
                yield opened[0]
                opened.popleft()
        while opened:
            yield opened[0]
            opened.popleft()

    def _encoded(self, videos: Iterable[Row | Opened]) -> Iterator[tuple[Row | Opened, Row]]:
        """Yield videos, in order, with their index rows."""
        if not self.joins:
            for video in videos:
                yield video, self.row(video) if isinstance(video, Opened) else video
            return
        pairs = ((video, getattr(video, "batches", None)) for video in videos)
        for video, parts in over_videos(cast(Any, self.encoder).embed, pairs):
            yield video, self.row(video, parts) if isinstance(video, Opened) else video

    def start(self, entry: Any) -> Row | Opened:
        """Open a video and begin to read its inputs; return its row if nothing is to encode."""
        if entry.status != "ok":
            return failed_row(entry.video, entry.reason)
        try:
            video = self.opened(entry.video)
            if isinstance(video, Opened) and self._in_batches:
                clip_s = self.settings.windows.clip_s
                read = cast(Any, self.encoder).read(video.record, video.ends_s, clip_s)
                video.batches = Ahead(read)
            return video
        except Exception as error:  # a bad video must not stop the others
            return self._failure(entry.video, error)

    def row(self, video: Opened, parts: Parts | None = None) -> Row:
        """Return the index row of one video; a video that cannot be encoded has the reason.

        Parameters
        ----------
        video
            The video.
        parts
            Its embeddings, if batches of several videos gave them.
        """
        try:
            return self.encoded(video, parts)
        except Exception as error:  # a bad video must not stop the others
            return self._failure(video.video, error)
        finally:
            video.close()

    def _failure(self, video: str, error: Exception) -> Row:
        if of_place(error):
            raise error
        unforeseen = error if not isinstance(error, AvfError) else None
        log.warning("%s failed: %s", video, error, exc_info=unforeseen)
        command = f"avf encode {self.corpus} {self.settings.encoder}"
        message = below(self.settings.root or "", str(error))
        return failed_row(video, f"{video}: {message} Then run `{command}`.")

    def open(self, video: str) -> Record:
        """Open the record that the encoder reads."""
        return self.records.open(video)

    def encode(self, video: str) -> Row:
        """Encode one video unless features with its key exist; return its index row.

        Raises
        ------
        AvfError
            As `opened` and `encoded`.
        """
        opened = self.opened(video)
        return opened if isinstance(opened, dict) else self.encoded(opened)

    def opened(self, video: str) -> Row | Opened:
        """Open one video; return its index row if features with its key exist.

        Raises
        ------
        AvfError
            If the video cannot be read, or is too short.
        """
        record = self.open(video)
        self._choose_fit(video)
        key = self._key(getattr(self.encoder, "identity", identity)(record))
        windows = self.settings.windows
        ends_s = clip_ends(record.duration_s, windows.hop_s)
        kept = kept_row(self.folder, video, key, ends_s)
        if kept is None and share_features(self.folder, video, key):
            kept = kept_row(self.folder, video, key, ends_s)
        if kept is not None:
            return kept
        if len(ends_s) == 0:
            raise AvfError(
                f"lasts {record.duration_s:.3f} s, less than windows.hop_s ({windows.hop_s} s)."
            )
        if self.progress is not None:
            self.progress.announce(
                lambda some_s: self.encoder.encode(record, some_s, windows.clip_s),
                *(ends_s, self.encoder.dim),
            )
        return Opened(video, record, key, ends_s)

    def encoded(self, opened: Opened, parts: Parts | None = None) -> Row:
        """Encode one video, write its features and return its index row; see `row`.

        Raises
        ------
        AvfError
            If the features have a wrong shape or range.
        """
        video, record, ends_s = opened.video, opened.record, opened.ends_s
        self._choose_fit(video)  # the next video is opened already
        name = self.settings.encoder
        given = record, ends_s, self.settings.windows.clip_s
        if parts is not None:
            rows = cast(Any, self.encoder).gather(parts, *given)
        elif opened.batches is not None and not self.joins:
            rows = cast(Any, self.encoder).encode_read(opened.batches, *given)
        else:
            rows = self.encoder.encode(*given)  # (N, D)
        expected = (len(ends_s), self.encoder.dim)
        if rows.shape != expected:
            raise AvfError(f"{name} gave features of shape {rows.shape}, expected {expected}.")
        if self.settings.outside:
            refuse_partial(rows, ends_s, name)
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
        write_text(stamp, json.dumps({"key": opened.key, "row": row}, indent=1) + "\n")
        return row

    def _remark(self, record: Record) -> str | None:
        """Return the encoder's note on a video, such as the share of unknown words."""
        note = getattr(self.encoder, "remark", None)
        return None if note is None else note(record)

    def _key(self, record: Any) -> str:
        """Hash everything that the features depend on: record, settings, weights and code.

        The name of the entry is not part of it, so entries of equal settings have equal keys. Nor
        are the licence and the place of a file whose SHA-256 is.
        """
        named = {"class_", "options", "windows", "code"}
        named |= {"modality"} if self.settings.modality else set()
        named |= {"arithmetic"} if self.settings.arithmetic != "fast" else set()
        settings = self.settings.model_dump(mode="json", include=named)
        settings["options"] = self.settings.lasting["options"]
        parts = [record, settings, identifying(self.weights_sha256)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
