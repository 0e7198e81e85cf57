"""Settings of one job: the part of a study that its result depends on, besides its input files.

`Study` makes them, a rule hands them to its command as a JSON file, and the command reads them
back (`avfusion.config.job_files`). They hold nothing that does not change a number of the job.
"""

from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import BeforeValidator, Field

from avfusion.config.arithmetic import Arithmetic
from avfusion.config.contexts import Context
from avfusion.config.schedules import keys_as_text
from avfusion.config.sections import (
    ClipSettings,
    FeatureSettings,
    MediaSettings,
    Options,
    Settings,
    SignalSettings,
    StatisticsSettings,
    Task,
    TimeZero,
    VerificationSettings,
    WindowSettings,
)
from avfusion.config.training import TrainSettings
from avfusion.rating import DIMENSIONS, Rating
from avfusion.registry import encoders

Version = Literal[4]
SCHEMA_VERSION: Final = get_args(Version)[0]
"""Raised when the meaning or the form of job settings changes; results of others are made again."""

Grid = Annotated[dict[str, list[Any]], BeforeValidator(keys_as_text)]


class JobSettings(Settings):
    """Base of the settings of a job."""

    schema_version: Version = SCHEMA_VERSION

    def document(self) -> dict[str, Any]:
        """Return what the results depend on, as a JSON-ready mapping.

        `outside` is left out: it says where code came from, and `code` is a hash of it.
        """
        return self.model_dump(mode="json", exclude={"outside"})

    def updated(self, **changes: Any) -> Self:
        """Return a copy with some fields replaced, checked again."""
        named = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**named, **changes})


class CorpusSettings(JobSettings):
    """One entry of `corpora`: its class and the arguments of the constructor."""

    class_: str = Field(alias="class")
    root: Path
    options: Options = {}
    time_zero: TimeZero = "picture"
    outside_links: bool = False
    features: dict[str, Options] = Field(
        {}, description="Encoder of files of features -> its modality and options."
    )


class MediaJobSettings(JobSettings):
    """What reading one corpus' videos depends on."""

    root: Path
    media: MediaSettings


class EncoderSettings(JobSettings):
    """What fitting or applying one encoder depends on."""

    encoder: str
    class_: str = Field(alias="class")
    modality: str | None = Field(
        None, description="Where `features` lists it; null if its class encodes one modality."
    )
    options: Options = {}
    arithmetic: Arithmetic = "fast"
    cross_fit: int = Field(0, description="Folds of train people; 0 for one fit.")
    windows: ClipSettings
    media: SignalSettings
    root: Path | None = Field(None, description="Of encoders that read below the corpus' root.")
    code: str
    outside: dict[str, str] = {}

    @property
    def lasting(self) -> dict[str, Any]:
        """All that a number depends on: not where the corpus or the weights lie.

        Options in the class' `by_digest` are left out.
        """
        known = encoders.known(self.class_)
        left_out = (encoders.constant(self.class_, "by_digest") if known else None) or ()
        document = self.document()
        del document["root"]
        options = document["options"].items()
        return document | {"options": {name: x for name, x in options if name not in left_out}}


class EncodersSettings(JobSettings):
    """What one job depends on that fits or applies an encoder: its fits, one after the other."""

    encoders: list[EncoderSettings] = Field(min_length=1)


class CorruptSettings(JobSettings):
    """What one encoder's features of corrupted sound or pictures depend on."""

    encoder: EncoderSettings
    draw: int
    code: str


class DelaySettings(JobSettings):
    """What the search for the annotation delay depends on."""

    features: FeatureSettings
    baseline: Literal["none", "video"]
    longest_s: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="Greatest delay; by default a third of the recordings, at most 10 s.",
    )
    step_s: float = Field(0.04, gt=0, allow_inf_nan=False, description="Spacing of delays.")
    ridge: float = Field(0.01, gt=0, allow_inf_nan=False, description="Penalty per clip.")


