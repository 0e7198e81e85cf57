"""The parts of a study's settings: each key with its default, unit and bound."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.functional_serializers import model_serializer

from avfusion.config.corruptions import trainable

Positive = Annotated[float, Field(gt=0)]


Share = Annotated[float, Field(ge=0, lt=1)]


Count = Annotated[int, Field(ge=1)]


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]


Options = Annotated[dict[str, Any], BeforeValidator(lambda given: {} if given is None else given)]
"""An entry's own options; `jca:` with nothing behind it means `jca: {}`."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CorpusSettings(_Settings):
    """Where one corpus lies and in how many jobs its videos are read."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)
    is_: str | None = Field(
        None, alias="is", description="Class of the corpus; by default the entry's own name."
    )
    root: str = Field(description="Folder of the corpus; never written to, unless avf made it.")
    task: Literal["ratings", "classes"] = Field(
        "ratings", description="Predict ratings over time, or one of the classes for each video."
    )
    group: Name | None = Field(
        None, description="Folds of one split; by default all entries of one class and task."
    )
    shards: Count = Field(2, description="Media and encoding jobs the videos are dealt out to.")
    if_present: bool = Field(
        False, description="Where nothing lies at `root`, leave the corpus out; tables say not run."
    )
    train: Options = Field({}, description="Training settings that differ on this corpus.")
    options: Options = Field({}, description="The corpus' own options (see its file).")

    @model_serializer(mode="wrap")
    def _without_unused(self, dump: Any) -> dict[str, Any]:
        """Keys that came later stand only where they are used, so that no table is made anew."""
        unused = {"if_present": False, "train": {}}
        return {key: value for key, value in dump(self).items() if unused.get(key, ...) != value}


class MediaSettings(_Settings):
    """From a video file to a face track and a log-mel spectrogram on one timeline."""

    face_px: Count = Field(112, description="Side of the aligned face (ArcFace's template).")
    face_score: Share = Field(0.6, description="Least YuNet score that counts as a face.")
    sample_rate_hz: Count = Field(16000, description="Audio is resampled to this rate, mono.")
    mel_bands: Count = 64
    mel_window_s: Positive = 0.025
    mel_hop_s: Positive = 0.01
    time_limit_s: Positive = Field(3600.0, description="Per video; past it, that video fails.")


class WindowSettings(_Settings):
    """How time is cut: a feature describes the clip that ends at it; a window is L clips."""

    clip_s: Positive = Field(0.64, description="Length of a clip (RECOLA: 16 frames at 25 Hz).")
    hop_s: Positive = Field(0.16, description="Spacing of clip ends; clip_s is a multiple of it.")
    clips: Count = Field(16, description="L, clips in a window (8 in CVPRW 2022, 16 in T-BIOM).")


class FeatureSettings(_Settings):
    """Encoders whose features are joined side by side, per modality."""

    audio: list[str] = ["mel_cnn"]
    video: list[str] = ["face_expression", "face_cnn"]
    text: list[str] = Field([], description="For fusions that read text; transcripts are needed.")

    @model_serializer(mode="wrap")
    def _without_absent(self, dump: Any) -> dict[str, Any]:
        """Without text there is no key, so that what knows of none keeps its settings."""
        return {key: names for key, names in dump(self).items() if names or key != "text"}


class TrainSettings(_Settings):
    """How a fusion is fitted; the same for all, unless a fusion overrides a key under `train`."""

    baseline: Literal["none", "video"] = Field(
        "video",
        description="`video` takes each video's own mean off its features: what a face or voice "
        "is like at rest goes, and with it the video's overall mood.",
    )
    epochs: Count = 40
    batch: Count = Field(32, description="Windows in a batch; the CCC loss pools over them.")
    lr: Positive = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    patience: Count = Field(10, description="Stop after so many epochs without a better score.")
    head: Literal["regressor", "ca", "jca", "selfcross"] = Field(
        "regressor", description="One head for all, or that which a paper prints."
    )
    hidden: Count = Field(128, description="Width of the regressor's hidden layer.")
    dropout: Share = Field(0.6, description="In the regressor; 0.6 as in JCA, RJCA and DCA.")
    corrupt: Annotated[dict[str, float], AfterValidator(trainable)] = Field(
        {},
        description="Corruption of features -> greatest level; each window of each epoch draws its "
        "own, from 0 on. `{}` trains on whole input.",
    )
    loss: Literal["pooled", "per_window"] = Field(
        "pooled", description="1 - CCC over all of a batch, or the mean of each window's own."
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Of the products while fitting (bfloat16: autocast); weights, sums, loss and "
        "predictions are float32 either way.",
    )


class StatisticsSettings(_Settings):
    """How sure a table is."""

    draws: Count = Field(10_000, description="Resamplings of videos behind intervals and p.")
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    seed: int = 0
    unit: Literal["video", "subject"] = Field(
        "video",
        description="What intervals and p take as independent. `subject` draws and exchanges all "
        "videos of a person at once: use it where people are seen in several videos.",
    )

    @model_serializer(mode="wrap")
    def _without_usual(self, dump: Any) -> dict[str, Any]:
        """A key that came later stands only where it is used, so that no table is made anew."""
        return {key: v for key, v in dump(self).items() if (key, v) != ("unit", "video")}
