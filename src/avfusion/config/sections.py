"""The sections of a study's settings: each key with its default, unit and bound."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from avfusion.config.schedules import keys_as_text

Positive = Annotated[float, Field(gt=0, le=1e9)]
Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]
Task = Literal["ratings", "classes", "verification"]
Pooling = Literal["pooled", "per_video_mean", "recall"]
TimeZero = Literal["picture", "container"]
Options = Annotated[
    dict[str, Any], BeforeValidator(lambda given: {} if given is None else keys_as_text(given))
]
"""Options of an entry; `jca:` with nothing behind it means `jca: {}`."""


FRAME_KEYS = ("clip_frames", "hop_frames", "frame_hz")
RATIO_SLACK = 1e-4
"""How far clip_s / hop_s may be from a whole number, because both are rounded in a file."""


class Settings(BaseModel):
    """Base of all settings: immutable, unknown keys refused, written under their aliases."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        serialize_by_alias=True,
        validate_by_name=True,
        allow_inf_nan=False,
    )


Rule = Literal["largest", "left", "right", "speaker", "all"]
"""Which person of a video is followed; see `media.follow`."""


class FaceEmbedding(Settings):
    """A face recognition network in ONNX that tells people apart, from a file of yours."""

    path: str = Field(description="The file: an aligned face (1, 3, 112, 112) to a vector.")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="SHA-256 of the file."
    )
    similarity: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.363, description="Cosine from which two faces are of one person (SFace: 0.363)."
    )


class CorpusEntry(Settings):
    """Where one corpus is, and how its videos are split into jobs."""

    is_: str | None = Field(
        None, alias="is", description="Class of the corpus; by default the entry's own name."
    )
    root: str = Field(description="Folder of the corpus; never written to, unless avf made it.")
    task: Task = Field(
        "ratings",
        description="Predict ratings over time, one of the classes per video, or whether two "
        "videos show the same person.",
    )
    group: Name | None = Field(
        None, description="Folds of one split; by default all entries of one class and task."
    )
    shards: Annotated[int, Field(ge=1, le=10_000)] = Field(
        2, description="Number of media and encoding jobs."
    )
    if_present: bool = Field(
        False, description="Leave the corpus out if `root` is empty; tables say not run."
    )
    download: bool = Field(
        False,
        description="Download the corpus to `root`; you accept its licence (`avf obtain`).",
    )
    train: Options = Field({}, description="Training settings that differ on this corpus.")
    face: Rule | None = Field(
        None, description="Which person is followed; by default `media.face`. A manifest says more."
    )
    outside_links: bool = Field(
        False, description="Follow links below `root` that lead out of it; else they are refused."
    )
    options: Options = Field({}, description="Options of the corpus (see its file).")


class SignalSettings(Settings):
    """How face crops are made, and which sound is kept."""

    time_zero: TimeZero = Field(
        "picture", description="Where ratings begin: at the first picture, or where the file does."
    )
    face_px: Annotated[int, Field(ge=1, le=1024)] = Field(
        112, description="Side of the aligned face (ArcFace's template)."
    )
    face_score: Share = Field(0.6, description="Least YuNet score that counts as a face.")
    face: Rule = Field(
        "largest",
        description="Which person is followed: the largest face at the start, the left or right "
        "one of the two largest, or in each shot the one who speaks. `all` also keeps the pictures "
        "of the others.",
    )
    read_hz: Positive | None = Field(
        None, description="Faces per second that are stored; by default what the encoders read."
    )
    face_hz: Positive | None = Field(
        None,
        description="Searches for faces per second, by default `read_hz`. If it is lower, faces "
        "are placed between two that were found.",
    )
    face_embedding: FaceEmbedding | None = Field(
        None, description="Tells people apart better than what ships with avfusion."
    )
    sample_rate_hz: Count = Field(
        16000, description="Rate of the stored sound, mono, 16 bits; encoders read it."
    )
    native_sound: bool = Field(
        False, description="Also keep the sound at the rate of the recording."
    )


class MediaSettings(SignalSettings):
    """From a video file to a face track and its sound on one timeline."""

    time_limit_s: Positive = Field(3600.0, description="Per video; a slower one fails.")


