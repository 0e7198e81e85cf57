"""Encode corrupted sound and pictures at test time.

    noise_db   add white noise to the waveform, at a signal-to-noise ratio over the video
    babble_db  the same with the voices of six other videos, if possible of other people
    shift_s    delay the sound against the pictures by so many seconds
    blur_px    blur aligned faces by a Gaussian of that standard deviation
    occlusion  hide that share of each aligned face by a grey square, in one place per video
    missing    remove stretches of the sound, as if they were not recorded, or of the faces
    missing_block  the same for one block

Sound that the study also keeps at its native rate is corrupted at that rate too. White noise then
covers its whole band, and babble ends at half the rate of the other sound.

Only videos of the reported partition and encoders of the corrupted modality are encoded. The faces
are those detected in the clean video; `video_missing` covers a detector that loses faces. Which
stretches are missing is drawn as in avfusion.features.corrupt, which also makes the rows of clips
absent that overlap them.
"""

import json
import logging
import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from torchaudio.functional import resample

from avfusion.config.corruptions import Case, find
from avfusion.config.jobs import CorruptSettings
from avfusion.encoders.corrupt_records import Change, ChangedFaces, ChangedSound, WithoutFaces
from avfusion.encoders.job import Job
from avfusion.errors import AvfError
from avfusion.features.corrupt import generator, removed_spans
from avfusion.features.store import FeatureStore
from avfusion.io.atomic import write_text
from avfusion.io.shards import write_table
from avfusion.io.stamped import content_hash
from avfusion.layout import Layout
from avfusion.media import noise
from avfusion.media.clips import clip_ends
from avfusion.media.store import MediaRecord
from avfusion.schemas import INDEX
from avfusion.training.loop import deterministic

log = logging.getLogger(__name__)


GREY = 128


def corrupt_features(
    corpus: str, case: Case, partition: str, settings: CorruptSettings, layout: Layout
) -> None:
    """Write one encoder's features of a partition's videos under a corruption and level.

    Videos that were encoded before under the same settings are kept, so a killed job continues. A
    video that cannot be read again stops the job, because all levels of a curve must be of the
    same videos.

    Parameters
    ----------
    corpus
        Name of the corpus entry.
    case
        (corruption, level).
    partition
        The partition to encode.
    settings
        Settings of the encoder and the corruption.
    layout
        Paths of the study.

    Raises
    ------
    AvfError
        If a video cannot be read.
    """
    encoder = settings.encoder.encoder
    folder = layout.corrupted(corpus, *case, encoder)
    clean = FeatureStore.open(layout.features(corpus, encoder) / "index.parquet")
    manifest = pd.read_parquet(layout.manifest(corpus))
    members = set(manifest.loc[manifest["partition"] == partition, "video"])
    readable = manifest[manifest["video"].isin(clean.videos)]
    job = _CorruptJob(corpus, case, readable, settings, layout)
    rows: list[dict[str, Any]] = []
    with deterministic(seed=0):
        for video in (v for v in clean.videos if v in members):
            rows.append(job.encode(video))
            log.info("%s %g, %s: %s", *case, encoder, video)
    write_text(folder / "settings.json", json.dumps({"clean": _clean_hash(clean, rows)}) + "\n")
    write_table(pd.DataFrame(rows, columns=list(INDEX)), folder / "index.parquet")


def open_store(
    corpus: str, case: Case, encoder: str, clean: FeatureStore, layout: Layout
) -> FeatureStore:
    """Open the features that `corrupt_features` wrote.

    Raises
    ------
    AvfError
        If they are missing, or the clean features have changed since.
    """
    folder = layout.corrupted(corpus, *case, encoder)
    command = f"avf corrupt {corpus} {case[0]} {case[1]:g} {encoder}"
    if not (folder / "index.parquet").is_file():
        raise AvfError(f"{folder}: no features of corrupted input. Run `{command}` first.")
    store = FeatureStore.open(folder / "index.parquet")
    settings = json.loads((folder / "settings.json").read_text())
    if settings["clean"] != _clean_hash(clean, [{"video": video} for video in store.videos]):
        raise AvfError(
            f"{folder}: the clean features have changed since these were made. Run `{command}` "
            f"again."
        )
    return store


