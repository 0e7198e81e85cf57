"""The sections of a study's settings: each key with its default, unit and bound."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from avfusion.config.corruptions import trainable

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]
Task = Literal["ratings", "classes"]
Options = Annotated[dict[str, Any], BeforeValidator(lambda given: {} if given is None else given)]
"""Options of an entry; `jca:` with nothing behind it means `jca: {}`."""


class Settings(BaseModel):
    """Base of all settings: immutable, unknown keys refused, written under their aliases."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True
    )


class CorpusEntry(Settings):
    """Where one corpus is, and how its videos are split into jobs."""

    is_: str | None = Field(
        None, alias="is", description="Class of the corpus; by default the entry's own name."
    )
    root: str = Field(description="Folder of the corpus; never written to, unless avf made it.")
    task: Task = Field(
        "ratings", description="Predict ratings over time, or one of the classes per video."
    )
    group: Name | None = Field(
        None, description="Folds of one split; by default all entries of one class and task."
    )
    shards: Count = Field(2, description="Number of media and encoding jobs.")
    if_present: bool = Field(
        False, description="Leave the corpus out if `root` is empty; tables say not run."
    )
    train: Options = Field({}, description="Training settings that differ on this corpus.")
    options: Options = Field({}, description="Options of the corpus (see its file).")


class SignalSettings(Settings):
    """How face crops and log-mel spectrograms are made."""

    face_px: Count = Field(112, description="Side of the aligned face (ArcFace's template).")
    face_score: Share = Field(0.6, description="Least YuNet score that counts as a face.")
    sample_rate_hz: Count = Field(16000, description="Audio is resampled to this rate, mono.")
    mel_bands: Count = 64
    mel_window_s: Positive = 0.025
    mel_hop_s: Positive = 0.01


class MediaSettings(SignalSettings):
    """From a video file to a face track and a log-mel spectrogram on one timeline."""

    time_limit_s: Positive = Field(3600.0, description="Per video; a slower one fails.")


class ClipSettings(Settings):
    """The grid of clips; a feature describes the clip that ends at its time."""

    clip_s: Positive = Field(0.64, description="Length of a clip (RECOLA: 16 frames at 25 Hz).")
    hop_s: Positive = Field(0.16, description="Spacing of clip ends; clip_s is a multiple of it.")


class WindowSettings(ClipSettings):
    """Clips and windows; a window is L consecutive clips."""

    clips: Count = Field(16, description="L, clips in a window (8 in CVPRW 2022, 16 in T-BIOM).")


class FeatureSettings(Settings):
    """Encoders whose features are concatenated, per modality."""

    audio: list[str] = ["mel_cnn"]
    video: list[str] = ["face_expression", "face_cnn"]
    text: list[str] = Field([], description="For fusions that read text; transcripts are needed.")

    @property
    def by_modality(self) -> dict[str, list[str]]:
        """Modality -> encoders, without the modalities that have none."""
        names = {"audio": self.audio, "video": self.video, "text": self.text}
        return {modality: encoders for modality, encoders in names.items() if encoders}

    @property
    def encoders(self) -> list[str]:
        """Every encoder in use: audio, video, text."""
        return [*self.audio, *self.video, *self.text]


class TrainSettings(Settings):
    """How a fusion is trained; the same for all, unless a fusion overrides a key under `train`."""

    baseline: Literal["none", "video"] = Field(
        "video",
        description="`video` subtracts each video's own mean from its features. This removes what "
        "a face or voice is like at rest, and with it the video's overall mood.",
    )
    epochs: Count = 40
    batch: Count = Field(32, description="Windows in a batch; the CCC loss pools over them.")
    lr: Positive = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    patience: Count = Field(10, description="Stop after so many epochs without a better score.")
    head: Literal["regressor", "ca", "jca", "selfcross"] = Field(
        "regressor", description="One head for all fusions, or the head of a paper."
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
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Of the products while training (bfloat16: autocast); weights, sums, loss and "
        "predictions are float32 either way.",
    )


class StatisticsSettings(Settings):
    """How intervals and p values are computed."""

    draws: Count = Field(10_000, description="Resamplings of videos behind intervals and p.")
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    seed: Annotated[int, Field(ge=0)] = 0
    unit: Literal["video", "subject"] = Field(
        "video",
        description="What intervals and p take as independent. `subject` draws and exchanges all "
        "videos of a person at once: use it where people are seen in several videos.",
    )
