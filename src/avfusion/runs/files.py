"""Read the settings and predictions of a run, after checking that they belong together."""

import json
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from pydantic import ValidationError

from avfusion.config.jobs import SCHEMA_VERSION, RunRecord, RunSettings
from avfusion.errors import CorpusError, DamagedError
from avfusion.io.atomic import file_digest
from avfusion.io.shards import read_table
from avfusion.io.stamped import listing_digest, read_sealed, read_stamped, weights_digest
from avfusion.layout import Layout
from avfusion.schemas import SEES

WEIGHTS, EPOCHS, SCALING = "best.safetensors", "epochs.csv", "scaling.csv"
STATE, FIT = "state.pt", "fit.json"
GATES, ATTENTION = "gates.parquet", "attention.parquet"
"""Written by `avf robust` into the folder of a run; training again removes them."""

T = TypeVar("T", bound=RunSettings)


def predictions(folder: Path) -> Path:
    """Return the file of a run's predictions: that of its task, else traces.parquet."""
    given = (folder / name for name in ("classes.parquet", "embeddings.parquet"))
    return next((path for path in given if path.is_file()), folder / "traces.parquet")


def train_command(folder: Path) -> str:
    """Return the command that makes a run folder again (`Layout.run` or `grid_run`)."""
    seed = folder.name.removeprefix("seed")
    if "grids" in folder.parts[-5:-4]:
        corpus, fusion, point = folder.parts[-4:-1]
        return f"avf train {corpus} {fusion} --point '{point}' --seed {seed}"
    return f"avf train {folder.parts[-3]} {folder.parts[-2]} --seed {seed}"


def read_settings(folder: Path) -> RunRecord:
    """Read settings.json of a run.

    Raises
    ------
    DamagedError
        If the file is missing, was edited after training, or is of another schema version.
    """
    path, command = folder / "settings.json", train_command(folder)
    remedy = f"Run `{command}`: it keeps what is trained and writes the file again."
    return checked(RunRecord, read_sealed(path, remedy), path, f"Run `{command}`.")


def checked(kind: type[T], document: dict[str, Any], path: Path, remedy: str) -> T:
    """Return settings as `kind`; `path` is the file that they come from.

    Raises
    ------
    DamagedError
        If they are of another schema version, or not settings of a run.
    """
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise DamagedError(
            f"{path}: written by another version of avfusion: schema version {version}, expected "
            f"{SCHEMA_VERSION}. {remedy}"
        )
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DamagedError(
            f"{path}: not the settings of a run: {place}: {first['msg']}. {remedy}"
        ) from None


def read_traces(folder: Path, record: RunRecord) -> pd.DataFrame:
    """Read the predictions of the run that `record` describes.

    Raises
    ------
    DamagedError
        If they were edited, or were made under other settings or by other weights.
    """
    path, weights, epochs = predictions(folder), folder / WEIGHTS, folder / EPOCHS
    remedy = f"Write it again: `avf infer {folder}`, or `{train_command(folder)}`."
    table, origin = read_stamped(path, remedy)
    if origin.get("run") != record.run:
        raise DamagedError(f"{path}: made under other settings than settings.json says. {remedy}")
    if weights.is_file() and weights_digest(weights) != origin.get("weights"):
        raise DamagedError(f"{path}: made by other weights than {weights.name} holds now. {remedy}")
    if "epochs" in origin and file_digest(epochs).hex() != origin["epochs"]:
        raise DamagedError(f"{epochs}: edited since it was written. Run `{train_command(folder)}`.")
    return table


def refuse_other_inputs(record: RunRecord, data_hash: str, folder: Path, layout: Layout) -> None:
    """Check that a run was trained on the data and the features that are here now.

    Parameters
    ----------
    record
        settings.json of the run.
    data_hash
        Hash of the corpus as it is now (corpus.json).
    folder
        Folder of the run, for the message.
    layout
        Paths of the study.

    Raises
    ------
    CorpusError
        If the data or the features of an encoder have changed.
    """
    name, remedy = record.corpus, f"Run `{train_command(folder)}`."
    if record.data_hash != data_hash:
        raise CorpusError(
            f"{folder}: made from data {record.data_hash[:12]}, but {name} now is "
            f"{data_hash[:12]} (corpus.json). {remedy}"
        )
    made = record.predicted or record.inputs.get("features", {})
    now = features_now(record, layout) if made else {}
    for encoder in (encoder for encoder in made if made[encoder] != now[encoder]):
        raise CorpusError(
            f"{folder}: trained on features {encoder} {made[encoder][:12]}, but those on disk "
            f"now are {now[encoder][:12]}. {remedy}"
        )


def features_now(settings: RunSettings, layout: Layout) -> dict[str, str]:
    """Return what a run's `predicted` would be with the features on disk now."""
    encoders = settings.features.encoders
    paths = {name: layout.features(settings.corpus, name) / "index.parquet" for name in encoders}
    missing = [path for path in paths.values() if not path.is_file()]
    if missing:
        raise CorpusError(
            f"{missing[0]}: no such index, so the features of the runs of {settings.corpus} cannot "
            f"be compared with those on disk. Run `snakemake all`."
        )
    tables = {name: read_table(path).set_index("video") for name, path in paths.items()}
    have = [set(table.index[table["status"] == "ok"]) for table in tables.values()]
    manifest = read_table(layout.manifest(settings.corpus), columns=["video", "partition"])
    at_point = settings.point is not None
    seen = manifest["partition"].isin(SEES) if at_point else manifest["video"].notna()
    videos = sorted(set.intersection(set(manifest["video"][seen]), *have))
    parts = {name: {v: table.loc[v, "sha256"] for v in videos} for name, table in tables.items()}
    return {name: listing_digest(part) for name, part in parts.items()}


def run_folder(settings: RunSettings, layout: Layout) -> Path:
    """Return the folder of a run: below runs/, or below grids/ for a grid point."""
    if settings.point is not None:
        return layout.grid_run(settings.corpus, settings.fusion, settings.point, settings.seed)
    return layout.run(settings.corpus, settings.fusion, settings.seed)


def failure(folder: Path) -> str:
    """Return the reason and the remedy from a run's failed.json; "" if the run did not fail."""
    path = folder / "failed.json"
    if not path.is_file():
        return ""
    content = json.loads(path.read_text())
    return f"failed: {content['reason']} {content['next']}"


def did_not_train(folder: Path) -> list[str]:
    """Return the reasons in a run's fit.json why it did not train; none if it has no such file."""
    path = folder / FIT
    return list(json.loads(path.read_text())["marks"]) if path.is_file() else []


def predicts(folder: Path) -> bool:
    """Return whether the run is finished and did not fail."""
    return predictions(folder).is_file() and not failure(folder)
