"""A whole study as data: its settings, and the settings of each job that follow from them.

`config/config.yaml` is read into `Study`, from which workflow/schemas/config.schema.json is made.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from avfusion.config import contexts, jobs, modalities
from avfusion.config.corruptions import find
from avfusion.config.entries import Entries
from avfusion.config.sections import ClipSettings, SignalSettings
from avfusion.fingerprint import fingerprint
from avfusion.registry import encoders, fusions, losses


class Study(Entries):
    """Everything that a study depends on, in the user's words."""

    def corpus_settings(self, name: str) -> jobs.CorpusSettings:
        """Return what verifying one corpus depends on."""
        entry = self.corpora[name]
        return jobs.CorpusSettings(
            class_=self.corpus_class(name),
            root=Path(entry.root),
            options=entry.options,
            time_zero=self.media.time_zero,
            outside_links=entry.outside_links,
            features=self.feature_files(),
        )

    def obtain_settings(self, name: str) -> jobs.CorpusSettings:
        """Return what the download of a corpus depends on."""
        kind, root = self.corpus_class(name), Path(self.corpora[name].root)
        return jobs.CorpusSettings(class_=kind, root=root, options=self.part(name))

    def media_settings(self, corpus: str) -> jobs.MediaJobSettings:
        """Return what reading a corpus' videos depends on."""
        entry = self.corpora[corpus]
        changes: dict[str, Any] = {"read_hz": self.media.read_hz or self.read_hz()}
        if entry.face is not None:
            changes["face"] = entry.face
        media = self.media.model_copy(update=changes)
        return jobs.MediaJobSettings(root=Path(entry.root), media=media)

    def run_settings(self, corpus: str, fusion: str, seed: int) -> jobs.RunSettings:
        """Return what one training run depends on besides its input files."""
        kind, options = self.fusion_class(fusion), self.fusion_options(fusion)
        train = self.train_rule(fusion, corpus)
        augmented = train.corrupt or "train.corrupt" in self.grid_of(fusion)
        unused = set() if augmented else {"avfusion.runs.augment", "avfusion.features.corrupt"}
        task = self.task(corpus)
        if task == "ratings":
            unused.add("avfusion.runs.classes")
        if task != "verification":
            unused |= {"avfusion.runs.verification", "avfusion.models.speakers"}
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
            task=task,
            verification=self.verification if task == "verification" else None,
            grid=self.grid_of(fusion),
            code=fingerprint(*roots, leaving=frozenset(unused)),
            roots=roots,
            leaving=sorted(unused),
            outside={use: origin for use, origin in self.outside().items() if use in used},
        )

    def runs_settings(self, corpus: str, fusion: str, seeds: Iterable[int]) -> jobs.RunsSettings:
        """Return what one training job depends on: the runs of a fusion with some seeds."""
        runs = [self.run_settings(corpus, fusion, seed) for seed in seeds]
        return jobs.RunsSettings(
            corpus=corpus, fusion=fusion, arithmetic=self.arithmetic, runs=runs
        )

    def grid_settings(self, corpus: str, fusion: str) -> jobs.GridSettings:
        """Return what choosing a fusion's grid point depends on besides the points' runs."""
        grid = self.grid_of(fusion)
        return jobs.GridSettings(corpus=corpus, fusion=fusion, grid=grid, seeds=self.grid_seeds)

    def encoders_settings(
        self, encoders: list[str], corpus: str | None = None
    ) -> jobs.EncodersSettings:
        """Return the settings of a job that fits or applies some encoders, one after the other."""
        settings = [self.encoder_settings(name, corpus) for name in encoders]
        return jobs.EncodersSettings(encoders=settings)

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
                "avfusion.encoders.stage:encode_together",
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
            cohort=self.verification.cohort if self.task(corpus) == "verification" else None,
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
