"""Findings about what encoding will take: each encoder is measured on a made recording.

Each encoder runs in a process of its own, so that its memory can be told. An encoder that is still
to be fitted has random weights; its speed does not depend on them. What the fit itself takes is not
measured.
"""

import re
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from avfusion.config.jobs import EncoderSettings
from avfusion.config.study import Study
from avfusion.doctor.finding import Finding
from avfusion.doctor.media import FRAMES_HZ, HOUR_S, Hours
from avfusion.encoders.cost import clips_per_s_of_all, duration
from avfusion.registry import encoders

LENGTH_S = 20.0
"""Length of the made recording in seconds."""


WORD_S = 0.4


class Cost(NamedTuple):
    """What one encoder takes: clips per second, memory of its process, and where it runs."""

    clips_per_s: float
    peak_mb: float
    place: str


def findings(study: Study, hours: dict[str, Hours]) -> Iterator[Finding]:
    """Yield a finding per encoder that has a network.

    Parameters
    ----------
    study
        The study.
    hours
        Corpus folder -> hours of recordings, of those that are here. If there are none, what one
        hour takes is told.
    """
    total_h = sum(each.total for each in hours.values()) or 1.0
    corpus = next(iter(study.corpora))
    faces_hz = study.media.read_hz or study.read_hz() or FRAMES_HZ
    for name in study.features.encoders:
        kind = study.encoder_class(name)
        if not encoders.known(kind) or encoders.constant(kind, "reads") is not None:
            continue  # files of features are only copied
        try:
            cost = measured(study.encoder_settings(name, corpus), faces_hz)
        except Exception as error:  # code of libraries and of users
            text = f"{name}: cannot be measured ({type(error).__name__}: {error})"
            yield Finding("WARN", "speed", text, "correct what the message names")
            continue
        needed_s = total_h * HOUR_S / study.windows.hop_s / cost.clips_per_s
        yield Finding(
            "OK",
            "speed",
            f"{name}: {cost.clips_per_s:,.3g} clips/s on {cost.place}, {duration(needed_s)} for "
            f"{total_h:.2g} h; {cost.peak_mb:,.0f} MB of memory",
        )


def measured(settings: EncoderSettings, faces_hz: float) -> Cost:
    """Measure one encoder in a new process, on a recording with so many faces per second.

    Raises
    ------
    AvfError
        If it cannot be built.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        dumped = settings.model_dump(mode="json", by_alias=True)
        return pool.submit(_measured, dumped, faces_hz).result()


def _measured(dumped: dict[str, Any], faces_hz: float) -> Cost:
    from avfusion.encoders import base
    from avfusion.media.clips import clip_ends
    from avfusion.training import device
    from avfusion.training.loop import deterministic

    settings = EncoderSettings.model_validate(dumped)
    encoder: Any = base.build(settings)
    windows = settings.windows
    with deterministic(seed=0), tempfile.TemporaryDirectory() as scratch:
        if encoder.fitted:
            net = encoder.new_net(settings)
            encoder.net = net.to(device.chosen()).eval().requires_grad_(False)
        record = made(Path(scratch) / "record", settings, encoder.modality, faces_hz)
        ends_s = clip_ends(record.duration_s, windows.hop_s)

        def encode(some_s: np.ndarray) -> np.ndarray:
            getattr(record, "derived", {}).clear()  # such as log-mels, once per video
            return np.asarray(encoder.encode(record, some_s, windows.clip_s))

        rate = clips_per_s_of_all(encode, ends_s)
    gpu = device.gpu() if device.of(getattr(encoder, "net", None)).type != "cpu" else None
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    return Cost(rate, int(peak[1]) / 1024 if peak else float("nan"), gpu or "one core")


def made(folder: Path, settings: EncoderSettings, modality: str, faces_hz: float) -> Any:
    """Return a recording of noise with `faces_hz` faces per second, or a transcript."""
    from avfusion.media.new_record import write_record
    from avfusion.media.transcript import Transcript

    if modality == "text":
        start_s = np.arange(0.0, LENGTH_S - WORD_S, WORD_S)
        return Transcript(("the",) * len(start_s), start_s, start_s + WORD_S, LENGTH_S)
    rng, media = np.random.default_rng(0), settings.media
    times_s = np.arange(round(LENGTH_S * faces_hz)) / faces_hz
    frames = pd.DataFrame({"time_s": times_s, "faces": 1, "score": 0.9})
    side = media.face_px
    crops = {i: rng.integers(0, 256, (side, side, 3), np.uint8) for i in range(len(times_s))}
    rate_hz = media.sample_rate_hz
    sound = rng.normal(0, 0.05, round(LENGTH_S * rate_hz)).astype(np.float32)
    meta = {"face_px": side, "duration_s": LENGTH_S}
    return write_record(folder, frames, crops, [(0, sound)], meta, rate_hz)
