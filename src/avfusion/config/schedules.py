"""The learning rate over the epochs, as settings; `avfusion.training.schedules` runs them.

Epochs count from 0, as in PyTorch: `after: 5` means that epochs 0 to 5 have the rate `train.lr`.
With a warm-up, epoch 0 is the first one after it.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Epochs = Annotated[int, Field(ge=1)]
Factor = Annotated[float, Field(gt=0, lt=1)]


def on_as_text(given: Any) -> Any:
    """Return a mapping with the key `on` as text; YAML 1.1 reads a bare `on` as true.

    >>> on_as_text({True: "loss"})
    {'on': 'loss'}
    """
    if not isinstance(given, dict):
        return given
    return {"on" if key is True else key: value for key, value in given.items()}


def keys_as_text(given: Any) -> Any:
    """Return options, however nested, with the key `on` as text; JSON has no key `true`.

    >>> keys_as_text({"train.select": [{True: "validation"}]})
    {'train.select': [{'on': 'validation'}]}
    """
    if isinstance(given, dict):
        return {key: keys_as_text(value) for key, value in on_as_text(given).items()}
    return [keys_as_text(value) for value in given] if isinstance(given, list) else given


class _Schedule(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True
    )


class Warmup(_Schedule):
    """A rise of the rate, batch by batch, over the first epochs.

    `linear` rises once, from 0 to `train.lr`. `sawtooth` starts from 0 in each epoch e and rises to
    `train.lr` (e + 1) / epochs², as in the published code of RJCMA (5 epochs: a 25th per epoch).
    The last batch of a rise has its greatest rate. The schedule begins after the warm-up.
    """

    epochs: Epochs
    shape: Literal["linear", "sawtooth"] = "linear"


class _Warmed(_Schedule):
    warmup: Warmup | None = Field(None, description="A rise of the rate before the schedule.")


class Constant(_Warmed):
    """The same rate in every epoch."""

    is_: Literal["constant"] = Field("constant", alias="is")


class Step(_Warmed):
    """Multiply the rate by `factor` every `every` epochs, beginning after epoch `after`.

    From epoch `after` + 1 on, the rate is `lr` factor^floor((epoch - after) / every), with the
    schedule's own `lr` if it has one, else `train.lr`.
    """

    is_: Literal["step"] = Field(alias="is")
    factor: Factor
    every: Epochs = 1
    after: Annotated[int, Field(ge=0)] = 0
    lr: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Rate from which the steps begin; by default `train.lr`."
    )


class Exponential(_Warmed):
    """Multiply the rate by `factor` in every epoch after epoch `after`."""

    is_: Literal["exponential"] = Field(alias="is")
    factor: Factor
    after: Annotated[int, Field(ge=0)] = 0


class Plateau(_Warmed):
    """Multiply the rate by `factor` after `patience` + 1 epochs without a better value of `on`.

    A value is better if it is greater (a loss: smaller) by any amount.
    """

    is_: Literal["plateau"] = Field(alias="is")
    factor: Factor = 0.1
    patience: Annotated[int, Field(ge=0)] = 10
    on: Literal["validation", "loss"] = Field(
        "validation", description="The validation score, or the mean training loss."
    )
    least: Annotated[float, Field(ge=0)] = Field(0.0, description="Least rate.")

    @model_validator(mode="before")
    @classmethod
    def _on(cls, given: Any) -> Any:
        return on_as_text(given)


class Cosine(_Warmed):
    """Lower the rate along half a cosine from `train.lr` to `least` over `train.epochs`.

    A warm-up is not part of these epochs. `least` would be the rate of the epoch after the last.
    """

    is_: Literal["cosine"] = Field(alias="is")
    least: Annotated[float, Field(ge=0)] = Field(0.0, description="Rate that the curve ends at.")


Schedule = Annotated[Constant | Step | Exponential | Plateau | Cosine, Field(discriminator="is_")]