class ClipSettings(Settings):
    """The grid of clips; a feature describes the clip that ends at its time.

    With `frame_hz`, the grid is in frames: clip_s = clip_frames / frame_hz and
    hop_s = hop_frames / frame_hz, and `clip_s` and `hop_s` cannot be given. The rate is one for the
    corpus. A video of another rate has clips of the same length in seconds, which hold more or
    fewer of its frames.
    """

    clip_s: Positive = Field(0.64, description="Length of a clip (RECOLA: 16 frames at 25 Hz).")
    hop_s: Positive = Field(0.16, description="Spacing of clip ends; clip_s is a multiple of it.")
    clip_frames: Count | None = Field(
        None, description="Length of a clip in frames (Aff-Wild2: 32), with `frame_hz`."
    )
    hop_frames: Count | None = Field(
        None, description="Spacing of clip ends in frames (Aff-Wild2: 1), with `frame_hz`."
    )
    frame_hz: Positive | None = Field(
        None, description="Frame rate behind the two keys above, one for all videos."
    )

    @model_validator(mode="after")
    def _grid(self) -> Self:
        """Set clip_s and hop_s from frames; set a rounded hop_s so that it divides clip_s."""
        frames = {name: getattr(self, name) for name in FRAME_KEYS}
        missing = [name for name, value in frames.items() if value is None]
        if len(missing) == len(frames):
            steps = round(self.clip_s / self.hop_s)
            if steps and 1e-6 < abs(self.clip_s / self.hop_s - steps) <= RATIO_SLACK:
                # The rounding of hop_s would add up over a video.
                object.__setattr__(self, "hop_s", self.clip_s / steps)
            return self
        if missing:
            raise ValueError(
                f"a grid in frames needs {', '.join(FRAME_KEYS)}; found no {missing[0]}. Add it, "
                f"or give clip_s and hop_s instead."
            )
        for name, count in (("clip_s", self.clip_frames), ("hop_s", self.hop_frames)):
            seconds = (count or 0) / (self.frame_hz or 1)
            if name in self.model_fields_set and getattr(self, name) != seconds:
                raise ValueError(
                    f"{name} is {getattr(self, name)}, but the grid is in frames and gives "
                    f"{seconds:.6g} s. Remove {name}, or {', '.join(FRAME_KEYS)}. A file without "
                    f"`fusions` also has the {name} of config/config.yaml."
                )
            object.__setattr__(self, name, seconds)
        return self


class WindowSettings(ClipSettings):
    """Clips and windows; a window is L consecutive clips."""

    clips: Count = Field(16, description="L, clips in a window (8 in CVPRW 2022, 16 in T-BIOM).")
    advance: Count | None = Field(
        None,
        description="Clips from one window to the next; by default `clips`, so that windows do not "
        "overlap. RJCMA: 200 of 300. Where windows overlap, each is trained on and predictions are "
        "averaged.",
    )
    last: Literal["moved", "padded", "dropped"] = Field(
        "moved",
        description="The last, incomplete window of a video: moved back so that it is complete, "
        "padded with absent clips, or not trained on (`dropped`, as in T-BIOM). Predictions with "
        "`dropped` are those of `moved`, so that they cover each row.",
    )


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


class VerificationSettings(Settings):
    """How people are distinguished with `task: verification`."""

    embedding: Count = Field(128, description="Width of the embedding of a video (RJCA: 512).")
    bottleneck: Count = Field(
        64, description="Hidden width of attentive statistics pooling (RJCA: 256)."
    )
    margin: Annotated[float, Field(ge=0, lt=1.5)] = Field(
        0.2, description="Angle in radians that AAM-softmax adds to the own person (RJCA: 0.4)."
    )
    margin_epochs: Annotated[int, Field(ge=0)] = Field(
        0, description="Epochs over which the margin rises from 0 to `margin`; 0: no rise."
    )
    scale: Positive = Field(30.0, description="Factor of the cosines in the softmax (RJCA: 64).")
    cohort: Annotated[int, Field(ge=2, le=1_000_000)] = Field(
        300, description="Most similar train people that AS-norm compares each side with."
    )


class StatisticsSettings(Settings):
    """How intervals, p values and verdicts are computed."""

    draws: Count = Field(10_000, description="Resamplings of people behind intervals.")
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    seed: Annotated[int, Field(ge=0)] = 0
    unit: Literal["auto", "video", "subject"] = Field(
        "auto",
        description="What intervals and p take as independent. `subject` draws all videos of a "
        "person at once; `auto` does so where people are seen in several videos.",
    )
    margins: dict[Pooling, Positive] = Field(
        {"pooled": 0.02, "per_video_mean": 0.02, "recall": 0.02},
        description="Pooling of the protocol -> largest difference that counts as practically "
        "equal.",
    )
    declared: Positive = Field(
        0.03, description="Difference for which tables state how many people it would need."
    )
    power: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.8, description="Probability of finding that difference with so many people."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """Add the default of each pooling that the margins leave out."""
        defaults = type(self).model_fields["margins"].default
        object.__setattr__(self, "margins", {**defaults, **self.margins})
        return self
