"""The jobs of a study, as the workflow plans them, each with what it takes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from avfusion.config.availability import not_here
from avfusion.config.grid import points
from avfusion.config.study import Study
from avfusion.config.widths import options_of
from avfusion.doctor.media import HOUR_S, bytes_per_hour
from avfusion.encoders.cost import feature_bytes
from avfusion.layout import Layout
from avfusion.planning import rates
from avfusion.planning.sizes import Size
from avfusion.planning.training import FORWARD, Run, run_of, step_of, width_of, widths_of
from avfusion.registry import corpora

STAGES = (
    "corpus",
    "verify",
    "media",
    "fit",
    "encode",
    "grid",
    "train",
    "score",
    "robust",
    "report",
)
GB = 1e9
TRACE_BYTES = 12
"""Bytes of a predicted row, measured; Parquet compresses it."""
Sizes = Mapping[str, Size]


@dataclass(frozen=True)
class Line:
    """Jobs of one kind.

    Parameters
    ----------
    stage
        One of `STAGES`.
    rule
        Rule of the workflow.
    what
        Corpus, and encoder or fusion.
    jobs
        Number of jobs.
    core_s
        Seconds of all of them on one core; None if the size of the corpus is unknown.
    mb
        Memory of one of them.
    disk
        Bytes that they leave.
    gpu
        Whether the SLURM profile gives them a GPU.
    stand_in
        The class that was not measured, and for which another one stands; else "".
    """

    stage: str
    rule: str
    what: str
    jobs: int
    core_s: float | None
    mb: float
    disk: float = 0.0
    gpu: bool = False
    stand_in: str = ""


@dataclass(frozen=True)
class Planner:
    """Lists the jobs of a fresh study.

    Parameters
    ----------
    study
        The study.
    layout
        Paths of its results.
    sizes
        Corpus -> what it holds, of those that are here or assumed to be.
    """

    study: Study
    layout: Layout
    sizes: Sizes

    def lines(self) -> Iterator[Line]:
        """Yield all jobs of `snakemake all`, stage by stage."""
        yield from self._corpora()
        for corpus, size in self.sizes.items():
            yield from self._media(corpus, size)
            for encoder in self.study.features.encoders:
                yield from self._features(corpus, encoder, size)
            for fusion in self.study.fusions:
                yield from self._runs(corpus, fusion, size)
            yield self._score(corpus, size)
            if self.study.robustness and self.study.task(corpus) == "ratings":
                yield from self._robust(corpus, size)
        yield from self._report()

    def _corpora(self) -> Iterator[Line]:
        """Yield the jobs that make or fetch folders, and one that checks each corpus."""
        roots: set[Path] = set()
        for corpus, size in self.sizes.items():
            entry = self.study.corpora[corpus]
            kind, root = self.study.corpus_class(corpus), Path(entry.root)
            made = corpora.known(kind) and corpora.defines(kind, "make")
            file = "corpus.json" if made else "obtained.json"
            if root not in roots and (made or entry.download) and not (root / file).is_file():
                rule = "make_corpus" if made else "obtain"
                taken = self._seconds("make_corpus", size, size.hours * HOUR_S) if made else None
                yield Line("corpus", rule, corpus, 1, taken, rates.memory_mb("make_corpus"))
            roots.add(root)
            taken = self._seconds("verify", size, size.hours * HOUR_S)
            yield Line("verify", "verify", corpus, 1, taken, rates.memory_mb("verify"))

    def _media(self, corpus: str, size: Size) -> Iterator[Line]:
        """Yield the jobs that read the videos; entries of one folder share what is read."""
        shards = self.study.corpora[corpus].shards
        read_hz = self.study.media.face_hz or self.study.media.read_hz or self.study.read_hz()
        searches = size.shown_h * HOUR_S * min(read_hz or size.frame_hz, size.frame_hz)
        videos, work_s = size.videos, searches * rates.search_s(size.pixels)
        sound, faces = bytes_per_hour(self.study)
        disk = size.hours * sound + size.shown_h * faces
        if self._again(corpus):
            videos, work_s, disk = 0, 0.0, 0.0
        taken = self._seconds("media", size, videos, shards, work_s)
        yield Line("media", "media", corpus, shards, taken, rates.memory_mb("media"), disk)
        yield self._index("media", "media_index", corpus)

    def _features(self, corpus: str, encoder: str, size: Size) -> Iterator[Line]:
        """Yield the jobs that fit an encoder, and those that apply its fits."""
        study = self.study
        fits, shards = study.fit_names(encoder), study.corpora[corpus].shards
        several = study.training_jobs == "fusion" and len(fits) > 1
        jobs, kind = 1 if several else len(fits), study.encoder_class(encoder)
        what = f"{corpus} {encoder}"
        if study.fitted(encoder):
            rule = "fit_encoders" if several else "fit_encoder"
            yield self._fit(rule, what, encoder, size, jobs, len(fits))
        speed, measured = rates.encoder(kind)
        clips = size.rows(study.windows.hop_s) * len(fits)
        disk = feature_bytes(clips, width_of(study, encoder))
        if self._again(corpus) and not study.fitted(encoder):
            clips, disk = 0.0, 0.0
        taken = self._seconds("encode", size, jobs=jobs * shards, work_s=clips / speed)
        yield Line(
            *("encode", "encode_fits" if several else "encode", what, jobs * shards, taken),
            *(rates.memory_mb("encode"), disk, True, "" if measured else f"encoder {kind}"),
        )
        rule = "feature_indexes_of_fits" if several else "feature_index"
        yield self._index("encode", rule, what, jobs)

    def _fit(self, rule: str, what: str, encoder: str, size: Size, jobs: int, fits: int) -> Line:
        study = self.study
        kind, options = study.encoder_class(encoder), options_of(study, encoder)
        each_s, measured = rates.fit_example_s(kind)
        examples = size.hours * HOUR_S * size.share("train") * float(options.get("fit_hz") or 1.0)
        examples = min(examples, float(options.get("most") or examples))
        folds = max(study.cross_fit, 1)
        work_s = fits * folds * float(options.get("epochs") or 1) * examples * each_s
        taken = self._seconds("fit", size, jobs=jobs, work_s=work_s)
        note = "" if measured else f"fit of encoder {kind}"
        mb = rates.memory_mb("fit") * study.processes(encoder)
        disk = fits * folds * rates.rates()["fit_bytes"]
        return Line("fit", rule, what, jobs, taken, mb, disk, True, note)

    def _runs(self, corpus: str, fusion: str, size: Size) -> Iterator[Line]:
        """Yield the jobs of a fusion's grid, and those that train its seeds."""
        study = self.study
        suffix = {"ratings": "", "classes": "_classes"}.get(study.task(corpus), "_verification")
        run = run_of(study, corpus, fusion, size) if size.known else None
        what, at = f"{corpus} {fusion}", list(points(study.grid_of(fusion)))
        if study.grid_of(fusion):
            jobs = len(at) * len(study.grid_seeds)
            yield self._train("grid", f"grid_point{suffix}", what, jobs, jobs, run)
            yield self._index("grid", "choose", what)
        runs = len(study.seeds)
        jobs = 1 if study.training_jobs == "fusion" else runs
        yield self._train("train", f"train{suffix}", what, jobs, runs, run, size)

    def _train(
        self,
        stage: str,
        rule: str,
        what: str,
        jobs: int,
        runs: int,
        run: Run | None,
        size: Size | None = None,
    ) -> Line:
        fusion = what.rpartition(" ")[2]
        rows = size.rows(self.study.windows.hop_s) if size else 0.0
        wide = _mean(widths_of(self.study, fusion)) / rates.rates()["shapes"]["base"][0]
        disk = runs * (rates.rates()["run_bytes"] * wide + TRACE_BYTES * rows)
        if run is None:
            return Line(stage, rule, what, jobs, None, rates.memory_mb("train"), disk, True)
        taken = jobs * rates.start_s("heavy") + runs * run.seconds
        note = "" if run.measured else f"fusion {self.study.fusion_class(fusion)}"
        return Line(stage, rule, what, jobs, taken, run.mb, disk, True, note)

    def _score(self, corpus: str, size: Size) -> Line:
        task = self.study.task(corpus)
        runs = len(self.study.fusions) * len(self.study.seeds)
        rules = len(self.study.protocols) if task == "ratings" else 1
        rows = size.rows(self.study.windows.hop_s)
        taken = self._seconds("score", size, runs * rules * rows)
        rule = "score_verification" if task == "verification" else "score"
        disk = runs * rules * size.videos * rates.rates()["sums_bytes"]
        return Line("score", rule, corpus, 1, taken, rates.memory_mb("score"), disk)

    def _robust(self, corpus: str, size: Size) -> Iterator[Line]:
        """Yield the jobs on corrupted input: features, predictions of all runs, scores."""
        study = self.study
        share, hop_s = size.share("test") or 1.0, study.windows.hop_s
        rows, heavy = size.rows(hop_s) * share, rates.start_s("heavy")
        for encoder in study.all_features().encoders:
            jobs = sum(name == encoder for _, _, name in study.signal_cases())
            if jobs:
                speed, measured = rates.encoder(study.encoder_class(encoder))
                taken = jobs * (heavy + rows / speed) if size.known else None
                disk = jobs * feature_bytes(rows, width_of(study, encoder))
                note = "" if measured else f"encoder {study.encoder_class(encoder)}"
                what, mb = f"{corpus} {encoder}", rates.memory_mb("encode")
                yield Line("robust", "corrupt", what, jobs, taken, mb, disk, True, note)
        cases = sum(map(len, study.robustness.values()))
        shards, runs = study.corpora[corpus].shards, len(study.seeds)
        windows = rows / study.windows.clips
        step_s = sum(
            step_of(study, name, _mean(widths_of(study, name)), study.windows.clips)[0]
            for name in study.fusions
            if not study.closed_form(name)
        )
        taken = shards * heavy + cases * runs * windows * step_s * FORWARD
        disk = cases * runs * len(study.fusions) * TRACE_BYTES * rows
        mb = rates.memory_mb("train")
        known = taken if size.known else None
        yield Line("robust", "robust_part", corpus, shards, known, mb, disk, True)
        scored = self._seconds("score", size, cases * runs * len(study.fusions) * rows)
        yield Line("robust", "robust", corpus, 1, scored, mb)

    def _report(self) -> Iterator[Line]:
        """Yield the jobs of tables, figures, page and MLflow, and `all` itself."""
        runs = len(self.study.fusions) * len(self.study.seeds) * len(self.sizes)
        for rule in ("tables", "figures", "page"):
            taken = rates.stage_start_s(rule) + runs * rates.per_unit_s(rule)
            yield Line("report", rule, "", 1, taken, rates.memory_mb(rule))
        for corpus in self.sizes:
            each = runs / len(self.sizes)
            taken = rates.stage_start_s("record") + each * rates.per_unit_s("record")
            disk = each * rates.rates()["record_bytes"]
            yield Line("report", "record", corpus, 1, taken, rates.memory_mb("record"), disk)
        yield Line("report", "all", "", 1, 0.0, 0.0)

    def _index(self, stage: str, rule: str, what: str, jobs: int = 1) -> Line:
        """Return jobs that join small tables."""
        taken = jobs * rates.start_s("light")
        return Line(stage, rule, what, jobs, taken, rates.memory_mb("index"))

    def _seconds(
        self, stage: str, size: Size, units: float = 0.0, jobs: int = 1, work_s: float = 0.0
    ) -> float | None:
        """Return seconds of jobs that share some work; None if the size is unknown.

        units: of the stage's rate; work_s: further seconds.
        """
        if not size.known:
            return None
        return jobs * rates.stage_start_s(stage) + units * rates.per_unit_s(stage) + work_s

    def _again(self, corpus: str) -> bool:
        """Return whether an earlier entry has the same folder, so that nothing is read twice."""
        root = self.study.corpora[corpus].root.rstrip("/")
        earlier = [*self.sizes][: [*self.sizes].index(corpus)]
        return any(self.study.corpora[name].root.rstrip("/") == root for name in earlier)


def _mean(widths: list[int]) -> float:
    return sum(widths) / len(widths)


def here(study: Study, layout: Layout, assumed: Sizes) -> list[str]:
    """Return the corpora to plan: those that are here, and those that are assumed to be."""
    away = not_here(study, layout)
    return [name for name in study.corpora if name not in away or name in assumed]
