"""The settings of training a fusion: each key with its default, unit and bound."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from avfusion.config.corruptions import trainable
from avfusion.config.schedules import Constant, Schedule, on_as_text
from avfusion.config.sections import Count, Positive, Settings, Share


class SelectSettings(Settings):
    """How the epoch that a run keeps is chosen.

    Under a fusion or a corpus, `select` replaces the study's `select` as a whole.
    """

    protocol: str | None = Field(
        None,
        description="Scoring rule of ratings, a file in config/protocols. By default the pooled "
        "CCC at the times of the features, without interpolation, smoothing or clipping.",
    )
    on: Literal["validation", "train_subjects"] = Field(
        "validation",
        description="Score the validation partition, or a share of the subjects of the train "
        "partition, which is then not trained on.",
    )
    share: Annotated[float, Field(gt=0, le=0.5)] = Field(
        0.2, description="Share of the train subjects that `on: train_subjects` sets aside."
    )

    @model_validator(mode="before")
    @classmethod
    def _on(cls, given: Any) -> Any:
        return on_as_text(given)


class TrainSettings(Settings):
    """How a fusion is trained; the same for all, unless a fusion overrides a key under `train`."""

    baseline: Literal["none", "video"] = Field(
        "video",
        description="`video` subtracts each video's own mean from its features. This removes what "
        "a face or voice is like at rest, and with it the video's overall mood.",
    )
    standardise: Literal["robust", "standard", "none"] = Field(
        "robust",
        description="`robust`: center and scale from the train partition without its extremes, and "
        "values beyond `limit` are limited. `standard`: mean 0, deviation 1. `none`: raw features.",
    )
    limit: Positive = Field(
        5.0, description="Greatest size of a standardised value under `standardise: robust`."
    )
    unit_length: bool = Field(
        False, description="Divide each modality's row by its length, after `standardise`."
    )
    epochs: Annotated[int, Field(ge=1, le=100_000)] = 40
    batch: Count = Field(32, description="Windows in a batch; the CCC loss pools over them.")
    order: Literal["shuffled", "consecutive"] = Field(
        "shuffled",
        description="`consecutive`: windows in the order of videos and time, so that a batch is "
        "mostly of one video, as in the published code of T-BIOM, RJCA and DCA.",
    )
    drop_last: bool = Field(
        False, description="With batches of exactly `batch` windows, leave out the incomplete one."
    )
    exclude: list[str] = Field(
        [], description="Videos of the train partition that are not trained on."
    )
    optimiser: Literal["adamw", "adam", "sgd"] = Field(
        "adamw",
        description="`weight_decay` is decoupled in `adamw` and an L2 term of the loss in the "
        "others.",
    )
    momentum: Share = Field(0.0, description="Of `sgd`.")
    lr: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1e-3
    schedule: Schedule = Field(Constant(), description="The learning rate over the epochs.")
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    clip_norm: Positive | None = Field(
        None, description="Greatest norm of the gradient; longer ones are shortened to it."
    )
    patience: Count = Field(10, description="Stop after so many epochs without a better score.")
    select: SelectSettings = SelectSettings()
    targets: Literal["together", "separate"] = Field(
        "together",
        description="`separate` trains one model per target, each with its own best epoch.",
    )
    head: Literal["regressor", "separate", "ca", "jca", "selfcross", "rjcma"] = Field(
        "regressor",
        description="One head for all fusions, one such head per target, or the head of a paper.",
    )
    hidden: Count = Field(128, description="Width of the regressor's hidden layer.")
    dropout: Share = Field(0.6, description="In the regressor; 0.6 as in JCA, RJCA and DCA.")
    corrupt: Annotated[dict[str, float], AfterValidator(trainable)] = Field(
        {},
        description="Corruption of features -> greatest level; each window of each epoch draws its "
        "own, from 0 on. `{}` trains on clean input.",
    )
    loss: str = Field(
        "pooled",
        description="`pooled`: 1 - CCC over all of a batch. `per_window`: the mean of each "
        "window's own. Or `package.module:function`.",
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32",
        description="Of the products while training (autocast; float16 with gradient scaling); "
        "weights, sums, loss and predictions are float32 either way.",
    )
