"""The settings of a study, and what they say of each corpus, encoder and fusion.

Units are part of the names: `_s` seconds, `_hz` rate, `_px` pixels, `_mb` megabytes.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field

from avfusion.config import fits, modalities
from avfusion.config.arithmetic import Arithmetic
from avfusion.config.jobs import Grid
from avfusion.config.sections import (
    CorpusEntry,
    FeatureSettings,
    MediaSettings,
    Name,
    Options,
    Settings,
    StatisticsSettings,
    Task,
    VerificationSettings,
    WindowSettings,
)
from avfusion.config.training import SelectSettings, TrainSettings
from avfusion.registry import Registry, corpora, encoders, fusions, losses

FUSION_KEYS = ("is", "train", "grid")
"""Keys of an entry of `fusions` that are no options of its class."""
FACES_HZ = 12.5
"""Faces per second that are stored for a study whose encoders read none."""
ENCODER_KEYS = ("is", "processes")
"""Keys of an entry of `encoders` that are no options of its class."""


class Entries(Settings):
    """The settings of a study, and what they say of each entry."""

    results: str = Field("results", description="Folder that the rules write to.")
    arithmetic: Arithmetic = Field(
        "fast",
        description="`portable` holds numeric libraries to one instruction set, so that processors "
        "with AVX2 compute the same numbers (avfusion.arithmetic); `fast` lets them choose.",
    )
    corpora: Annotated[dict[Name, CorpusEntry], Field(min_length=1)]
    media: MediaSettings = MediaSettings()
    windows: WindowSettings = WindowSettings()
    features: FeatureSettings = FeatureSettings()
    encoders: dict[Name, Options] = Field({}, description="Options of each encoder.")
    encoder_seeds: Annotated[list[int], Field(min_length=1)] = Field(
        [0],
        description="Fits of each encoder that is fitted on the corpus: numbers that are added to "
        "its `seed`. All fusions share the fits, and `seeds` take them in turn.",
    )
    cross_fit: Annotated[int, Field(ge=0)] = Field(
        0,
        description="K, 2 or more: features of a train video are from a fit of the encoder without "
        "its person, who is in one of K folds. 0: all are from one fit on all train people.",
    )
    fusions: dict[Name, Options] = Field(
        min_length=1,
        description="Options of each fusion. The baseline `ridge` is added to every study.",
    )
    seeds: Annotated[list[int], Field(min_length=1)] = [0, 1, 2]
    training_jobs: Literal["fusion", "run"] = Field(
        "fusion",
        description="`fusion`: one job trains all seeds of a fusion in one process, or all fits of "
        "an encoder; `run`: one job per seed and fit, which starts Python each time and can use "
        "more cores or GPUs at once.",
    )
    grid: Grid = Field(
        {},
        description="`train.lr: [0.001, 0.0001]`: values to choose from on validation, for every "
        "fusion without a `grid` of its own.",
    )
    grid_seeds: Annotated[list[int], Field(min_length=1)] = Field(
        [0], description="Runs of each grid point."
    )
    train: TrainSettings = TrainSettings()
    verification: VerificationSettings = VerificationSettings()
    protocols: Annotated[list[str], Field(min_length=1)] = ["pooled", "per_video", "smoothed"]
    headline: str = Field("pooled", description="The protocol of the first table and figure.")
    statistics: StatisticsSettings = StatisticsSettings()
    robustness: dict[Name, list[float]] = Field(
        {},
        description="Corruption -> its levels, the least first (`avf doctor` checks the names); "
        "`{}` leaves robustness out.",
    )

    def fusion_class(self, name: str) -> str:
        """Return the registry's name of a fusion: `jca_wide: {is: jca}` is a form of `jca`."""
        return self.fusions[name].get("is", name)

    def fusion_options(self, name: str) -> dict[str, Any]:
        """Return the constructor options of a fusion."""
        return {k: v for k, v in self.fusions[name].items() if k not in FUSION_KEYS}

    def corpus_class(self, name: str) -> str:
        """Return the registry's name of a corpus: `fold1: {is: iemocap}` is a form of `iemocap`."""
        return self.corpora[name].is_ or name

    def encoder_class(self, name: str) -> str:
        """Return the registry's name of an encoder or of one of its fits, as with fusions."""
        encoder, _ = fits.split(name)
        return self.encoders.get(encoder, {}).get("is", encoder)

    def encoder_options(self, encoder: str) -> dict[str, Any]:
        """Return the constructor options of an encoder, or of one of its fits."""
        name, number = fits.split(encoder)
        given = self.encoders.get(name, {})
        options = {key: value for key, value in given.items() if key not in ENCODER_KEYS}
        if number:
            seed = options.get("seed", fits.default_seed(self.encoder_class(name)) or 0)
            options["seed"] = seed + number
        return options

    def fit_names(self, encoder: str) -> list[str]:
        """Return the names of an encoder's fits that runs read; its own if it is not fitted."""
        if self.encoder_seeds == [0] or not self.fitted(encoder):
            return [encoder]
        used = {self.fit_of(seed) for seed in [*self.seeds, *self.grid_seeds]}
        return [fits.fit_name(encoder, number) for number in self.encoder_seeds if number in used]

    def all_features(self) -> FeatureSettings:
        """Return the fits of all encoders, per modality."""
        every = {
            modality: [fit for name in names for fit in self.fit_names(name)]
            for modality, names in self.features.by_modality.items()
        }
        return self.features.model_copy(update=every)

    def encoder_modality(self, encoder: str) -> str | None:
        """Return what an encoder encodes: as its class says, or where `features` lists it."""
        fixed = encoders.constant(self.encoder_class(encoder), "modality")
        name, _ = fits.split(encoder)
        listed = (m for m, names in self.features.by_modality.items() if name in names)
        return fixed or next(listed, None)

    def fitted(self, encoder: str) -> bool:
        """Return whether an encoder is fitted on each corpus.

        With the option that `frozen_with` of its class names, it is if `blocks` are tuned.
        """
        kind, options = self.encoder_class(encoder), self.encoder_options(encoder)
        given = encoders.constant(kind, "frozen_with")
        if given and options.get(given):
            return bool(options.get("blocks"))
        return bool(encoders.constant(kind, "fitted"))

    def processes(self, encoder: str) -> int:
        """Return the number of processes that fit an encoder; no number depends on it."""
        return self.encoders.get(fits.split(encoder)[0], {}).get("processes", 1)

    def task(self, corpus: str) -> Task:
        """Return what is predicted on a corpus: `ratings`, `classes` or `verification`."""
        return self.corpora[corpus].task

    def scoped(self, corpus: str) -> Self:
        """Return the study as it concerns one corpus: other tasks have a protocol of their own."""
        task = self.task(corpus)
        if task == "ratings":
            return self
        changes: dict[str, Any] = {"protocols": [task], "headline": task, "robustness": {}}
        return self.model_copy(update=changes)

    def grid_of(self, fusion: str) -> Grid:
        """Return a fusion's own grid, else the study's; `{}` is none.

        The study's grid is of gradient training, so a fusion in closed form has only its own.
        """
        return self.fusions[fusion].get("grid", {} if self.closed_form(fusion) else self.grid)

    def closed_form(self, fusion: str) -> bool:
        """Return whether a fusion is solved in closed form, as `ridge`; torch is not imported."""
        kind = self.fusion_class(fusion)
        return fusions.known(kind) and bool(fusions.constant(kind, "closed_form"))

    def run_features(self, fusion: str, seed: int | None = None) -> FeatureSettings:
        """Return the encoders that a fusion's runs read; text only if the fusion reads text.

        With a seed, they are the fits that its run reads.
        """
        text = modalities.with_text(self.fusion_class(fusion), self.fusion_options(fusion))
        read = self.features if text else self.features.model_copy(update={"text": []})
        number = 0 if seed is None else self.fit_of(seed)
        if not number:
            return read
        fitted = {
            modality: [fits.fit_name(name, number) if self.fitted(name) else name for name in names]
            for modality, names in read.by_modality.items()
        }
        return read.model_copy(update=fitted)

    def fit_of(self, seed: int) -> int:
        """Return the number of the encoder fits that the runs of a seed read."""
        return fits.of_seed(seed, self.seeds, self.encoder_seeds)

    def outside(self) -> dict[str, str]:
        """Return the code that is not part of avfusion: use -> `package.module:Class version`."""
        uses: list[tuple[Registry, str, str]] = [
            *((corpora, name, self.corpus_class(name)) for name in self.corpora),
            *((encoders, name, self.encoder_class(name)) for name in self.features.encoders),
            *((fusions, name, self.fusion_class(name)) for name in self.fusions),
        ]
        pairs = [(fusion, corpus) for fusion in self.fusions for corpus in self.corpora]
        uses += [(losses, loss, loss) for pair in pairs for loss in self.losses(*pair)]
        return {
            f"{registry.kind} {name}": registry.origin(entry)
            for registry, name, entry in uses
            if registry.known(entry) and registry.entry(entry).outside
        }

    def train_rule(self, fusion: str, corpus: str | None = None) -> TrainSettings:
        """Return the training settings of a fusion on a corpus, overrides applied."""
        on_corpus = self.corpora[corpus].train if corpus is not None else {}
        on_fusion = self.fusions[fusion].get("train", {})
        return TrainSettings(**{**self.train.model_dump(), **on_corpus, **on_fusion})

    def losses(self, fusion: str, corpus: str) -> list[str]:
        """Return the losses of a fusion's runs on a corpus, those of its grid included."""
        grid = self.grid_of(fusion).get("train.loss", [])
        return sorted({self.train_rule(fusion, corpus).loss, *grid})

    def select_protocols(self, fusion: str, corpus: str) -> list[str]:
        """Return the protocols that choose epochs in a fusion's runs, its grid's included."""
        given = [
            self.train_rule(fusion, corpus).select,
            *map(SelectSettings.model_validate, self.grid_of(fusion).get("train.select", [])),
        ]
        return sorted({select.protocol for select in given if select.protocol is not None})

    def part(self, corpus: str) -> dict[str, Any]:
        """Return the options of a corpus that say which part of it is downloaded."""
        kind = self.corpus_class(corpus)
        known = corpora.constant(kind, "part_options") if corpora.known(kind) else ()
        options = self.corpora[corpus].options
        return {name: value for name, value in options.items() if name in (known or ())}

    def feature_files(self) -> dict[str, dict[str, Any]]:
        """Return encoder -> modality and options, of those that read files of features."""
        kinds = {name: self.encoder_class(name) for name in self.features.encoders}
        return {
            name: {"modality": self.encoder_modality(name), **self.encoder_options(name)}
            for name, kind in kinds.items()
            if encoders.known(kind) and encoders.constant(kind, "reads") == "features"
        }

    def read_hz(self) -> float | None:
        """Return how many faces per second the study's encoders read; None for every frame.

        It is the highest `frame_hz`, an option of each face encoder. An encoder without this option
        may read every frame.
        """
        rates: list[float] = []
        for name in self.features.video:
            kind = self.encoder_class(name)
            if not encoders.known(kind) or encoders.constant(kind, "reads") is not None:
                continue
            default = encoders.constant(kind, "read_hz")
            rate = self.encoder_options(name).get("frame_hz", default)
            if not isinstance(rate, int | float):
                return None
            rates.append(rate)
        return max(rates, default=FACES_HZ)
