"""`avf verify`: from a corpus tree to the tables of a study, or to what is wrong with it."""

import hashlib
import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.corpora.base import Check, Corpus, build, check
from avfusion.corpora.checks import common_checks, tree_checks, with_digests
from avfusion.corpora.tree.scan import read_tree
from avfusion.errors import CorpusError
from avfusion.io.atomic import write_text
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.schemas import GOLD, LABELS, TRUTH

log = logging.getLogger(__name__)


def verify(name: str, own: dict[str, Any], layout: Layout) -> int:
    """Check a corpus tree and write its tables below `layout`; 1 if a check fails, else 0.

    own: the arguments of the corpus' class, and `is`, the class' name where it is not `name`.
    A failed corpus leaves checks.csv and fingerprints.parquet only, so that nothing goes on from
    it. Nothing is ever written to the corpus folder.
    """
    corpus = build(name, own)
    corpus.cache = layout.verified(name)
    tables, done = _examine(corpus, layout.fingerprints(name))
    write_text(layout.absent(name), _absent(corpus, tables))
    write_text(layout.checks(name), pd.DataFrame([asdict(c) for c in done]).to_csv(index=False))
    for line in done:
        level = logging.INFO if line.verdict == "PASS" else logging.WARNING
        hint = f" {line.hint}" if line.hint else ""
        sure = f"(expected {line.expected}; {line.certainty})"
        log.log(level, "%s  %s: %s %s%s", line.verdict, line.name, line.found, sure, hint)
    outputs = {
        "manifest": layout.manifest(name),
        "gold": layout.gold(name),
        "labels": layout.labels(name),
        "truth": layout.truth(name),
    }
    failed = [line.name for line in done if line.verdict == "FAIL"]
    if failed:
        for path in (*outputs.values(), layout.card(name)):
            path.unlink(missing_ok=True)
        log.error("%s: %d of %d checks failed: %s", name, len(failed), len(done), ", ".join(failed))
        return 1
    for table, path in outputs.items():
        write_table(tables[table], path)
    card = corpus.card()
    card["data_hash"] = _data_hash(tables, card["delay_s"])
    write_text(layout.card(name), json.dumps(card, indent=2) + "\n")
    warned = sum(line.verdict == "WARN" for line in done)
    if shared := card.get("speakers_shared"):
        log.warning(
            "%s: utterances were parted at random; all %d speakers are in all parts, so that its "
            "scores say little of a new speaker.", *(name, shared),
        )  # fmt: skip
    said = f"{len(done)} checks, none failed, {warned} warning{'' if warned == 1 else 's'}"
    log.info("%s: %d videos, %s", name, len(tables["manifest"]), said)
    return 0


def _examine(corpus: Corpus, out: Path) -> tuple[dict[str, pd.DataFrame], list[Check]]:
    """The corpus' tables and every check; a tree that cannot be read is one failed check."""
    if not corpus.root.is_dir():
        found = f"no folder {corpus.root}"
        return {}, [check("folder", False, "the corpus folder", found, corpus.obtain)]
    corpus.tree = read_tree(corpus.root, corpus.cache / "digests.bin", corpus.fingerprint_files)
    done = [*tree_checks(corpus, corpus.tree.write(out))]
    try:
        gold = corpus.gold()[[*GOLD, *corpus.targets]]
        tables = {
            "manifest": with_digests(corpus.videos(), corpus),
            "gold": gold.sort_values(["video", "time_s"], kind="stable", ignore_index=True),
            "labels": corpus.labels()[list(LABELS)].sort_values("video", ignore_index=True),
            "truth": corpus.truth()[list(TRUTH)],
        }
    except CorpusError as error:
        return {}, [*done, check("tree", False, "a readable tree", error, corpus.obtain)]
    return tables, [*done, *common_checks(corpus, gold, tables), *corpus.checks()]


def _absent(corpus: Corpus, tables: dict[str, pd.DataFrame]) -> str:
    """Every missing file, one a line: what to ask the corpus' owners for."""
    if not tables:
        return ""
    lost = tables["manifest"].loc[tables["manifest"]["sha256"].isna(), "path"]
    return "".join(f"{name}\n" for name in sorted({*lost, *corpus.missing()}))


def _data_hash(tables: dict[str, pd.DataFrame], delay_s: dict[str, float]) -> str:
    digest = hashlib.sha256(json.dumps(delay_s, sort_keys=True).encode())
    for name in ("manifest", "gold", *(["labels"] if len(tables["labels"]) else [])):
        table = tables[name]
        digest.update(table.to_csv(index=False).encode())
    return digest.hexdigest()
