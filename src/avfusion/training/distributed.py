"""Fit one model with several processes of one machine, each with a part of every batch.

Every process draws the whole batch and takes its part, so the order of examples and all noise are
those of a single process. Predictions are gathered before the loss, because concordance is a ratio
of moments of the whole batch: the mean of the losses of the parts is another number. Each process
then has the whole loss. The gradient of the gathering adds up those of all processes, and
`DistributedDataParallel` divides by their number, which leaves the gradient of one loss.

In float64, every step equals that of one process to 1e-9. In float32, the first steps agree to
1e-5. The parts of a batch add up in another order than the batch, and AdamW divides by the size of
the gradient, so values near zero are amplified. From the first activation that rounds to the other
side of a ReLU, the two fits diverge, as two fits on different hardware do.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as joint
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as _Normalisation
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.parallel import DistributedDataParallel

from avfusion.errors import ConfigError
from avfusion.training import device

log = logging.getLogger(__name__)


def launch(words: list[str], processes: int) -> int:
    """Run `avf WORDS` in several processes, as torchrun does.

    A process that fails ends the others; a signal to this process reaches all of them.

    Returns
    -------
    int
        0, or the exit status of the first process that failed.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        1, 1, processes, rdzv_backend="c10d", rdzv_endpoint="localhost:0", max_restarts=0
    )
    try:
        elastic_launch(config, sys.executable)("-m", "avfusion.cli", *words)
    except ChildFailedError as error:
        return error.get_first_failure()[1].exitcode
    except SignalException as error:
        log.warning("stopped; the same command goes on from here")
        return 128 + error.sigval
    return 0


def started() -> bool:
    """Return whether torchrun started this process."""
    return dist.is_torchelastic_launched()


@contextmanager
def joined() -> Iterator[None]:
    """Join the processes that torchrun started with this one; do nothing without torchrun.

    The backend is NCCL if there is a GPU for each process, Gloo on the CPU.
    """
    if not started():
        yield
        return
    here, of = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    on_gpu = device.chosen().type == "cuda"
    if on_gpu and of > torch.cuda.device_count():
        raise ConfigError(
            f"{of} processes were asked for, but {torch.cuda.device_count()} GPUs are visible. Ask "
            f"for fewer processes, or set {device.VARIABLE}=cpu."
        )
    device.take(here)
    dist.init_process_group("nccl" if on_gpu else "gloo")
    if not first():
        logging.getLogger("avfusion").setLevel(logging.WARNING)  # the first process logs for all
    try:
        yield
    finally:
        dist.destroy_process_group()


def count() -> int:
    """Return the number of processes that fit together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return the index of this process among them."""
    return dist.get_rank() if dist.is_initialized() else 0


def first() -> bool:
    """Return whether this process is the one that writes."""
    return rank() == 0


def part(length: int) -> slice:
    """Return this process' part of `length` examples, as `torch.tensor_split` cuts them."""
    size, more = divmod(length, count())
    begin = rank() * size + min(rank(), more)
    return slice(begin, begin + size + (rank() < more))


