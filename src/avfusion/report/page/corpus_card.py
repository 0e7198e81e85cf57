"""What the page says of a corpus itself: its card, its own words, its partitions, its checks."""

import ast
from typing import Any

from avfusion.errors import AvfError
from avfusion.io.redact import plain, without_paths
from avfusion.registry import corpora as corpus_files
from avfusion.report.inputs import CorpusFiles, read

UNITS = {"_s": " (s)", "_hz": " (Hz)", "_px": " (px)", "_mb": " (MB)"}


def card(files: CorpusFiles) -> dict[str, Any]:
    """corpus.json as lines, what the corpus' own file says of itself, and what verifying found."""
    own = files.card()
    over_time = {"targets", "range", "delay_s", "rating_hz"} if not own.get("targets", True) else ()
    facts = {_label(k): _fact(v) for k, v in own.items() if k != "name" and k not in over_time}
    try:
        text = ast.get_docstring(ast.parse(corpus_files.source(files.kind).read_text())) or ""
    except AvfError:
        text = ""
    try:
        obtain = str(corpus_files.constant(files.kind, "obtain") or "")
    except (AvfError, ValueError):  # unknown here, or not a plain text
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


def _label(key: str) -> str:
    for suffix, unit in UNITS.items():
        key = key.removesuffix(suffix) + unit if key.endswith(suffix) else key
    return key.replace("_", " ")


def _fact(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_fact(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_fact(inner) for inner in value)
    return without_paths(f"{value:g}" if isinstance(value, float) else str(value))


def partitions(files: CorpusFiles) -> list[dict[str, Any]]:
    """Videos and subjects of each partition, and how many of those are also in train.

    Where the corpus does not name its subjects, the card may still say how many are everywhere.
    """
    rows = read(files.layout.manifest(files.corpus))
    if not len(rows):
        return []
    told = files.card().get("speakers_shared", "unknown")
    named = rows["subject"].notna().any()
    train = set(rows.loc[rows["partition"] == "train", "subject"].dropna())
    return [
        {
            "name": name,
            "videos": len(own),
            "subjects": own["subject"].nunique() if named else told,
            "shared": len(train & set(own["subject"].dropna())) if named else told,
        }
        for name, own in rows.groupby("partition", sort=False)
    ]
