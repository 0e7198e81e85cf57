"""Settings and predictions of a run, given only if they are whole and belong together."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.errors import CorpusError, DamagedError
from avfusion.io.atomic import file_digest
from avfusion.io.shards import read_table
from avfusion.io.stamped import listing_digest, read_sealed, read_stamped, weights_digest
from avfusion.layout import Layout
from avfusion.schemas import SEES

WEIGHTS, EPOCHS = "best.safetensors", "epochs.csv"


def predictions(folder: Path) -> Path:
    """The run's predictions: classes.parquet of a run on classes, else traces.parquet."""
    named = folder / "classes.parquet"
    return named if named.is_file() else folder / "traces.parquet"


def train_command(folder: Path) -> str:
    """The command that makes a run folder again (`Layout.run` or `grid_run`)."""
    seed = folder.name.removeprefix("seed")
    if "grids" in folder.parts[-5:-4]:
        corpus, fusion, point = folder.parts[-4:-1]
        return f"avf train {corpus} {fusion} --point '{point}' --seed {seed}"
    return f"avf train {folder.parts[-3]} {folder.parts[-2]} --seed {seed}"


def read_settings(folder: Path) -> dict[str, Any]:
    """settings.json of a run; refuses one that was edited since training wrote it."""
    mend = f"Run `{train_command(folder)}`: what is trained is kept, the file is written again."
    return read_sealed(folder / "settings.json", mend)


def read_traces(folder: Path, own: dict[str, Any]) -> pd.DataFrame:
    """Predictions of the run of settings `own`; refuses an edited one and other weights'."""
    path, weights, epochs = predictions(folder), folder / WEIGHTS, folder / EPOCHS
    mend = f"Write it again: `avf infer {folder}`, or `{train_command(folder)}`."
    table, origin = read_stamped(path, mend)
    if origin.get("run") != own.get("run"):
        raise DamagedError(f"{path}: made under other settings than settings.json says. {mend}")
    if weights.is_file() and weights_digest(weights) != origin.get("weights"):
        raise DamagedError(f"{path}: made by other weights than {weights.name} holds now. {mend}")
    if "epochs" in origin and file_digest(epochs).hex() != origin["epochs"]:
        raise DamagedError(f"{epochs}: edited since it was written. Run `{train_command(folder)}`.")
    return table


def refuse_other_inputs(own: dict[str, Any], data_hash: str, folder: Path, layout: Layout) -> None:
    """A run says which data and features it was made from; what is here now may be others."""
    name, again = own["corpus"], f"Run `{train_command(folder)}`."
    found = own.get("data_hash", data_hash)
    if found != data_hash:
        raise CorpusError(
            f"{folder}: made from data {found[:12]}, but {name} now is {data_hash[:12]} "
            f"(corpus.json). {again}"
        )
    trained = own.get("inputs", {}).get("features", {})
    now = features_now(own, layout) if trained else {}
    for encoder in (encoder for encoder in trained if trained[encoder] != now[encoder]):
        raise CorpusError(
            f"{folder}: trained on features {encoder} {trained[encoder][:12]}, but those on disk "
            f"now are {now[encoder][:12]}. {again}"
        )


def features_now(own: dict[str, Any], layout: Layout) -> dict[str, str]:
    """What `inputs.features` of a run's settings would be with the features on disk now."""
    names = [name for part in own["features"].values() for name in part]
    paths = {name: layout.features(own["corpus"], name) / "index.parquet" for name in names}
    lost = [path for path in paths.values() if not path.is_file()]
    if lost:
        raise CorpusError(
            f"{lost[0]}: no such index, so nobody can tell whether runs of {own['corpus']} are of "
            f"the features that are here. Run `snakemake all`."
        )
    tables = {name: read_table(path).set_index("video") for name, path in paths.items()}
    have = [set(table.index[table["status"] == "ok"]) for table in tables.values()]
    manifest = read_table(layout.manifest(own["corpus"]), columns=["video", "partition"])
    seen = manifest["partition"].isin(SEES) if "point" in own else manifest["video"].notna()
    videos = sorted(set.intersection(set(manifest["video"][seen]), *have))
    parts = {name: {v: table.loc[v, "sha256"] for v in videos} for name, table in tables.items()}
    return {name: listing_digest(part) for name, part in parts.items()}


def run_folder(own: dict[str, Any], layout: Layout) -> Path:
    """Where the run of these settings lies: below runs/, a grid point below grids/."""
    name = own["corpus"], own["fusion"]
    if "point" in own:
        return layout.grid_run(*name, own["point"], own["seed"])
    return layout.run(*name, own["seed"])


def command(own: dict[str, Any]) -> str:
    """The command that trains the run of these settings."""
    point = f" --point '{own['point']}'" if "point" in own else ""
    return f"avf train {own['corpus']} {own['fusion']}{point} --seed {own['seed']}"


def failure(folder: Path) -> str:
    """What a run's failed.json says, reason first, then what to do; empty where there is none."""
    path = folder / "failed.json"
    if not path.is_file():
        return ""
    said = json.loads(path.read_text())
    return f"failed: {said['reason']} {said['next']}"


def predicts(folder: Path) -> bool:
    """Whether the run is finished and did not fail."""
    return predictions(folder).is_file() and not failure(folder)
