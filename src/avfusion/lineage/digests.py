"""Digests of a study's results, stage by stage, to compare the numbers of two machines.

A digest covers numbers only. The stamps of weights and media records also hold settings and code,
so they differ after a change of code that changes no number. The settings and the code are recorded
next to the digests. `avf digests --write` writes `FILE`; `avf doctor` compares with it.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict, cast

import pandas as pd

from avfusion.config.study import Study
from avfusion.errors import AvfError
from avfusion.fingerprint import fingerprint
from avfusion.io.atomic import file_digest
from avfusion.io.shards import read_table
from avfusion.io.stamped import (
    listing_digest,
    read_sealed,
    table_digest,
    tensors_digest,
    write_sealed,
)
from avfusion.layout import Layout
from avfusion.media.writer import NATIVE, SOUND, VOICE
from avfusion.provenance import machine_state
from avfusion.runs.files import WEIGHTS

FILE = Path("config/demo_digests.json")
"""Digests of the study in config/config.yaml."""
REMEDY = "Run `make demo`, then `avf digests --write`."

_WITHOUT_EFFECT = {"results", "statistics"}
_OF_A_PLACE = {"root", "shards"}
_MACHINE = ("processor", "isa", "system", "torch", "gpu")
_ARRAYS = ("faces.zip", SOUND, NATIVE, VOICE)
_TABLES = ("frames.parquet", "people.parquet", "tracks.parquet")


class Digests(TypedDict):
    """Content of `FILE`.

    `settings` maps keys of the study to values, `code` and `stages` stages to digests in the order
    of the pipeline. `scores` holds the mean CCC over the runs of a fusion, per target, on test
    videos and under the protocol of the headline.
    """

    settings: dict[str, Any]
    code: dict[str, str]
    machine: dict[str, Any]
    stages: dict[str, str]
    scores: dict[str, dict[str, float]]


def write_digests(study: Study, layout: Layout, path: Path | None = None) -> Digests:
    """Write the digests of finished results, by default to `FILE`.

    Raises
    ------
    AvfError
        If the arithmetic is not portable, or a result is missing.
    """
    if study.arithmetic != "portable":
        raise AvfError(
            f"arithmetic is {study.arithmetic}, so other processors compute other numbers. Set "
            f"`arithmetic: portable`, and run the study again."
        )
    machine = machine_state()
    digests = Digests(
        settings=settings(study),
        code=code(study),
        machine={name: machine[name] for name in _MACHINE},
        stages=stages(study, layout),
        scores=scores(study, layout),
    )
    write_sealed(path or FILE, dict(digests))
    return digests


def read_digests(path: Path | None = None) -> Digests:
    """Read digests, by default those of `FILE`.

    Raises
    ------
    DamagedError
        If the file is missing or was edited.
    """
    return cast(Digests, read_sealed(path or FILE, REMEDY))


def settings(study: Study) -> dict[str, Any]:
    """Return the settings that numbers depend on, such as `train.lr`; folders are left out."""
    document = study.model_dump(mode="json", exclude=_WITHOUT_EFFECT)
    return _on_numbers(document)


def changed(recorded: dict[str, Any], study: Study) -> list[str]:
    """Return the settings of a study that differ from the recorded ones.

    A key that came later, and has its default, is no difference.
    """
    now = settings(study)
    given = _on_numbers(
        study.model_dump(mode="json", exclude=_WITHOUT_EFFECT, exclude_defaults=True)
    )
    other = {key for key in recorded if key not in now or now[key] != recorded[key]}
    return sorted(other | (given.keys() - recorded.keys()))


def stages(study: Study, layout: Layout) -> dict[str, str]:
    """Return stage -> SHA-256 of its numbers, in the order of the pipeline.

    Raises
    ------
    AvfError
        If a result is missing.
    """
    try:
        return {
            name: digest
            for corpus in study.corpora
            for name, digest in _stages(corpus, study, layout)
        }
    except FileNotFoundError as error:
        raise AvfError(f"{error.filename}: file not found. Run: make demo") from None


def code(study: Study) -> dict[str, str]:
    """Return stage -> fingerprint of the installed code that computes it."""
    from avfusion.registry import corpora

    prints = {}
    for corpus in study.corpora:
        kind = corpora.code(study.corpus_class(corpus))
        prints[_stage("media files", corpus)] = fingerprint(kind)
        verify = fingerprint(kind, "avfusion.corpora.verify:verify")
        prints[_stage("manifest and gold", corpus)] = verify
        prints[_stage("media records", corpus)] = fingerprint("avfusion.media.read")
        for name in study.all_features().encoders:
            encoder = study.encoder_settings(name, corpus).code
            if study.fitted(name):
                prints[_stage(f"weights of {name}", corpus)] = encoder
            prints[_stage(f"features of {name}", corpus)] = encoder
        for fusion in study.fusions:
            run = study.run_settings(corpus, fusion, study.seeds[0])
            prints[_stage(f"runs of {fusion}", corpus)] = run.code
        score = fingerprint("avfusion.evaluation.score:score_corpus")
        prints[_stage("scores", corpus)] = score
    return prints


def scores(study: Study, layout: Layout) -> dict[str, dict[str, float]]:
    """Return `corpus: fusion` -> target -> mean test CCC over seeds; only ratings have a CCC."""
    means: dict[str, dict[str, float]] = {}
    for corpus in study.corpora:
        if study.task(corpus) != "ratings":
            continue
        table = read_table(layout.scores(corpus) / "scores.parquet")
        rows = table[(table["partition"] == "test") & (table["protocol"] == study.headline)]
        rows = rows.dropna(subset=["ccc"])
        for (fusion, target), mean in rows.groupby(["fusion", "target"])["ccc"].mean().items():
            means.setdefault(_stage(fusion, corpus), {})[target] = round(float(mean), 6)
    return means


def _stage(name: str, corpus: str) -> str:
    return f"{corpus}: {name}"


def _stages(corpus: str, study: Study, layout: Layout) -> Iterator[tuple[str, str]]:
    manifest = read_table(layout.manifest(corpus))
    yield _stage("media files", corpus), _listing(manifest, "sha256")
    card = json.loads(layout.card(corpus).read_text())
    yield _stage("manifest and gold", corpus), card["data_hash"]
    yield _stage("media records", corpus), _records(layout.media(corpus), manifest["video"])
    for name in study.all_features().encoders:
        if study.fitted(name):
            weights = layout.encoder(corpus, name) / WEIGHTS
            yield _stage(f"weights of {name}", corpus), tensors_digest(weights)
        index = read_table(layout.features(corpus, name) / "index.parquet")
        yield _stage(f"features of {name}", corpus), _listing(index, "sha256")
    for fusion in study.fusions:
        runs = {f"seed{seed}": layout.run(corpus, fusion, seed) / WEIGHTS for seed in study.seeds}
        digests = {seed: tensors_digest(path) for seed, path in runs.items()}
        yield _stage(f"runs of {fusion}", corpus), listing_digest(digests)
    scores = read_table(layout.scores(corpus) / "scores.parquet")
    yield _stage("scores", corpus), table_digest(scores)


def _listing(table: pd.DataFrame, column: str) -> str:
    """Return the digest of the rows' digests, by video; those on disk are not computed again."""
    rows = table.sort_values("video")
    return listing_digest(dict(zip(rows["video"], rows[column], strict=True)))


def _records(folder: Path, videos: pd.Series) -> str:
    """Return the digest of faces, sound and tables of all media records."""
    digests = {}
    for video in sorted(videos):
        record = folder / video
        meta = json.loads((record / "meta.json").read_text())
        digest = hashlib.sha256(json.dumps({**meta, "key": None}, sort_keys=True).encode())
        for path in filter(Path.is_file, (record / name for name in _ARRAYS)):
            digest.update(file_digest(path))
        for path in filter(Path.is_file, (record / name for name in _TABLES)):
            digest.update(table_digest(read_table(path)).encode())
        digests[video] = digest.hexdigest()
    return listing_digest(digests)


def _on_numbers(document: dict[str, Any]) -> dict[str, Any]:
    """Return the settings as one level of keys, without places of corpora."""
    entries = document.get("corpora", {})
    kept = {
        name: {key: value for key, value in entry.items() if key not in _OF_A_PLACE}
        for name, entry in entries.items()
    }
    return dict(_flat({**document, "corpora": kept}))


def _flat(document: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield `section.key` and value of a nested mapping; an empty mapping is a value."""
    for key, value in document.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value
