"""The results that a study is made of: one file per job, or per run of a training job."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from avfusion.config.grid import points
from avfusion.config.study import Study
from avfusion.layout import Layout

PREDICTIONS = {
    "ratings": "traces.parquet",
    "classes": "classes.parquet",
    "verification": "embeddings.parquet",
}
"""Task -> the file that a run writes last."""


@dataclass(frozen=True)
class Item:
    """One result.

    Parameters
    ----------
    stage
        As in `avfusion.planning.lines`.
    rule
        Rule that makes it, without the ending of a task.
    what
        Corpus, and encoder or fusion.
    name
        What tells it from all others: rule, corpus, fusion and seed, or encoder and shard.
    output
        The file that is there when it is done.
    log
        Log of its job.
    lock
        File that is locked while it is written.
    """

    stage: str
    rule: str
    what: str
    name: str
    output: Path
    log: Path
    lock: Path


def items(study: Study, layout: Layout, corpora: list[str]) -> Iterator[Item]:
    """Yield all results of a study on some corpora, in the order in which they are made."""
    logs = layout.results / "logs"
    for corpus in corpora:
        card = layout.card(corpus)
        lock = card.with_name(".lock")
        log = logs / "verify" / f"{corpus}.log"
        yield Item("verify", "verify", corpus, f"verify {corpus}", card, log, lock)
        folder, log = layout.media(corpus), logs / "media" / corpus
        yield from _shards("media", "media", corpus, folder, log, study.corpora[corpus].shards)
        yield from _features(study, layout, corpus, logs)
        yield from _runs(study, layout, corpus, logs)
        scores, log = layout.scores(corpus) / "scores.parquet", logs / "score" / f"{corpus}.log"
        lock = scores.with_name(".lock")
        yield Item("score", "score", corpus, f"score {corpus}", scores, log, lock)
        if study.robustness and study.task(corpus) == "ratings":
            sums, log = (
                layout.robustness(corpus) / "sums.parquet",
                logs / "robust" / f"{corpus}.log",
            )
            lock = sums.with_name(".lock")
            yield Item("robust", "robust", corpus, f"robust {corpus}", sums, log, lock)
    for rule, path in _report(layout, corpora):
        log = logs / "report" / f"{rule}.log"
        yield Item("report", rule, "", path.name, path, log, path.with_name(".lock"))


def _features(study: Study, layout: Layout, corpus: str, logs: Path) -> Iterator[Item]:
    for encoder in study.features.encoders:
        for fit in study.fit_names(encoder):
            what = f"{corpus} {encoder}"
            if study.fitted(encoder):
                folder, log = layout.encoder(corpus, fit), logs / "fit_encoder" / corpus
                output, log = folder / "best.safetensors", log.with_name(f"{corpus}.{encoder}.log")
                lock = folder / ".lock"
                name = f"fit_encoder {corpus} {fit}"
                yield Item("fit", "fit_encoder", what, name, output, log, lock)
            folder, log = layout.features(corpus, fit), logs / "encode" / f"{corpus}.{fit}"
            count = study.corpora[corpus].shards
            yield from _shards("encode", "encode", what, folder, log, count)


def _shards(
    stage: str, rule: str, what: str, folder: Path, log: Path, count: int
) -> Iterator[Item]:
    for i in range(count):
        stem = f"shard-{i}-of-{count}"
        output, lock = folder / f"{stem}.parquet", folder / f".{stem}.lock"
        file = log.with_name(f"{log.name}.{i}-of-{count}.log")
        yield Item(stage, rule, what, f"{rule} {log.name} {i}/{count}", output, file, lock)


def _runs(study: Study, layout: Layout, corpus: str, logs: Path) -> Iterator[Item]:
    file = PREDICTIONS[study.task(corpus)]
    for fusion in study.fusions:
        what = f"{corpus} {fusion}"
        for point in points(study.grid_of(fusion)) if study.grid_of(fusion) else ():
            for seed in study.grid_seeds:
                folder = layout.grid_run(corpus, fusion, point, seed)
                log = logs / "grid" / f"{corpus}.{fusion}.{point}.seed{seed}.log"
                name = f"grid {what} {point} seed{seed}"
                yield Item("grid", "grid_point", what, name, folder / file, log, folder / ".lock")
        for seed in study.seeds:
            folder, log = layout.run(corpus, fusion, seed), layout.train_log(corpus, fusion, seed)
            name = f"train {what} seed{seed}"
            yield Item("train", "train", what, name, folder / file, log, folder / ".lock")


def _report(layout: Layout, corpora: list[str]) -> Iterator[tuple[str, Path]]:
    yield "tables", layout.tables / "provenance.json"
    yield "figures", layout.figures / "captions.json"
    yield "page", layout.page
    for corpus in corpora:
        yield "record", layout.results / f"mlflow.{corpus}.json"