class RunSettings(JobSettings):
    """What one training run depends on."""

    corpus: str
    fusion: str
    class_: str = Field(alias="class")
    options: Options = {}
    seed: int
    arithmetic: Arithmetic = "fast"
    features: FeatureSettings
    windows: WindowSettings
    train: TrainSettings
    contexts: dict[str, Context | None] = Field(
        {}, description="Encoder -> what a row depends on, if `train.corrupt` removes input."
    )
    task: Task = "ratings"
    verification: VerificationSettings | None = Field(
        None, description="Only with `task: verification`."
    )
    grid: Grid = {}
    point: str | None = Field(None, description="Grid point; its run sees no test video.")
    code: str = Field(description="Fingerprint of `roots` without `leaving`.")
    roots: list[str] = Field([], description="Definitions that the run enters the code by.")
    leaving: list[str] = Field([], description="Modules that the run does not use.")
    outside: dict[str, str] = Field({}, description="Code from outside avfusion, by its use.")
    # Read from the corpus' card when the run starts.
    targets: tuple[str, ...] = DIMENSIONS
    value_range: tuple[float, float] = Field((-1.0, 1.0), alias="range")
    classes: tuple[str, ...] = ()

    @property
    def rating(self) -> Rating:
        """The targets and their scale."""
        return Rating(self.targets, *self.value_range)

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the model predicts: the targets, the classes, or the people of the train videos."""
        return self.targets if self.task == "ratings" else self.classes

    @property
    def command(self) -> str:
        """The command that trains this run."""
        point = f" --point '{self.point}'" if self.point is not None else ""
        return f"avf train {self.corpus} {self.fusion}{point} --seed {self.seed}"


class RunsSettings(JobSettings):
    """What one training job depends on: the runs of a fusion, which one process trains in turn."""

    corpus: str
    fusion: str
    arithmetic: Arithmetic
    runs: list[RunSettings] = Field(min_length=1)


class TrainedSettings(RunSettings):
    """Settings of a run with hashes of its inputs; what its weights carry."""

    inputs: dict[str, Any] = Field(
        description="Hashes of features, partitions, gold and protocol of train and validation."
    )


class RunRecord(TrainedSettings):
    """settings.json of a run: what it was, and what made it."""

    data_hash: str
    predicted: dict[str, str] = Field(
        {}, description="Encoder to hash of its features of all videos, also of test."
    )
    missing: list[str] = Field([], description="Videos without features, left out.")
    set_aside: list[str] = Field(
        [], description="Train videos that the epoch was chosen on; not trained on."
    )
    parameters: int
    run: str = Field(description="Digest of the settings and inputs.")
    machine: dict[str, Any] = {}
    commit: str | None = None
    dirty: bool | None = None
    chosen: dict[str, Any] = Field({}, description="Where options chosen from a grid come from.")

    def document(self) -> dict[str, Any]:
        """Return the whole record as a JSON-ready mapping."""
        return self.model_dump(mode="json")

    def trained(self) -> TrainedSettings:
        """Return the part that the weights carry."""
        names = TrainedSettings.model_fields
        return TrainedSettings(**{name: getattr(self, name) for name in names})


class GridSettings(JobSettings):
    """What choosing a fusion's grid point depends on besides the points' runs."""

    corpus: str
    fusion: str
    grid: Grid
    seeds: list[int]


class ScoreSettings(JobSettings):
    """What scoring a corpus depends on."""

    features: FeatureSettings
    fusions: list[str]
    protocols: list[str]
    seeds: list[int]
    task: Task = "ratings"
    singles: dict[str, str] = Field({}, description="Modality -> the fusion that reads only it.")
    clip_s: float
    cohort: int | None = Field(None, description="Of AS-norm; only with `task: verification`.")


class RobustSettings(JobSettings):
    """What evaluating runs on corrupted input depends on."""

    fusions: list[str]
    headline: str
    robustness: dict[str, list[float]]
    encoded: dict[str, list[str]] = Field(
        {}, description="Corruption -> encoders that encode corrupted sound or pictures."
    )
    contexts: dict[str, Context | None] = Field(
        {}, description="Encoder -> what a row depends on, where input is missing."
    )
    seeds: list[int]
    draw: int
    code: str

    def stated(self, corruption: str) -> dict[str, Context | None]:
        """Return the contexts of encoders whose rows become absent by them.

        What is missing from a recording is in no row that is encoded again, whatever its context.
        """
        again = self.encoded.get(corruption, [])
        return {name: context for name, context in self.contexts.items() if name not in again}

    @property
    def clip_only(self) -> list[str]:
        """Encoders of unknown context whose rows count as those of their own clips only."""
        again = {name for listed in self.encoded.values() for name in listed}
        unknown = {name for name, context in self.contexts.items() if context is None}
        return sorted(unknown - again)


class RecordSettings(JobSettings):
    """Which runs are shown as current in MLflow, and how the best is chosen."""

    fusions: list[str]
    headline: str
    seeds: list[int]
    statistics: StatisticsSettings
