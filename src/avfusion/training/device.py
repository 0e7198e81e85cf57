"""Where models run: the GPU that the job was given, else the CPU.

A GPU adds in another order than a CPU, so its numbers differ in the last digits. Provenance
therefore names the device (`gpu`); settings, and with them what runs again, do not.
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


KINDS = ("auto", "cpu", "cuda")


@cache
def chosen() -> torch.device:
    """The device of this process: `AVF_DEVICE` is auto (a visible GPU, else the CPU), cpu or cuda.

    Says in the log what it fell back from, where a scheduler gave a GPU that no driver answers for.
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
    """Make one of the visible GPUs this process' own: the `number`-th, counted round and round.

    Jobs of one machine that count their shards from 0 so spread over its GPUs.
    """
    if chosen().type == "cuda":
        torch.cuda.set_device(number % torch.cuda.device_count())


def be_deterministic() -> None:
    """Same order of every sum on the same device; a GPU warns where PyTorch has no such form."""
    on_gpu = chosen().type == "cuda"
    # As use_deterministic_algorithms, but without an import of Inductor, which nothing here uses.
    torch.set_deterministic_debug_mode("warn" if on_gpu else "error")
    torch.backends.cudnn.allow_tf32 = not on_gpu and torch.backends.cudnn.allow_tf32


def gpu() -> str | None:
    """The GPU in use, as its driver names it; None on the CPU."""
    return torch.cuda.get_device_name() if chosen().type == "cuda" else None


def of(model: Any) -> torch.device:
    """Where a model's first parameter lies; the CPU for one without any, or a plain function."""
    first = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    return torch.device("cpu") if first is None else first.device


def moved(batch: Any, device: torch.device) -> Any:
    """A tensor, or a (named) tuple of tensors, on the device; the same object if it is there.

    None, in the place of a tensor that a batch does not have, stays None.
    """
    if batch is None:
        return None
    if isinstance(batch, Tensor):
        return batch.to(device)
    parts = [moved(part, device) for part in batch]
    return type(batch)(*parts) if hasattr(batch, "_fields") else tuple(parts)
