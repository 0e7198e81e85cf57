"""The results that a study is made of: one file per job, or per run of a training job."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from avfusion import registry
from avfusion.config.grid import points
from avfusion.config.study import Study
from avfusion.layout import Layout

PREDICTIONS = {
    "ratings": "traces.parquet",
    "classes": "classes.parquet",
    "verification": "embeddings.parquet",
}
"""Task -> the file that a run writes last."""

LOCKING = ("media", "encode", "grid", "train")
"""Stages that lock what they write. Of others, nothing on disk says that a job still runs."""


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
        File that is locked while it is written, in the stages of `LOCKING`; of others, any file.
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
    yield from _fetched(study, corpora, logs)
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
            yield from _robust(study, layout, corpus, logs)
    for rule, path in _report(layout, corpora):
        log = logs / "report" / f"{rule}.log"
        yield Item("report", rule, "", path.name, path, log, path.with_name(".lock"))


def _fetched(study: Study, corpora: list[str], logs: Path) -> Iterator[Item]:
    """Yield the folders of corpora that are generated or downloaded."""
    roots: set[str] = set()
    for corpus in corpora:
        entry, kind = study.corpora[corpus], study.corpus_class(corpus)
        made = registry.corpora.known(kind) and registry.corpora.defines(kind, "make")
        root = entry.root.rstrip("/")
        if root in roots or not (made or entry.download):
            continue
        roots.add(root)
        rule, file = ("make_corpus", "corpus.json") if made else ("obtain", "obtained.json")
        output, log = Path(root) / file, logs / root.lstrip("/") / f"{rule}.log"
        yield Item("corpus", rule, corpus, f"{rule} {corpus}", output, log, output)


def _robust(study: Study, layout: Layout, corpus: str, logs: Path) -> Iterator[Item]:
    """Yield features of corrupted input, predictions on it, and their scores."""
    for kind, level, encoder in study.signal_cases():
        case, folder = f"{kind}-{level}", layout.robustness(corpus) / "features"
        output = folder / case / encoder / "index.parquet"
        log = logs / "corrupt" / f"{corpus}.{case}.{encoder}.log"
        name = f"corrupt {corpus} {case} {encoder}"
        yield Item("robust", "corrupt", f"{corpus} {encoder}", name, output, log, output)
    sums, count = layout.robustness(corpus) / "sums.parquet", study.corpora[corpus].shards
    for i in range(count):
        output = sums.with_name(f"part-{i}-of-{count}.json")
        log = logs / "robust" / f"{corpus}.{i}-of-{count}.log"
        yield Item("robust", "robust", corpus, f"robust {corpus} {i}/{count}", output, log, output)
    log = logs / "robust" / f"{corpus}.log"
    yield Item("robust", "robust", corpus, f"robust {corpus}", sums, log, sums)


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
            folder, log = layout.features(corpus, fit), logs / "encode" / f"{corpus}.{encoder}"
            count = study.corpora[corpus].shards
            for item in _shards("encode", "encode", what, folder, log, count):  # a job has all fits
                yield replace(item, name=item.name.replace(log.name, f"{corpus}.{fit}", 1))


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
