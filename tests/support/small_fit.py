"""A fit with dropout, shuffling and patience that takes a second; as a script, one to be killed.

`python small_fit.py FOLDER SEED` fits in a child process, kills it with SIGKILL at random moments,
starts it again until it is through, and prints how often a kill came before the end.
"""

import os
import random
import signal
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # seconds that each child would spend, as AdamW imports it late
from pydantic import TypeAdapter
from torch import nn

from avfusion.config.schedules import Schedule
from avfusion.training.loop import FitResult, deterministic, fit
from avfusion.training.losses import ccc_loss
from avfusion.training.rule import FitRule

RULE = [field.name for field in fields(FitRule)]


def schedule_of(given: dict[str, Any]) -> Schedule:
    """The settings of a schedule, constant unless `given` says otherwise."""
    return TypeAdapter(Schedule).validate_python({"is": "constant", **given})


def small_fit(folder: Path, **changes: Any) -> FitResult:
    """Fit two outputs to a known function of five inputs.

    `changes` replace arguments of fit and settings of its rule.
    """
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(64, 5, generator=draw)  # (N, 5)
    gold = torch.tanh(x[:, :2] + 0.3 * torch.randn(64, 2, generator=draw))  # (N, 2)
    with deterministic(changes.get("seed", 0)):
        model = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.3), nn.Linear(8, 2))

    def batches(generator: torch.Generator):
        chosen = torch.randperm(48, generator=generator).split(16)
        return [(x[rows], gold[rows]) for rows in chosen]

    def validate(model: nn.Module) -> dict[str, float]:
        return {"score": 2 - ccc_loss(model(x[48:]), gold[48:]).item(), "rows": 16}

    rule = {"epochs": 12, "lr": 0.01, "weight_decay": 1e-4, "patience": 12}
    rule |= {key: changes.pop(key) for key in list(changes) if key in RULE}
    given = {"batches": batches, "validate": validate, "settings": {"study": "small"}, "seed": 0}
    given |= {"loss": lambda model, batch: ccc_loss(model(batch[0]), batch[1]), "name": "small"}
    return fit(model, **{**given, "folder": folder, "rule": FitRule(**rule), **changes})


def _killed(folder: Path, seed: int) -> int:
    """This process only forks: torch's threads do not survive a fork, so it never starts any."""
    draw = random.Random(seed)
    _wait(_child(folder / "undisturbed"))
    start = time.monotonic()
    _wait(_child(folder / "timed"))
    whole_s = time.monotonic() - start
    kills = 0
    while True:
        child = _child(folder / "killed")
        if kills < 12:
            time.sleep(draw.uniform(0, 0.15 * whole_s))
            os.kill(child, signal.SIGKILL)
        if _wait(child):
            return kills
        kills += 1


def _child(folder: Path) -> int:
    child = os.fork()
    if child == 0:
        small_fit(folder, epochs=40)
        os._exit(0)
    return child


def _wait(child: int) -> bool:
    """Whether the child came to its own end."""
    return os.WIFEXITED(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    print(_killed(Path(sys.argv[1]), int(sys.argv[2])))
