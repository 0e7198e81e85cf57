"""Corruptions of sound and pictures at test time, encoded anew: what an encoder makes of them.

    noise_db   white noise is added to the waveform, at a signal-to-noise ratio over the video
    babble_db  the same with the voices of six other videos, of other people where there are any
    shift_s    the sound begins so much later against the pictures
    blur_px    aligned faces are blurred by a Gaussian of that deviation
    occlusion  a grey square hides that share of each aligned face, in one place a video

Only videos of the reported partition, only encoders of the modality. Faces are those found in the
whole video: a detector that loses them is what `video_missing` asks about.
"""

import json
import logging
import math
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from avfusion.config.corruptions import Case, find
from avfusion.encoders.stage import Job
from avfusion.errors import AvfError
from avfusion.features.corrupt import generator
from avfusion.features.store import FeatureStore
from avfusion.io.atomic import write_text
from avfusion.io.shards import write_table
from avfusion.io.stamped import content_hash
from avfusion.layout import Layout
from avfusion.media import noise
from avfusion.media.store import MediaRecord
from avfusion.schemas import INDEX
from avfusion.training.loop import deterministic

log = logging.getLogger(__name__)


GREY = 128


def corrupt_features(
    corpus: str, case: Case, partition: str, own: dict[str, Any], layout: Layout
) -> None:
    """Write one encoder's features of a partition's videos under a corruption and level.

    own: `Study.signal_settings`. Videos that were encoded before under the same settings are
    kept, so a killed job goes on. A video that cannot be read again stops the job: the
    curve would be of other videos than its start.
    """
    encoder = own["encoder"]["encoder"]
    folder = layout.corrupted(corpus, *case, encoder)
    clean = FeatureStore.open(layout.features(corpus, encoder) / "index.parquet")
    manifest = pd.read_parquet(layout.manifest(corpus))
    asked = set(manifest.loc[manifest["partition"] == partition, "video"])
    readable = manifest[manifest["video"].isin(clean.videos)]
    job = _CorruptJob(corpus, case, readable, own, layout)
    rows = []
    with deterministic(seed=0):
        for video in (v for v in clean.videos if v in asked):
            rows.append(job.encode(video))
            log.info("%s %g, %s: %s", *case, encoder, video)
    write_text(folder / "settings.json", json.dumps({"clean": _names(clean, rows)}) + "\n")
    write_table(pd.DataFrame(rows, columns=list(INDEX)), folder / "index.parquet")


def open_store(
    corpus: str, case: Case, encoder: str, clean: FeatureStore, layout: Layout
) -> FeatureStore:
    """What `corrupt_features` wrote; refuses where it is not there or of other clean features."""
    folder = layout.corrupted(corpus, *case, encoder)
    command = f"avf corrupt {corpus} {case[0]} {case[1]:g} {encoder}"
    if not (folder / "index.parquet").is_file():
        raise AvfError(f"{folder}: no features of corrupted input. Run `{command}` first.")
    store = FeatureStore.open(folder / "index.parquet")
    said = json.loads((folder / "settings.json").read_text())
    if said["clean"] != _names(clean, [{"video": video} for video in store.videos]):
        raise AvfError(f"{folder}: made beside other features than now. Run `{command}` again.")
    return store


def hide(crops: np.ndarray, share: float, place: tuple[float, float]) -> np.ndarray:
    """Crops (n, side, side, 3) with a grey square over `share` of each, at place in [0, 1)^2.

    A larger square holds the smaller ones of the same place.
    """
    side = crops.shape[1]
    size = round(side * math.sqrt(share))
    top, left = (int(at * (side - size)) for at in place)
    out = crops.copy()
    out[:, top : top + size, left : left + size] = GREY
    return out


def blur(crops: np.ndarray, sigma_px: float) -> np.ndarray:
    """Crops (n, side, side, 3) under a Gaussian of `sigma_px`; 0 leaves them."""
    if sigma_px == 0:
        return crops
    return np.stack([cv2.GaussianBlur(crop, (0, 0), sigma_px) for crop in crops])


class _Heard(MediaRecord):
    """A record whose sound is another."""

    make: Callable[[], np.ndarray]

    @cached_property
    def logmel(self) -> np.ndarray:
        return self.make()


class _Seen(MediaRecord):
    """A record whose faces are changed as they are read."""

    change: Callable[[np.ndarray], np.ndarray]

    def crops(self, frame_indices: Any) -> np.ndarray:
        return self.change(super().crops(frame_indices))


class _CorruptJob(Job):
    """One encoder on one corruption; the record it reads has its sound or faces changed."""

    def __init__(
        self, corpus: str, case: Case, manifest: pd.DataFrame, own: dict[str, Any], layout: Layout
    ) -> None:
        super().__init__(corpus, own["encoder"], layout)
        self.name, self.level = case
        self.folder = layout.corrupted(corpus, *case, own["encoder"]["encoder"])
        self.settings, self.root = own["encoder"]["media"], Path(own["root"])
        self.manifest = manifest.set_index("video")
        self.voices = noise.Voices(self.manifest, self.root, self.settings)
        self.draw, self.code = own["draw"], own["code"]
        if find(self.name)[0] == "audio" and not self.root.is_dir():
            raise AvfError(
                f"{self.root}: no such folder, and {self.name} changes the waveform, which the "
                f"media stage does not keep. Put the videos of {corpus} there, or take "
                f"{self.name} out of `robustness`."
            )

    def open(self, video: str) -> MediaRecord:
        """The video's record as it would be of corrupted input; the draw is the video's own."""
        clean = super().open(video)
        stated = [self.name, self.level, self.draw, self.code]
        if self.name == "audio_babble_db":
            stated.append(self.voices.named)
        meta = clean.meta | {"key": [clean.meta.get("key", ""), *stated]}
        if find(self.name)[0] == "audio":
            heard = _Heard(clean.folder, meta)
            heard.make = lambda: self._sound(video, clean.duration_s)
            return heard
        seen = _Seen(clean.folder, meta)
        seen.change = self._faces(video)
        return seen

    def _faces(self, video: str) -> Callable[[np.ndarray], np.ndarray]:
        if self.name == "video_blur_px":
            return lambda crops: blur(crops, self.level)
        place = tuple(self._generator(video).random(2))
        return lambda crops: hide(crops, self.level, place)

    def _sound(self, video: str, duration_s: float) -> np.ndarray:
        sound = self.voices.sound(video)
        if self.name == "audio_shift_s":
            pieces = noise.late(sound, round(self.level * self.settings["sample_rate_hz"]))
        else:
            pieces = noise.noisy(sound, self._noise(video), self.level)
        return noise.mel_of(pieces, duration_s, self.settings)

    def _noise(self, video: str) -> noise.Noise:
        def draws() -> np.random.Generator:
            return self._generator(video)

        if self.name == "audio_noise_db":
            return noise.white(draws)
        found = self.voices.besides(video, self._generator(video, "voices"))
        return noise.babble(found, draws)

    def _generator(self, video: str, *words: str) -> np.random.Generator:
        return generator(self.draw, self.name, video, *words)


def _names(clean: FeatureStore, rows: list[dict[str, Any]]) -> str:
    """Hash of the clean features of these videos."""
    return content_hash({row["video"]: clean.index.loc[row["video"], "sha256"] for row in rows})
