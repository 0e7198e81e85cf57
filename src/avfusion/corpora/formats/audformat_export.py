"""A verified corpus as an audformat database: db.yaml, db.files.csv and db.ratings.csv.

No video is copied: paths are those below the corpus' root, where the folder can be laid.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from avfusion.errors import CorpusError
from avfusion.io.atomic import write_text
from avfusion.io.shards import read_table
from avfusion.layout import Layout


def write_database(corpus: str, layout: Layout, folder: Path) -> list[Path]:
    """The files written; db.yaml last, so that a half-written folder is no database.

    A rating is a segment from its instant to the next one's. Refuses a corpus of which two videos
    are one file (a person each), for audformat knows files alone.
    """
    for needed in (layout.manifest(corpus), layout.gold(corpus), layout.card(corpus)):
        if not needed.is_file():
            raise CorpusError(f"{needed}: no such file. Run `avf verify {corpus}`.")
    manifest, gold = read_table(layout.manifest(corpus)), read_table(layout.gold(corpus))
    card = json.loads(layout.card(corpus).read_text())
    twice = manifest["path"][manifest["path"].duplicated()]
    if len(twice):
        raise CorpusError(
            f"{corpus}: {twice.iloc[0]} is the file of two videos; audformat knows files alone."
        )
    files = manifest.rename(columns={"path": "file"})[["file", "partition", "subject", "video"]]
    rated = gold.merge(files[["file", "video"]], on="video").sort_values(
        ["file", "time_s"], ignore_index=True
    )
    step_s = 1 / card["rating_hz"]
    following = rated.groupby("file")["time_s"].shift(-1)
    end_s = np.where(following.isna(), rated["time_s"] + step_s, following)
    ratings = pd.DataFrame(
        {
            "file": rated["file"],
            "start": pd.to_timedelta(np.round(1e9 * rated["time_s"]).astype("int64"), unit="ns"),
            "end": pd.to_timedelta(np.round(1e9 * end_s).astype("int64"), unit="ns"),
            **{target: rated[target] for target in card["targets"]},
        }
    )
    header = yaml.safe_dump(_header(card), sort_keys=False, allow_unicode=True)
    made = {
        folder / "db.files.csv": files.sort_values("file").to_csv(index=False),
        folder / "db.ratings.csv": ratings.to_csv(index=False),
        folder / "db.yaml": header,
    }
    for path, text in made.items():
        write_text(path, text)
    return list(made)


def _header(card: dict[str, Any]) -> dict[str, Any]:
    """db.yaml, from the corpus' card."""
    low, high = card["range"]
    rated = {name: {"dtype": "float", "minimum": low, "maximum": high} for name in card["targets"]}
    text = {"dtype": "str"}
    labels = {"dtype": "str", "labels": ["train", "validation", "test"]}
    named = {name: {"scheme_id": name} for name in ("partition", "subject", "video")}
    scored = {name: {"scheme_id": name, "rater_id": "gold"} for name in card["targets"]}
    return {
        "name": card["name"],
        "source": "avf export",
        "usage": "other",
        "languages": [],
        "description": "Files, partitions and ratings as avfusion read them.",
        "license": card["licence"],
        "raters": {"gold": {"type": "other"}},
        "schemes": {**rated, "partition": labels, "subject": text, "video": text},
        "tables": {
            "files": {"type": "filewise", "columns": named},
            "ratings": {"type": "segmented", "columns": scored},
        },
        # Read by our own reader: a rating is that of its start, and late by so much.
        "avfusion": {"segments": "instants", "delay_s": card["delay_s"]},
    }