def hide(crops: np.ndarray, share: float, place: tuple[float, float]) -> np.ndarray:
    """Cover `share` of each crop (n, side, side, 3) by a grey square at `place` in [0, 1)^2.

    At one place, a larger square contains the smaller ones.
    """
    side = crops.shape[1]
    size = round(side * math.sqrt(share))
    top, left = (int(at * (side - size)) for at in place)
    out = crops.copy()
    out[:, top : top + size, left : left + size] = GREY
    return out


def blur(crops: np.ndarray, sigma_px: float) -> np.ndarray:
    """Blur crops (n, side, side, 3) by a Gaussian of `sigma_px`; 0 returns them unchanged."""
    if sigma_px == 0:
        return crops
    return np.stack([cv2.GaussianBlur(crop, (0, 0), sigma_px) for crop in crops])


class _CorruptJob(Job):
    """One encoder under one corruption; its records have changed sound or faces."""

    def __init__(
        self,
        corpus: str,
        case: Case,
        manifest: pd.DataFrame,
        settings: CorruptSettings,
        layout: Layout,
    ) -> None:
        super().__init__(corpus, settings.encoder, layout)
        self.name, self.level = case
        self.folder = layout.corrupted(corpus, *case, settings.encoder.encoder)
        self.voices = noise.Voices(manifest.set_index("video"), self._clean)
        self.draw, self.code = settings.draw, settings.code

    def _clean(self, video: str) -> MediaRecord:
        record = super().open(video)
        assert isinstance(record, MediaRecord)
        return record

    def open(self, video: str) -> MediaRecord:
        """Open the video's record with corrupted input; the random draw depends on the video."""
        clean = self._clean(video)
        stated = [self.name, self.level, self.draw, self.code]
        if self.name == "audio_babble_db":
            stated.append(self.voices.digest)
        meta = clean.meta | {"key": [clean.meta.get("key", ""), *stated]}
        modality, kind = find(self.name)
        if kind.missing:
            spans_s = self._missing(video, clean.duration_s)
            if modality == "video":
                return WithoutFaces(clean.folder, meta, spans_s)
            return ChangedSound(clean, meta, lambda sound, hz: noise.without(sound(), spans_s, hz))
        if modality == "audio":
            return ChangedSound(clean, meta, self._sound(video, clean.sound_hz))
        return ChangedFaces(clean.folder, meta, self._faces(video))

    def _missing(self, video: str, duration_s: float) -> list[tuple[float, float]]:
        """Return the spans that are missing, (begin, end] in seconds."""
        windows = self.settings.windows
        rows = len(clip_ends(duration_s, windows.hop_s))
        return removed_spans(self.name, self.level, video, rows, windows, self.draw)

    def _faces(self, video: str) -> Callable[[np.ndarray], np.ndarray]:
        if self.name == "video_blur_px":
            return lambda crops: blur(crops, self.level)
        top, left = self._generator(video).random(2)
        return lambda crops: hide(crops, self.level, (top, left))

    def _sound(self, video: str, stored_hz: int) -> Change:
        if self.name == "audio_shift_s":
            return lambda sound, hz: noise.late(sound(), round(self.level * hz))
        return lambda sound, hz: noise.noisy(sound, self._noise(video, stored_hz, hz), self.level)

    def _noise(self, video: str, stored_hz: int, rate_hz: int) -> noise.Noise:
        def draws() -> np.random.Generator:
            return self._generator(video)

        if self.name == "audio_noise_db":
            return noise.white(draws)
        voices = self.voices.others(video, self._generator(video, "voices"))
        if rate_hz != stored_hz:
            voices = [resample(torch.from_numpy(x), stored_hz, rate_hz).numpy() for x in voices]
        return noise.babble(voices, draws)

    def _generator(self, video: str, *words: str) -> np.random.Generator:
        return generator(self.draw, self.name, video, *words)


def _clean_hash(clean: FeatureStore, rows: list[dict[str, Any]]) -> str:
    """Hash the clean features of these videos."""
    return content_hash({row["video"]: clean.index.loc[row["video"], "sha256"] for row in rows})
