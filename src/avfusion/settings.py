"""A whole study as data: every setting with its default, unit and bound, checked in one place.

`config/config.yaml` is read into `Study`, from which workflow/schemas/config.schema.json is made.
Units stand in the names: `_s` seconds, `_hz` rate, `_px` pixels, `_mb` megabytes.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.functional_serializers import model_serializer

from avfusion import modalities
from avfusion.corruptions import find, trainable
from avfusion.errors import ConfigError
from avfusion.faults import faults, sentences
from avfusion.registry import encoders, fusions
from avfusion.source import fingerprint
from avfusion.yamls import read_mapping

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
    options: Options = Field({}, description="The corpus' own options (see its file).")


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


class Study(_Settings):
    """Everything that a study depends on, in the user's words."""

    results: str = Field("results", description="Folder that the rules write to.")
    corpora: Annotated[dict[Name, CorpusSettings], Field(min_length=1)]
    media: MediaSettings = MediaSettings()
    windows: WindowSettings = WindowSettings()
    features: FeatureSettings = FeatureSettings()
    encoders: dict[Name, Options] = Field({}, description="Options of each encoder.")
    fusions: dict[Name, Options] = Field(min_length=1, description="Options of each fusion.")
    seeds: Annotated[list[int], Field(min_length=1)] = [0, 1, 2]
    grid: dict[str, list[Any]] = Field(
        {},
        description="`train.lr: [0.001, 0.0001]`: values to choose from on validation, for every "
        "fusion without a `grid` of its own.",
    )
    grid_seeds: Annotated[list[int], Field(min_length=1)] = Field(
        [0], description="Runs of each grid point."
    )
    train: TrainSettings = TrainSettings()
    protocols: Annotated[list[str], Field(min_length=1)] = ["pooled", "per_video", "smoothed"]
    headline: str = Field("pooled", description="The protocol of the first table and figure.")
    statistics: StatisticsSettings = StatisticsSettings()
    robustness: dict[Name, list[float]] = Field(
        {},
        description="Corruption -> its levels, the least first (src/avfusion/corruptions.py); "
        "`{}` leaves robustness out.",
    )

    def fusion_class(self, name: str) -> str:
        """The registry's name behind a study's name: `jca_wide: {is: jca}` is a form of `jca`."""
        return self.fusions[name].get("is", name)

    def corpus_class(self, name: str) -> str:
        """The registry's name behind a study's name, as with fusions: `fold1: {is: iemocap, …}`."""
        return self.corpora[name].is_ or name

    def corpus_settings(self, name: str) -> dict[str, Any]:
        """Constructor arguments of a corpus, and `is` where it is not its own name."""
        own, kind = self.corpora[name], self.corpus_class(name)
        named = {} if kind == name else {"is": kind}
        return {**named, "root": own.root, **own.options}

    def encoder_names(self) -> list[str]:
        """Every encoder in use: audio, video, text."""
        return [*self.features.audio, *self.features.video, *self.features.text]

    def run_features(self, fusion: str) -> dict[str, list[str]]:
        """The encoders that a fusion's runs read, by modality; text only where it reads text."""
        found = self.features.model_dump()
        if not modalities.with_text(self.fusion_class(fusion), self.fusions[fusion]):
            found.pop("text", None)
        return found

    def run_settings(self, corpus: str, fusion: str, seed: int) -> dict[str, Any]:
        """All that one training run depends on besides its input files; JSON-ready, resolved."""
        options = dict(self.fusions[fusion])
        kind, override = options.pop("is", fusion), options.pop("train", {})
        grid = options.pop("grid", self.grid)
        train = TrainSettings(**{**self.train.model_dump(), **override}).model_dump()
        for name in ("corrupt", "loss", "precision"):
            if train[name] == getattr(TrainSettings(), name):
                del train[name]  # came later: what was trained before it stays as it is
        return {
            "corpus": corpus,
            "fusion": fusion,
            "class": kind,
            "options": options,
            "seed": seed,
            "features": self.run_features(fusion),
            "windows": self.windows.model_dump(),
            "train": train,
            **({"task": "classes"} if self.corpora[corpus].task == "classes" else {}),
            "code": fingerprint(fusions.module(kind), "avfusion.train"),
        } | ({"grid": grid} if grid else {})

    def grid_settings(self, corpus: str, fusion: str) -> dict[str, Any]:
        """All that choosing a fusion's grid point depends on besides the points' runs."""
        grid = self.fusions[fusion].get("grid", self.grid)
        return {"corpus": corpus, "fusion": fusion, "grid": grid, "seeds": self.grid_seeds}

    def encoder_settings(self, encoder: str, corpus: str = "") -> dict[str, Any]:
        """All that fitting or applying one encoder depends on besides its input files.

        corpus: for encoders of text, which read transcripts below the corpus' root.
        """
        text = encoders.constant(encoder, "modality") == "text"
        return ({"root": self.corpora[corpus].root} if text and corpus else {}) | {
            "encoder": encoder,
            "options": self.encoders.get(encoder, {}),
            "windows": self.windows.model_dump(exclude={"clips"}),
            "media": self.media.model_dump(exclude={"time_limit_s"}),
            "code": fingerprint(encoders.module(encoder), "avfusion.encoders.base"),
        }

    def signal_cases(self) -> list[tuple[str, str, str]]:
        """(corruption, level as text, encoder) of all that is encoded anew for robustness."""
        return [
            (name, f"{level:g}", encoder)
            for name, levels in self.robustness.items()
            for level in levels
            for encoder in getattr(self.features, find(name)[0])
            if find(name)[1].signal
        ]

    def signal_settings(self, corpus: str, encoder: str) -> dict[str, Any]:
        """All that features of corrupted sound or pictures depend on besides their input files."""
        return {
            "encoder": self.encoder_settings(encoder),
            "root": self.corpora[corpus].root,
            "draw": self.statistics.seed,
            "code": fingerprint("avfusion.signals"),
        }

    def score_settings(self, corpus: str = "") -> dict[str, Any]:
        """All that scoring a corpus depends on besides its input files."""
        own = self.model_dump(include={"features", "fusions", "protocols", "seeds"})
        on_classes = corpus in self.corpora and self.corpora[corpus].task == "classes"
        return own | ({"task": "classes"} if on_classes else {})

    def record_settings(self) -> dict[str, Any]:
        """Which runs are current, which protocol chooses the best, how intervals are drawn."""
        return self.model_dump(include={"fusions", "headline", "seeds", "statistics"})

    def robust_settings(self) -> dict[str, Any]:
        """All that runs on corrupted input depend on besides their input files."""
        own = self.model_dump(include={"fusions", "headline", "robustness", "seeds"})
        return own | {
            "draw": self.statistics.seed,
            "code": fingerprint("avfusion.robust_predict"),
        }


def load(source: Path | dict[str, Any], protocols: Path = Path("config/protocols")) -> Study:
    """A checked study from a YAML file or an already merged mapping; refuses with every fault."""
    where = str(source) if isinstance(source, Path) else "config"
    raw = read_mapping(source) if isinstance(source, Path) else source
    try:
        study = Study.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_lines(where, sentences(Study, error))) from None
    found = faults(study, protocols)
    if found:
        raise ConfigError(_lines(where, found))
    return study


def schema() -> str:
    """The JSON schema of config.yaml, as editors and the drift test read it."""
    return json.dumps(Study.model_json_schema(), indent=2) + "\n"


def _lines(where: str, found: list[str]) -> str:
    return "\n".join(f"{where}: {fault}" for fault in found)