def gathered(local: Tensor, length: int) -> Tensor:
    """Concatenate the parts (n, ...) of all processes to (length, ...), with gradient."""
    if count() == 1:
        return local
    most = -(-length // count())
    padded = F.pad(local, [0, 0] * (local.ndim - 1) + [0, most - len(local)])
    parts = joint.all_gather(padded)
    size, more = divmod(length, count())
    return torch.cat([x[: size + (index < more)] for index, x in enumerate(parts)])


def summed(local: Tensor) -> Tensor:
    """Return the sum over all processes, with gradient."""
    return local if count() == 1 else joint.all_reduce(local)


def of_first(values: list[float]) -> list[float]:
    """Return the first process' values, so that all processes decide the same by them."""
    if count() == 1:
        return values
    tensor = torch.tensor(values, dtype=torch.float64, device=device.chosen())
    dist.broadcast(tensor, 0)
    return [float(value) for value in tensor.cpu()]


def shared(model: nn.Module) -> nn.Module:
    """Wrap the model so that its gradients are those of the whole batch."""
    if count() == 1:
        return model
    where = device.of(model)
    return DistributedDataParallel(
        model, [where.index] if where.type == "cuda" else None, broadcast_buffers=False
    )


def of_whole_batches(model: nn.Module) -> nn.Module:
    """Make batch normalisation and dropout use the whole batch of all processes.

    Names of weights stay. With one process, the model is returned unchanged.

    Raises
    ------
    ConfigError
        If it has another layer that draws numbers or statistics of a batch.
    """
    if count() == 1:
        return model
    kinds: dict[type[nn.Module], type[nn.Module]] = {
        nn.Dropout: _Dropout,
        nn.Dropout1d: _Dropout1d,
        nn.BatchNorm1d: _BatchNorm1d,
        nn.BatchNorm2d: _BatchNorm,
        nn.BatchNorm3d: _BatchNorm3d,
    }
    for layer in model.modules():
        if type(layer).__name__ == "StochasticDepth":  # of torchvision, which may not be installed
            kinds[type(layer)] = _Paths
    others = {type(x).__name__ for x in model.modules() if type(x) not in kinds and _of_batch(x)}
    if others:
        named = ", ".join(sorted(others))
        raise ConfigError(
            f"{count()} processes fit the network, but its layers {named} would read only a part "
            f"of each batch. Set `processes: 1` for this encoder."
        )
    if device.chosen().type == "cuda":
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for layer in model.modules():
        layer.__class__ = kinds.get(type(layer), type(layer))
    return model


def _of_batch(layer: nn.Module) -> bool:
    """Return whether a layer draws a mask or computes statistics of a batch.

    Subclasses of batch normalisation, and timm's dropping of residual paths, are among them.
    """
    draws = isinstance(layer, _DropoutNd) or type(layer).__name__ == "DropPath"
    share = getattr(layer, "p", getattr(layer, "drop_prob", 1.0))
    return isinstance(layer, _Normalisation) or (draws and share > 0)


class _Dropout(nn.Dropout):
    """Dropout that draws the mask of the whole batch and applies its part of it."""

    def forward(self, x: Tensor) -> Tensor:
        return x * _mask(x, [*x.shape[1:]], self.p) if self.training else x


class _Dropout1d(nn.Dropout1d):
    """The same of complete channels (B, C, T)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * _mask(x, [x.shape[1], 1], self.p) if self.training else x


class _Paths(nn.Module):
    """The same of complete examples, as torchvision's `StochasticDepth` by `row`."""

    p: float

    def forward(self, x: Tensor) -> Tensor:
        return x * _mask(x, [1] * (x.ndim - 1), self.p) if self.training and self.p else x


def _mask(x: Tensor, shape: list[int], share: float) -> Tensor:
    """Return this process' rows of a mask (rows of all processes, *shape).

    Numbers are drawn in the order of the values in memory, such as channels last.
    """
    lengths = x.new_zeros(count(), dtype=torch.long)  # rows can be the frames of examples
    lengths[rank()] = len(x)
    lengths = summed(lengths)
    begin = int(lengths[: rank()].sum())
    sizes = [int(lengths.sum()), *shape]
    strides = x.stride()
    order = sorted(range(x.ndim), key=lambda axis: -strides[axis])
    ones = x.new_ones([sizes[axis] for axis in order]).permute(
        [order.index(axis) for axis in range(x.ndim)]
    )
    return F.dropout(ones, share)[begin : begin + len(x)]


class _BatchNorm(nn.BatchNorm2d):
    """Batch normalisation over all processes on the CPU; `SyncBatchNorm` needs GPUs."""

    def forward(self, x: Tensor) -> Tensor:
        return _of_all(self, x) if self.training else super().forward(x)


class _BatchNorm1d(nn.BatchNorm1d):
    """The same of rows (B, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return _of_all(self, x[..., None, None])[..., 0, 0] if self.training else super().forward(x)


class _BatchNorm3d(nn.BatchNorm3d):
    """The same of clips (B, C, T, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        return _of_all(self, x.flatten(2, 3)).view(x.shape)


def _of_all(layer: Any, x: Tensor) -> Tensor:
    """x (B, C, H, W); first the mean, then deviations from it, as in a single process."""
    size = x.new_tensor([x.numel() // x.shape[1]])
    total, number = summed(torch.cat([x.sum((0, 2, 3)), size])).split([x.shape[1], 1])
    mean = total / number  # (C,)
    apart = x - mean[:, None, None]
    variance = summed((apart * apart).sum((0, 2, 3))) / number
    with torch.no_grad():
        layer.num_batches_tracked += 1
        layer.running_mean.lerp_(mean, layer.momentum)
        layer.running_var.lerp_(variance * number / (number - 1), layer.momentum)
    scale = layer.weight * (variance + layer.eps).rsqrt()  # (C,)
    return apart * scale[:, None, None] + layer.bias[:, None, None]
