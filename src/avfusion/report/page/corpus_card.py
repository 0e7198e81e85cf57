"""Facts about a corpus in the page: its card, description, partitions and checks."""

import ast
from typing import Any

from avfusion.errors import AvfError
from avfusion.io.redact import plain, without_paths
from avfusion.registry import corpora as corpus_files
from avfusion.report.inputs import CorpusFiles, read

UNITS = {"_s": " (s)", "_hz": " (Hz)", "_px": " (px)", "_mb": " (MB)"}
OVER_TIME = ("targets", "range", "delay_s", "rating_hz")
"""Keys of corpus.json that mean nothing for a corpus without ratings."""


def card(files: CorpusFiles) -> dict[str, Any]:
    """Return corpus.json as facts, the description of the corpus, and its checks."""
    document = files.card()
    left_out = ("name", *(OVER_TIME if not document.get("targets", True) else ()))
    facts = {_label(k): _fact(v) for k, v in document.items() if k not in left_out}
    try:
        text = (
            ast.get_docstring(
                ast.parse(corpus_files.source(files.kind).read_text(encoding="utf-8"))
            )
            or ""
        )
    except AvfError:
        text = ""
    try:
        obtain = str(corpus_files.constant(files.kind, "obtain") or "")
    except (AvfError, ValueError):  # an unknown corpus, or not a literal
        obtain = ""
    checks = plain(
        read(files.layout.checks(files.corpus)).fillna("").astype(str).to_dict("records")
    )
    return {
        "facts": facts,
        "text": [block for block in text.split("\n\n") if block.strip()],
        "obtain": without_paths(obtain),
        "checks": len(checks),
        "doubts": [row for row in checks if row["verdict"] != "PASS"],
    }


def partitions(files: CorpusFiles) -> list[dict[str, Any]]:
    """Return videos and subjects of each partition, and how many subjects are also in train.

    If the manifest names no subjects, the card may state how many are in all partitions.
    """
    table = read(files.layout.manifest(files.corpus))
    if not len(table):
        return []
    stated = files.card().get("speakers_shared", "unknown")
    named = table["subject"].notna().any()
    train = set(table.loc[table["partition"] == "train", "subject"].dropna())
    return [
        {
            "name": name,
            "videos": len(rows),
            "subjects": rows["subject"].nunique() if named else stated,
            "shared": len(train & set(rows["subject"].dropna())) if named else stated,
        }
        for name, rows in table.groupby("partition", sort=False)
    ]


def _label(key: str) -> str:
    for suffix, unit in UNITS.items():
        key = key.removesuffix(suffix) + unit if key.endswith(suffix) else key
    return key.replace("_", " ")


def _fact(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_fact(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_fact(inner) for inner in value)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return without_paths(text.replace("`", ""))
