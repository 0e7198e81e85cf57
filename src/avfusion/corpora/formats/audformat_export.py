"""Write a verified corpus as an audformat database: db.yaml, db.files.csv and db.ratings.csv.

Videos are not copied. Paths are relative to the root of the corpus; the files can be moved there.
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
    """Write a database; db.yaml is written last, so that a partial folder is no database.

    Each rating becomes a segment from its instant to the next.

    Parameters
    ----------
    corpus
        Name of the verified corpus.
    layout
        Paths of the results.
    folder
        Folder of the database.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    CorpusError
        If the corpus is not verified, or if two of its videos are one file (one per person), which
        audformat cannot express.
    """
    for needed in (layout.manifest(corpus), layout.gold(corpus), layout.card(corpus)):
        if not needed.is_file():
            raise CorpusError(f"{needed}: no such file. Run `avf verify {corpus}`.")
    manifest, gold = read_table(layout.manifest(corpus)), read_table(layout.gold(corpus))
    card = json.loads(layout.card(corpus).read_text())
    twice = manifest["path"][manifest["path"].duplicated()]
    if len(twice):
        raise CorpusError(
            f"{corpus}: {twice.iloc[0]} is the file of two videos, but audformat indexes by file."
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
    texts = {
        folder / "db.files.csv": files.sort_values("file").to_csv(index=False),
        folder / "db.ratings.csv": ratings.to_csv(index=False),
        folder / "db.yaml": header,
    }
    for path, text in texts.items():
        write_text(path, text)
    return list(texts)


def _header(card: dict[str, Any]) -> dict[str, Any]:
    """Return the content of db.yaml, from the corpus' card."""
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
        # Read by `audformat.py`: ratings belong to the start of their segment and are delayed.
        "avfusion": {"segments": "instants", "delay_s": card["delay_s"]},
    }
