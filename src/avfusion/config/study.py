"""A whole study as data: every setting with its default, unit and bound, checked in one place.

`config/config.yaml` is read into `Study`, from which workflow/schemas/config.schema.json is made.
Units stand in the names: `_s` seconds, `_hz` rate, `_px` pixels, `_mb` megabytes.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from avfusion.config import modalities
from avfusion.config.corruptions import find
from avfusion.config.sections import (
    CorpusSettings,
    FeatureSettings,
    MediaSettings,
    Name,
    Options,
    StatisticsSettings,
    TrainSettings,
    WindowSettings,
)
from avfusion.fingerprint import fingerprint
from avfusion.registry import encoders, fusions


class Study(BaseModel):
    """Everything that a study depends on, in the user's words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
        given = {**self.train.model_dump(), **self.corpora[corpus].train, **override}
        train = TrainSettings(**given).model_dump()
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
            "code": fingerprint(fusions.code(kind), "avfusion.runs.train:train_run"),
        } | ({"grid": grid} if grid else {})

    def grid_settings(self, corpus: str, fusion: str) -> dict[str, Any]:
        """All that choosing a fusion's grid point depends on besides the points' runs."""
        grid = self.fusions[fusion].get("grid", self.grid)
        return {"corpus": corpus, "fusion": fusion, "grid": grid, "seeds": self.grid_seeds}

    def encoder_settings(self, encoder: str, corpus: str = "") -> dict[str, Any]:
        """All that fitting or applying one encoder depends on besides its input files.

        corpus: for encoders of text and of arrays, which read below the corpus' root.
        """
        below = encoders.constant(encoder, "modality") == "text"
        below = below or encoders.constant(encoder, "reads") == "arrays"
        return ({"root": self.corpora[corpus].root} if below and corpus else {}) | {
            "encoder": encoder,
            "options": self.encoder_options(encoder),
            "windows": self.windows.model_dump(exclude={"clips"}),
            "media": self.media.model_dump(exclude={"time_limit_s"}),
            "code": fingerprint(encoders.code(encoder), "avfusion.encoders.stage"),
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

    def encoder_options(self, encoder: str) -> dict[str, Any]:
        """The keywords of an encoder's class."""
        given = self.encoders.get(encoder, {})
        return {key: value for key, value in given.items() if key != "processes"}

    def processes(self, encoder: str) -> int:
        """In how many processes an encoder is fitted; its numbers do not depend on it."""
        return self.encoders.get(encoder, {}).get("processes", 1)

    def signal_settings(self, corpus: str, encoder: str) -> dict[str, Any]:
        """All that features of corrupted sound or pictures depend on besides their input files."""
        return {
            "encoder": self.encoder_settings(encoder),
            "root": self.corpora[corpus].root,
            "draw": self.statistics.seed,
            "code": fingerprint("avfusion.encoders.corrupt"),
        }

    def delay_settings(self) -> dict[str, Any]:
        """All that the search for the raters' delay depends on besides its input files."""
        return self.model_dump(include={"features": True, "train": {"baseline"}})

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
            "code": fingerprint("avfusion.robustness.predict"),
        }
