"""Fine-tune the last blocks of a pretrained network: options, checks and order of release.

`face_tuned` and the encoders of the papers use it. A subclass of `TunedEncoder` returns the blocks
of its network in `blocks_of`, from input to output.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from torch import nn

from avfusion.config.schedules import Plateau
from avfusion.encoders.fitting import FittedEncoder
from avfusion.encoders.recipe import Recipe, Release, schedule_of
from avfusion.encoders.release import Group
from avfusion.errors import ConfigError

When = Literal["stalled", "epochs", "rate"]


class Staged(NamedTuple):
    """Which blocks are tuned: the last `blocks`, in `releases` groups if that is not 0."""

    blocks: int
    releases: int
    release: Release


def staged(
    encoder: str, blocks: int, most: int, release: int, when: When, after: int, recipe: Recipe
) -> Staged:
    """Check the options of a tuned encoder.

    Parameters
    ----------
    encoder
        Its name, for messages.
    blocks, most
        Number of tuned blocks, and of all blocks.
    release, when, after
        The options `release`, `release_when` and `release_after`.
    recipe
        Settings of the fit; `rate` needs a plateau schedule.

    Raises
    ------
    ConfigError
        If they do not fit together.
    """
    if not 0 <= blocks <= most:
        raise ConfigError(f"{encoder}: `blocks` must be 0 to {most}, found {blocks}.")
    if not 0 <= release <= blocks:
        raise ConfigError(
            f"{encoder}: `release` must be 0 to {blocks}, the number of tuned `blocks`, found "
            f"{release}."
        )
    if after < 1:
        raise ConfigError(f"{encoder}: `release_after` must be 1 or more, found {after}.")
    rate = recipe.schedule
    if release and when == "rate" and not (isinstance(rate, Plateau) and rate.least):
        raise ConfigError(
            f"{encoder}: `release_when: rate` needs a plateau schedule with a least rate, such "
            f"as `schedule: {{is: plateau, patience: 5, least: 1.0e-8}}`."
        )
    return Staged(blocks, release, Release(when, after))


def recipe_of(
    encoder: str,
    *,
    epochs: int,
    batch: int,
    lr: float,
    most: int,
    seed: int,
    schedule: dict[str, Any] | None,
    head_lr: float | None = None,
) -> Recipe:
    """Return the settings of a fit from the options of a tuned encoder.

    Raises
    ------
    ConfigError
        If a rate or number is too small, or the schedule is wrong.
    """
    for name, rate in (("lr", lr), ("head_lr", head_lr)):
        if rate is not None and not rate > 0:
            raise ConfigError(f"{encoder}: `{name}` must be above 0, found {rate}.")
    # Concordance and batch normalisation need two examples.
    for name, number, least in (("epochs", epochs, 1), ("batch", batch, 2), ("most", most, 2)):
        if number < least:
            raise ConfigError(f"{encoder}: `{name}` must be {least} or more, found {number}.")
    return Recipe(
        *(epochs, batch, lr, 1e-2),
        patience=epochs,
        most=most,
        seed=seed,
        schedule=schedule_of(encoder, schedule, lr),
        head_lr=head_lr,
    )


class TunedEncoder(FittedEncoder):
    """Base of encoders whose network has blocks; it sets `staged` in its constructor."""

    staged: Staged

    def blocks_of(self, net: nn.Module) -> Sequence[nn.Module]:
        """Return the blocks of the network, from input to output."""
        raise NotImplementedError

    def groups(self, net: nn.Module) -> list[Group]:
        """Return the tuned blocks in `release` groups, the last blocks first."""
        blocks, releases, _ = self.staged
        last_first = list(reversed(self.blocks_of(net)))[:blocks]
        cuts = [blocks * cut // max(1, releases) for cut in range(releases + 1)]
        return [last_first[begin:end] for begin, end in pairwise(cuts)]
