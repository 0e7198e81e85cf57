"""A whole study as data: every setting with its default, unit and bound, checked in one place.

`config/config.yaml` is read into `Study`, from which workflow/schemas/config.schema.json is made.
Units are part of the names: `_s` seconds, `_hz` rate, `_px` pixels, `_mb` megabytes.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field

from avfusion.config import contexts, fits, jobs, modalities
from avfusion.config.arithmetic import Arithmetic
from avfusion.config.corruptions import find
from avfusion.config.jobs import Grid
from avfusion.config.sections import (
    ClipSettings,
    CorpusEntry,
    FeatureSettings,
    MediaSettings,
    Name,
    Options,
    SelectSettings,
    Settings,
    SignalSettings,
    StatisticsSettings,
    Task,
    TrainSettings,
    WindowSettings,
)
from avfusion.fingerprint import fingerprint
from avfusion.registry import Registry, corpora, encoders, fusions, losses

FUSION_KEYS = ("is", "train", "grid")
"""Keys of an entry of `fusions` that are no options of its class."""
FACES_HZ = 12.5
"""Faces per second that are stored for a study whose encoders read none."""
ENCODER_KEYS = ("is", "processes")
"""Keys of an entry of `encoders` that are no options of its class."""


class Study(Settings):
    """Everything that a study depends on, in the user's words."""

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
    grid: Grid = Field(
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
        """Return what is predicted on a corpus: `ratings` or `classes`."""
        return self.corpora[corpus].task

    def scoped(self, corpus: str) -> Self:
        """Return the study as it concerns one corpus: classes have a protocol of their own."""
        if self.task(corpus) == "ratings":
            return self
        changes = {"protocols": ["classes"], "headline": "classes", "robustness": {}}
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

    def corpus_settings(self, name: str) -> jobs.CorpusSettings:
        """Return what verifying one corpus depends on."""
        entry = self.corpora[name]
        return jobs.CorpusSettings(
            class_=self.corpus_class(name),
            root=Path(entry.root),
            options=entry.options,
            time_zero=self.media.time_zero,
            features=self.feature_files(),
        )

    def part(self, corpus: str) -> dict[str, Any]:
        """Return the options of a corpus that say which part of it is downloaded."""
        kind = self.corpus_class(corpus)
        known = corpora.constant(kind, "part_options") if corpora.known(kind) else ()
        options = self.corpora[corpus].options
        return {name: value for name, value in options.items() if name in (known or ())}

    def obtain_settings(self, name: str) -> jobs.CorpusSettings:
        """Return what the download of a corpus depends on."""
        kind, root = self.corpus_class(name), Path(self.corpora[name].root)
        return jobs.CorpusSettings(class_=kind, root=root, options=self.part(name))

    def feature_files(self) -> dict[str, dict[str, Any]]:
        """Return encoder -> modality and options, of those that read files of features."""
        kinds = {name: self.encoder_class(name) for name in self.features.encoders}
        return {
            name: {"modality": self.encoder_modality(name), **self.encoder_options(name)}
            for name, kind in kinds.items()
            if encoders.known(kind) and encoders.constant(kind, "reads") == "features"
        }

    def media_settings(self, corpus: str) -> jobs.MediaJobSettings:
        """Return what reading a corpus' videos depends on."""
        entry = self.corpora[corpus]
        changes: dict[str, Any] = {"read_hz": self.media.read_hz or self.read_hz()}
        if entry.face is not None:
            changes["face"] = entry.face
        media = self.media.model_copy(update=changes)
        return jobs.MediaJobSettings(root=Path(entry.root), media=media)

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

    def run_settings(self, corpus: str, fusion: str, seed: int) -> jobs.RunSettings:
        """Return what one training run depends on besides its input files."""
        kind, options = self.fusion_class(fusion), self.fusion_options(fusion)
        train = self.train_rule(fusion, corpus)
        augmented = train.corrupt or "train.corrupt" in self.grid_of(fusion)
        unused = set() if augmented else {"avfusion.runs.augment", "avfusion.features.corrupt"}
        if self.task(corpus) == "ratings":
            unused.add("avfusion.runs.classes")
        if not self.select_protocols(fusion, corpus):
            unused.add("avfusion.runs.by_protocol")
        if "separate" not in [train.targets, *self.grid_of(fusion).get("train.targets", [])]:
            unused.add("avfusion.runs.separate")
        roots = [
            fusions.code(kind),
            *(losses.code(name) for name in self.losses(fusion, corpus)),
            "avfusion.runs.train:train_run",
        ]
        features = self.run_features(fusion, seed)
        used = {f"fusion {fusion}", f"corpus {corpus}"}
        used |= {f"loss {name}" for name in self.losses(fusion, corpus)}
        used |= {f"encoder {name}" for name in features.encoders}
        corrupt = [train.corrupt, *self.grid_of(fusion).get("train.corrupt", [])]
        return jobs.RunSettings(
            corpus=corpus,
            fusion=fusion,
            class_=kind,
            options=options,
            seed=seed,
            arithmetic=self.arithmetic,
            features=features,
            windows=self.windows,
            train=train,
            contexts=self.contexts_of({name for levels in corrupt for name in levels}),
            task=self.task(corpus),
            grid=self.grid_of(fusion),
            code=fingerprint(*roots, leaving=frozenset(unused)),
            roots=roots,
            leaving=sorted(unused),
            outside={use: origin for use, origin in self.outside().items() if use in used},
        )

    def grid_settings(self, corpus: str, fusion: str) -> jobs.GridSettings:
        """Return what choosing a fusion's grid point depends on besides the points' runs."""
        grid = self.grid_of(fusion)
        return jobs.GridSettings(corpus=corpus, fusion=fusion, grid=grid, seeds=self.grid_seeds)

    def encoder_settings(self, encoder: str, corpus: str | None = None) -> jobs.EncoderSettings:
        """Return what fitting or applying one encoder depends on besides its input files.

        corpus: for encoders of text, arrays and features, which read below the corpus' root.
        """
        kind, modality = self.encoder_class(encoder), self.encoder_modality(encoder)
        below = modality == "text" or encoders.constant(kind, "reads") is not None
        chosen = encoders.constant(kind, "modality") is None
        entry = encoders.entry(kind)
        return jobs.EncoderSettings(
            encoder=encoder,
            class_=kind,
            modality=modality if chosen else None,
            options=self.encoder_options(encoder),
            arithmetic=self.arithmetic,
            cross_fit=self.cross_fit if self.fitted(encoder) else 0,
            windows=ClipSettings(**self.windows.model_dump(include=set(ClipSettings.model_fields))),
            media=SignalSettings(**self.media.model_dump(include=set(SignalSettings.model_fields))),
            root=Path(self.corpora[corpus].root) if below and corpus is not None else None,
            code=fingerprint(
                encoders.code(kind),
                "avfusion.encoders.stage:fit",
                "avfusion.encoders.stage:encode_shard",
            ),
            outside={f"encoder {encoder}": encoders.origin(kind)} if entry.outside else {},
        )

    def signal_cases(self) -> list[tuple[str, str, str]]:
        """Return (corruption, level as text, encoder) of all that is encoded for robustness."""
        return [
            (name, f"{level:g}", encoder)
            for name, levels in self.robustness.items()
            for level in levels
            for encoder in self.encoded_again(name)
        ]

    def encoded_again(self, corruption: str) -> list[str]:
        """Return the encoders that encode corrupted sound or pictures."""
        modality, kind = find(corruption)
        listed = getattr(self.all_features(), modality)
        if not kind.missing:
            return list(listed) if kind.signal else []
        clip_s = self.windows.clip_s
        return [
            name
            for name in listed
            if contexts.encoded_again(
                self.encoder_class(name), modality, self.encoder_options(name), clip_s
            )
        ]

    def contexts_of(self, corruptions: Iterable[str]) -> dict[str, contexts.Context | None]:
        """Return encoder -> what a row depends on, of modalities that are missing in some case."""
        missing = {modality for modality, kind in map(find, corruptions) if kind.missing}
        return {
            name: contexts.context_of(
                self.encoder_class(name), self.encoder_options(name), self.windows.clip_s
            )
            for modality in sorted(missing)
            for name in getattr(self.features, modality)
        }

    def signal_settings(self, encoder: str) -> jobs.CorruptSettings:
        """Return what features of corrupted sound or pictures depend on besides input files."""
        return jobs.CorruptSettings(
            encoder=self.encoder_settings(encoder),
            draw=self.statistics.seed,
            code=fingerprint("avfusion.encoders.corrupt:corrupt_features"),
        )

    def delay_settings(self) -> jobs.DelaySettings:
        """Return what the search for the annotation delay depends on besides its input files."""
        return jobs.DelaySettings(features=self.features, baseline=self.train.baseline)

    def read_by(self) -> dict[str, tuple[str, ...]]:
        """Return fusion -> the modalities that it reads, of those that are trained."""
        kinds = {name: self.fusion_class(name) for name in self.fusions}
        return {
            name: modalities.read(kind, self.fusion_options(name))
            for name, kind in kinds.items()
            if fusions.known(kind) and not self.closed_form(name)
        }

    def score_settings(self, corpus: str) -> jobs.ScoreSettings:
        """Return what scoring a corpus depends on besides its input files."""
        return jobs.ScoreSettings(
            features=self.all_features(),
            fusions=list(self.fusions),
            protocols=self.protocols,
            seeds=self.seeds,
            task=self.task(corpus),
            singles=modalities.singles(self.read_by()),
            clip_s=self.windows.clip_s,
        )

    def record_settings(self) -> jobs.RecordSettings:
        """Return which runs are current, and how the best of them is chosen."""
        return jobs.RecordSettings(
            fusions=list(self.fusions),
            headline=self.headline,
            seeds=self.seeds,
            statistics=self.statistics,
        )

    def robust_settings(self) -> jobs.RobustSettings:
        """Return what runs on corrupted input depend on besides their input files."""
        return jobs.RobustSettings(
            fusions=list(self.fusions),
            headline=self.headline,
            robustness=self.robustness,
            encoded={name: self.encoded_again(name) for name in self.robustness},
            contexts=self.contexts_of(self.robustness),
            seeds=self.seeds,
            draw=self.statistics.seed,
            code=fingerprint("avfusion.robustness.predict:predict"),
        )
