"""Choose the device of a process: the GPU that the job was given, else the CPU.

A GPU adds in another order than a CPU, so numbers differ in the last digits. The device is
therefore part of the provenance of a run, but not of its settings: another device does not make it
run again.
"""

import logging
import os
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from avfusion.errors import ConfigError

log = logging.getLogger(__name__)

VARIABLE = "AVF_DEVICE"
FEATURES = 0.5
"""Greatest share of a GPU's free memory that the features of a run may take."""

KINDS = ("auto", "cpu", "cuda")


@cache
def chosen() -> torch.device:
    """Return the device of this process, as `AVF_DEVICE` asks for it.

    `auto` takes a visible GPU, else the CPU; the other values are `cpu` and `cuda`. If a scheduler
    gave a GPU that PyTorch does not see, `auto` logs a warning and takes the CPU.

    Raises
    ------
    ConfigError
        If `AVF_DEVICE` has another value, or is `cuda` and PyTorch sees no GPU.
    """
    wanted = os.environ.get(VARIABLE) or "auto"
    if wanted not in KINDS:
        raise ConfigError(f"{VARIABLE} is {wanted!r}; set it to one of {', '.join(KINDS)}.")
    if wanted == "cpu":
        return torch.device("cpu")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    if torch.cuda.is_available():
        log.info("on %s", torch.cuda.get_device_name())
        return torch.device("cuda")
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if wanted == "cuda":
        raise ConfigError(
            f"{VARIABLE} is cuda, but PyTorch sees no GPU (CUDA_VISIBLE_DEVICES={given}). See "
            f"`nvidia-smi`, or set {VARIABLE}=auto."
        )
    if given:
        log.warning("GPU %s was given to this job, but PyTorch sees none; on the CPU", given)
    return torch.device("cpu")


def take(number: int) -> None:
    """Use visible GPU `number` modulo the number of GPUs; do nothing on the CPU.

    Jobs of one machine that count their shards from 0 are spread over its GPUs in this way.
    """
    if chosen().type == "cuda":
        torch.cuda.set_device(number % torch.cuda.device_count())


def be_deterministic() -> None:
    """Make PyTorch deterministic; on a GPU, warn where it has no deterministic operation."""
    on_gpu = chosen().type == "cuda"
    # Like use_deterministic_algorithms, which would also import Inductor; nothing here uses it.
    torch.set_deterministic_debug_mode("warn" if on_gpu else "error")
    torch.backends.cudnn.allow_tf32 = not on_gpu and torch.backends.cudnn.allow_tf32


def gpu() -> str | None:
    """Return the driver's name of the GPU in use, or None on the CPU."""
    return torch.cuda.get_device_name() if chosen().type == "cuda" else None


def of(model: Any) -> torch.device:
    """Return the device of a model's first parameter; the CPU if it has none or is a function."""
    first = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    return torch.device("cpu") if first is None else first.device


def fits(size: int, where: torch.device) -> bool:
    """Return whether features of so many bytes may stay on a device; on the CPU they already do."""
    return where.type != "cuda" or size <= FEATURES * torch.cuda.mem_get_info(where)[0]


def moved(batch: Any, device: torch.device) -> Any:
    """Move a tensor or a (named) tuple of tensors to a device; None stays None.

    What goes to a GPU is pinned first, so that the copy runs while the GPU is computing.
    """
    if batch is None:
        return None
    if isinstance(batch, Tensor):
        pinned = device.type == "cuda" and batch.device.type == "cpu"
        return (batch.pin_memory() if pinned else batch).to(device, non_blocking=pinned)
    parts = [moved(part, device) for part in batch]
    return type(batch)(*parts) if hasattr(batch, "_fields") else tuple(parts)
