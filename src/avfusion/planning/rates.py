"""Measured rates of the stages, from rates.json, which `benchmarks/rates.py` writes.

Seconds are of one core. They come from made corpora and from training steps on one thread. A rate
that is not there is that of a stand-in, and the plan says so.
"""

import functools
import json
from importlib.resources import files
from typing import Any

import numpy as np

UNKNOWN_FUSION, UNKNOWN_ENCODER, UNKNOWN_FIT = "rjca", "torchvision", "face_cnn"
"""Stand-ins for classes that were not measured: slow ones of their kind."""


@functools.cache
def rates() -> dict[str, Any]:
    """Return the content of rates.json."""
    text = files("avfusion.planning").joinpath("rates.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def start_s(kind: str) -> float:
    """Return how long a job takes to start: `heavy` imports PyTorch, `light` does not."""
    return float(rates()["start_s"][kind])


def stage_start_s(stage: str) -> float:
    """Return how long a job of a stage takes to start."""
    return start_s(rates()["stages"][stage]["start"])


def per_unit_s(stage: str) -> float:
    """Return seconds of a stage per unit of its work, see `units` in rates.json."""
    return float(rates()["stages"][stage]["unit_s"])


def memory_mb(stage: str) -> float:
    """Return the greatest memory of a job of a stage that was measured."""
    return float(rates()["stages"][stage]["mb"])


def search_s(pixels: float) -> float:
    """Return seconds of one search for faces in a picture of so many pixels."""
    rows = rates()["search_ms"]
    return float(np.interp(pixels, rows["pixels"], rows["ms"])) / 1e3


def encoder(kind: str) -> tuple[float, bool]:
    """Return clips per second of a class of encoders, and whether it was measured."""
    known = rates()["encoders"]
    return float(known[kind if kind in known else UNKNOWN_ENCODER]), kind in known


def fit_example_s(kind: str) -> tuple[float, bool]:
    """Return seconds per example and epoch of a fit, and whether it was measured."""
    known = rates()["fits"]
    return float(known[kind if kind in known else UNKNOWN_FIT]), kind in known


def fusion(kind: str) -> tuple[dict[str, float], bool]:
    """Return the rates of training a class of fusions, and whether it was measured."""
    known = rates()["fusions"]
    measured: dict[str, float] = known[kind if kind in known else UNKNOWN_FUSION]
    return measured, kind in known
