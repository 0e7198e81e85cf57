"""bundle.json: what a bundle of trained members is and what it was made from."""

from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field

from avfusion.config.arithmetic import Arithmetic
from avfusion.config.jobs import EncoderSettings
from avfusion.config.sections import MediaSettings, Settings, WindowSettings
from avfusion.rating import Rating

Version = Literal[1]
SCHEMA_VERSION: Final = get_args(Version)[0]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class File(Settings):
    """A file of the bundle, by its path in the bundle's folder."""

    path: str
    sha256: Sha256


class Encoder(Settings):
    """One encoder of a bundle.

    `weights` are those that were fitted on the corpus. Published weights that the user holds as a
    file are not part of a bundle: `settings.options` name the file and its SHA-256.
    """

    modality: Literal["audio", "video", "text"]
    settings: EncoderSettings
    weights: File | None = None
    outlook: File = Field(description="Statistics of the training features.")


class Member(Settings):
    """One trained run."""

    weights: File
    seed: int
    run: str = Field(description="Digest of the run's settings and inputs.")


class Interval(Settings):
    """How the interval of one target is made from the members' predictions.

    low, high = mean -/+ factor * sqrt(variance over members + floor ** 2), in the corpus' unit.
    """

    factor: float
    floor: float


class Coverage(Settings):
    """How often gold lies within the interval, on people who are in no part of the calibration."""

    partition: str
    people: int
    rows: int
    shares: dict[str, float] = Field(description="Target -> share of the rated rows, 0 to 1.")


def coverage_text(partition: str, people: int, shares: dict[str, float], **_: object) -> str:
    """Return how often intervals held, in a sentence; see `Coverage`."""
    listed = ", ".join(f"{100 * share:.1f} % for {name}" for name, share in shares.items())
    return f"On {people} {partition} people they held {listed}."


class Calibration(Settings):
    """Intervals of the predictions."""

    level: float = Field(description="Nominal coverage.")
    people: int = Field(description="People of the validation partition behind it.")
    intervals: dict[str, Interval] = Field(description="Target -> its interval.")
    coverage: Coverage | None = Field(description="As measured; null without test gold.")


class Score(Settings):
    """CCC of the mean over members on one partition, with an interval over people."""

    partition: str
    protocol: str
    ccc: dict[str, float] = Field(description="Target -> CCC; `mean` is that over targets.")
    low: dict[str, float] = Field({}, description="Lower ends, where there is an interval.")
    high: dict[str, float] = Field({}, description="Upper ends.")


class Corpus(Settings):
    """The corpus that the members were trained on."""

    name: str
    kind: str = Field(description="Class of the corpus.")
    licence: str
    generated: bool = Field(description="Made by a program: it shows no people.")
    sharing: str = Field(description="What its terms say about models that are trained on it.")
    data_hash: str


class Check(Settings):
    """A small clip and what the bundle predicts for it."""

    clip: File
    expected: File
    tolerance: float = Field(description="Greatest difference, as a share of the scale.")


class Graph(Settings):
    """A network as an ONNX file."""

    file: File
    inputs: dict[str, list[int | None]] = Field(description="Input -> its shape; null is free.")
    output: str
    difference: float = Field(description="Greatest difference from PyTorch when it was made.")


class Graphs(Settings):
    """ONNX graphs of the members, in their order, and of encoders."""

    members: list[Graph]
    encoders: dict[str, Graph]
    left_out: dict[str, str] = Field({}, description="What has no graph -> the reason.")

    @property
    def files(self) -> list[File]:
        """The files of all graphs."""
        return [graph.file for graph in (*self.members, *self.encoders.values())]


class Document(Settings):
    """The contents of bundle.json."""

    schema_version: Version = SCHEMA_VERSION
    made_by: str = Field(description="Version of avfusion.")
    shareable: bool = Field(description="Whether the bundle may be handed on.")
    corpus: Corpus
    fusion: str
    class_: str = Field(alias="class")
    targets: tuple[str, ...]
    range: tuple[float, float] = Field(description="Scale of the targets, the corpus' unit.")
    delay_s: dict[str, float] = Field(
        description="Annotation delay that was corrected: a prediction at t describes the clip "
        "that ends at t, and was rated at t + delay."
    )
    windows: WindowSettings
    media: MediaSettings
    arithmetic: Arithmetic
    features: dict[str, list[str]] = Field(description="Modality that is read -> encoders.")
    encoders: dict[str, Encoder]
    members: list[Member]
    calibration: Calibration
    scores: list[Score]
    check: Check | None = None
    onnx: Graphs | None = None
    needs_all: list[str] = Field([], description="What needs the complete clip before it starts.")
    outside: dict[str, str] = Field({}, description="Code from outside avfusion, by its use.")

    @property
    def rating(self) -> Rating:
        """The targets and their scale."""
        return Rating(self.targets, *self.range)

    def summary(self) -> dict[str, Any]:
        """Return what every prediction says about its model."""
        measured = self.calibration.coverage
        return {
            "corpus": self.corpus.name,
            "generated": self.corpus.generated,
            "fusion": self.fusion,
            "members": len(self.members),
            "coverage": None if measured is None else measured.model_dump(),
            "terms": self.corpus.sharing,
        }
