"""Train a pretrained network in stages that release its blocks group by group.

Source   published code of RJCMA (CVPRW 2024): a group is released when a plateau schedule has
         lowered the learning rate below its minimum; `rate` is this rule.

Stage 0 trains the output layer, and stage k also the first k groups. A stage starts from the best
weights so far, with a new optimiser. Each stage is a fit in a folder of its own, `stage<k>`, with
its own state of the optimiser, so that a killed fit continues to the same bits.
"""

import csv
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from avfusion.config.schedules import Plateau
from avfusion.encoders.recipe import Recipe, Release
from avfusion.io.stamped import content_hash
from avfusion.training import distributed
from avfusion.training.checkpoint import save_history, save_weights
from avfusion.training.loop import FitResult

log = logging.getLogger(__name__)


Group = Sequence[nn.Module]
"""Blocks that are released together."""


Stage = Callable[[Path, dict[str, Any], Recipe], FitResult]
"""Fit the network in a folder, under named settings, and load its best weights into it."""


def fit_in_stages(
    net: nn.Module,
    groups: Sequence[Group],
    release: Release,
    fit_stage: Stage,
    folder: Path,
    document: dict[str, Any],
    recipe: Recipe,
) -> None:
    """Fit a network stage by stage, load its best weights and write them.

    Parameters
    ----------
    net
        Network whose groups require gradients; all of them are frozen until they are released.
    groups
        Groups of blocks, in the order of their release.
    release
        When a stage ends. The last stage has all epochs that are left; with `rate`, it ends as
        the others.
    fit_stage
        Fits the network in one stage.
    folder
        Receives a folder `stage<k>` per stage, epochs.csv of all stages and best.safetensors.
    document
        JSON-ready settings that name the fit.
    recipe
        Settings of the fit; `epochs` bounds all stages together.
    """
    for block in (block for group in groups for block in group):
        block.requires_grad_(False)
    best, best_score = _copy(net), float("-inf")
    done, rows = 0, list[dict[str, Any]]()
    for stage in range(len(groups) + 1):
        if done >= recipe.epochs:
            _warn_of_the_rest(folder.name, stage, len(groups), recipe.epochs)
            break
        for block in groups[stage - 1] if stage else ():
            block.requires_grad_(True)
        net.load_state_dict(best)
        # The start is part of the name: a stage does not continue from a state of other weights.
        name = {**document, "stage": stage, "start": content_hash(*best.values())}
        last = stage == len(groups)
        rule = _of_stage(recipe, release, done, stage, last)
        result = fit_stage(folder / f"stage{stage}", name, rule)
        if distributed.first():  # another process may be here before the file is written
            rows += _rows(result.best.parent / "epochs.csv", stage, done)
            save_history(folder / "epochs.csv", rows)
        done += result.epochs
        if result.score > best_score:
            best, best_score = _copy(net), result.score
    net.load_state_dict(best)
    if distributed.first():
        save_weights(folder / "best.safetensors", best, document)


def _of_stage(recipe: Recipe, release: Release, done: int, stage: int, last: bool) -> Recipe:
    """Return the settings of one stage after `done` epochs; each stage draws its own numbers."""
    left, seed = recipe.epochs - done, recipe.seed + 1000 * stage
    if release.when == "rate":
        assert isinstance(recipe.schedule, Plateau)
        return recipe._replace(epochs=left, seed=seed, ends_at=recipe.schedule.least)
    if last:
        return recipe._replace(epochs=left, seed=seed)
    if release.when == "epochs":
        count = min(left, release.after)
        return recipe._replace(epochs=count, patience=count, seed=seed)
    return recipe._replace(epochs=left, patience=release.after, seed=seed)


def _rows(path: Path, stage: int, done: int) -> list[dict[str, Any]]:
    """Return the lines of a stage's epochs.csv with epochs counted over all stages."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    return [{"epoch": done + n, "stage": stage, **_rest(line)} for n, line in enumerate(lines, 1)]


def _rest(line: dict[str, str]) -> dict[str, str]:
    return {column: value for column, value in line.items() if column != "epoch"}


def _copy(net: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in net.state_dict().items()}


def _warn_of_the_rest(name: str, stage: int, groups: int, epochs: int) -> None:
    log.warning(
        "%s: groups %d to %d of %d were not released within %d epochs. "
        "Raise `epochs` or lower `release_after`.",
        *(name, stage, groups, groups, epochs),
    )
