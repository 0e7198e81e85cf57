"""Settings of an encoder's fit."""

from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from avfusion.config.schedules import Constant, Cosine, Plateau, Schedule
from avfusion.errors import ConfigError


class Recipe(NamedTuple):
    """Settings of a fit.

    `most` bounds the examples held in memory, per partition. A fit also ends when its rate has
    fallen to `ends_at`. `head_lr` is the rate of the weights outside the backbone, by default `lr`.
    """

    epochs: int
    batch: int
    lr: float
    weight_decay: float
    patience: int
    most: int
    seed: int
    schedule: Schedule = Constant()
    ends_at: float | None = None
    head_lr: float | None = None


class Release(NamedTuple):
    """When a stage ends.

    `epochs`: after `after` epochs. `stalled`: after so many without a better score. `rate`: when
    the recipe's plateau schedule has lowered the rate to its `least`.
    """

    when: Literal["stalled", "epochs", "rate"] = "stalled"
    after: int = 2


def schedule_of(encoder: str, option: dict[str, Any] | None, lr: float) -> Schedule:
    """Return the schedule that an option describes, as `train.schedule` does; constant for None.

    Raises
    ------
    ConfigError
        If the option describes no schedule, or one whose least rate is not below `lr`.
    """
    try:
        schedule = TypeAdapter[Schedule](Schedule).validate_python(option or {"is": "constant"})
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in ("schedule", *fault["loc"]))
        raise ConfigError(f"{encoder}: `{key}`: {fault['msg']}; found {option}.") from None
    if isinstance(schedule, Cosine | Plateau) and schedule.least >= lr:
        raise ConfigError(
            f"{encoder}: `schedule.least` ({schedule.least}) is not below `lr` ({lr}), so the rate "
            f"cannot fall. Lower `schedule.least`."
        )
    return schedule
