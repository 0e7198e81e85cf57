"""What the workflow requests of a cluster for a training job, by the estimate of `avf plan`."""

from typing import NamedTuple

from avfusion.config.study import Study
from avfusion.planning.rates import memory_mb, start_s
from avfusion.planning.sizes import Size
from avfusion.planning.training import run_of

SAFETY = 3.0
"""Factor of the time: other processors are slower, and nodes are shared."""
SAFETY_MB = 1.5
LEAST_MINUTES, LEAST_MB = 60, 3000
UNKNOWN = Size(564, 26.0, "unknown", shown_h=26.0)
"""A corpus of unknown length counts as one of the largest, Aff-Wild2.

Snakemake asks again before it submits a job. The media were read by then, which tell the length.
"""
GPU_SPEED = 3.0
"""A GPU counts as so many times as fast as a core. No GPU was measured, so this is cautious."""
GPU_BASE_MB = 5000.0
"""Memory of a process that has loaded CUDA, before it holds any data."""


class Request(NamedTuple):
    """Time limit and memory of a job, and the seconds on one core that it is estimated at."""

    minutes: int
    mb: int
    core_s: float


def request(core_s: float, mb: float, gpu: bool, attempt: int) -> Request:
    """Return what to request for a job; both grow with each attempt.

    Parameters
    ----------
    core_s
        Seconds on one core.
    mb
        Estimated memory, on a core.
    gpu
        Whether the job has a GPU.
    attempt
        1 for the first.
    """
    minutes = SAFETY * core_s / (GPU_SPEED if gpu else 1.0) / 60
    mb += max(GPU_BASE_MB - memory_mb("train"), 0.0) if gpu else 0.0
    least = max(LEAST_MINUTES, round(minutes)), max(LEAST_MB, round(SAFETY_MB * mb))
    return Request(least[0] * attempt, least[1] * attempt, core_s)


def training(
    study: Study, corpus: str, fusion: str, runs: int, size: Size, gpu: bool, attempt: int
) -> Request:
    """Return what to request for a job that trains some runs of a fusion.

    Parameters
    ----------
    study
        The study.
    corpus, fusion
        Names of entries.
    runs
        Runs that the job trains one after the other.
    size
        What the corpus holds.
    gpu
        Whether the job has a GPU.
    attempt
        1 for the first.
    """
    run = run_of(study, corpus, fusion, size if size.known else UNKNOWN)
    return request(start_s("heavy") + runs * run.seconds, run.mb, gpu, attempt)
