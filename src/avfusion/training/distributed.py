"""Several processes of one machine that fit one model together, each with a part of every batch.

Every process draws the whole batch and takes its part, so the order of examples and all noise are
those of one process. Predictions are gathered before the loss, because concordance is a ratio of
moments of the whole batch: the mean of the parts' losses is another number. Each process then has
the whole loss; the gathering's gradient adds those of all processes up, and
`DistributedDataParallel` divides by their number, which leaves the gradient of one loss.
In float64 every step is that of one process to 1e-9. In float32 the first ones agree to 1e-5: parts
of a batch add up in another order than the whole, AdamW divides by the gradient's size and so makes
much of what is nearly zero, and from the first activation that rounds to the other side of a ReLU's
kink the two fits part, as two fits on different hardware do.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as joint
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from avfusion.errors import ConfigError
from avfusion.training import device

log = logging.getLogger(__name__)


def launch(words: list[str], processes: int) -> int:
    """Run `avf WORDS` in so many processes, as torchrun does; the exit status of the first to fail.

    A process that fails ends the others; a signal to this one reaches all.
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
    """Whether torchrun started this process."""
    return dist.is_torchelastic_launched()


@contextmanager
def joined() -> Iterator[None]:
    """Join the processes that torchrun started beside this one; alone, do nothing.

    Over NCCL where there is a GPU for each, over Gloo on the CPU.
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
        logging.getLogger("avfusion").setLevel(logging.WARNING)  # one of them tells the rest
    try:
        yield
    finally:
        dist.destroy_process_group()


def count() -> int:
    """How many processes fit together; 1 where this one is alone."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Which of them this one is, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def first() -> bool:
    """Whether this process is the one that writes."""
    return rank() == 0


def part(whole: int) -> slice:
    """This process' part of so many examples: as `torch.tensor_split`, and empty if need be."""
    size, more = divmod(whole, count())
    begin = rank() * size + min(rank(), more)
    return slice(begin, begin + size + (rank() < more))


def gathered(own: Tensor, whole: int) -> Tensor:
    """The parts of all processes (own, ...) in their order (whole, ...), with gradient."""
    if count() == 1:
        return own
    most = -(-whole // count())
    padded = F.pad(own, [0, 0] * (own.ndim - 1) + [0, most - len(own)])
    found = joint.all_gather(padded)
    size, more = divmod(whole, count())
    return torch.cat([x[: size + (number < more)] for number, x in enumerate(found)])


def summed(own: Tensor) -> Tensor:
    """The sum over all processes, with gradient."""
    return own if count() == 1 else joint.all_reduce(own)


def shared(model: nn.Module) -> nn.Module:
    """The model, so that its gradients are those of the whole batch; called like the model."""
    if count() == 1:
        return model
    where = device.of(model)
    return DistributedDataParallel(
        model, [where.index] if where.type == "cuda" else None, broadcast_buffers=False
    )


def of_whole_batches(model: nn.Module) -> nn.Module:
    """The model with layers that see the whole batch: normalisation by its moments, its dropout.

    Names of weights stay, and so does the model itself where this process is alone.
    """
    if count() == 1:
        return model
    if device.chosen().type == "cuda":
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    kinds = {nn.Dropout: _Dropout, nn.BatchNorm2d: _BatchNorm}
    for layer in model.modules():
        layer.__class__ = kinds.get(type(layer), type(layer))
    return model


class _Dropout(nn.Dropout):
    """Draws the whole batch's mask and takes its part, so that the noise is that of one process."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        whole = int(summed(torch.tensor(len(x), device=x.device)))
        mask = F.dropout(x.new_ones(whole, *x.shape[1:]), self.p)
        return x * mask[part(whole)]


class _BatchNorm(nn.BatchNorm2d):
    """Batch normalisation over all processes, for the CPU: `SyncBatchNorm` is for GPUs alone."""

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W); mean first, then deviations from it, as one process computes them."""
        if not self.training:
            return super().forward(x)
        size = x.new_tensor([x.numel() // x.shape[1]])
        total, number = summed(torch.cat([x.sum((0, 2, 3)), size])).split([x.shape[1], 1])
        mean = total / number  # (C,)
        apart = x - mean[:, None, None]
        variance = summed((apart * apart).sum((0, 2, 3))) / number
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * number / (number - 1), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()  # (C,)
        return apart * scale[:, None, None] + self.bias[:, None, None]
