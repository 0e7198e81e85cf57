"""Check a corpus folder and write the tables of a study (`avf verify`)."""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from avfusion.config.jobs import CorpusSettings
from avfusion.corpora.base import Corpus, build
from avfusion.corpora.check import Check, check
from avfusion.corpora.checks import common_checks, tree_checks, with_digests
from avfusion.corpora.tree.scan import read_tree
from avfusion.corpora.trials import trial_checks
from avfusion.corpora.wording import listed
from avfusion.errors import CorpusError
from avfusion.io.atomic import write_text
from avfusion.io.cells import safe_csv, visible
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.schemas import GOLD, JUDGED, LABELS, TRIALS, TRUTH, VOTES

log = logging.getLogger(__name__)


def verify(name: str, settings: CorpusSettings, layout: Layout) -> int:
    """Check a corpus folder and write its tables below `layout`.

    A corpus that fails leaves only absent.txt, checks.csv and fingerprints.parquet, so that no
    later stage can start from it. Nothing is written to the corpus folder.

    Parameters
    ----------
    name
        Name of the entry in the study.
    settings
        Class, root and options of the corpus.
    layout
        Paths of the results.

    Returns
    -------
    int
        Exit code: 1 if a check fails, else 0.
    """
    corpus = build(name, settings)
    corpus.cache = layout.verified(name)
    tables, checks = _examine(corpus, layout.fingerprints(name))
    write_text(layout.absent(name), _absent(corpus, tables))
    write_text(layout.checks(name), safe_csv(pd.DataFrame([asdict(c) for c in checks])))
    outputs = {
        "manifest": layout.manifest(name),
        "gold": layout.gold(name),
        "labels": layout.labels(name),
        "truth": layout.truth(name),
        "votes": layout.votes(name),
        "trials": layout.trials(name),
    }
    failed = [line.name for line in checks if line.verdict == "FAIL"]
    if failed:
        for path in (*outputs.values(), layout.card(name)):
            path.unlink(missing_ok=True)
        _print_checks(checks)
        failures = f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}"
        log.error("%s: %s", name, failures)
        return 1
    for table, path in outputs.items():
        write_table(tables[table], path)
    card = corpus.card()
    card["data_hash"] = _data_hash(tables, card["delay_s"])
    write_text(layout.card(name), json.dumps(card, indent=2) + "\n")
    _print_checks(checks)  # after the tables: the reader of the output may end before
    if speakers := card.get("speakers_shared"):
        log.warning(
            "%s: utterances were split at random and all %d speakers are in every partition. "
            "Scores do not measure performance on new speakers.",
            name,
            speakers,
        )
    warnings = sum(line.verdict == "WARN" for line in checks)
    summary = f"{len(checks)} checks, none failed, {warnings} warning{'' if warnings == 1 else 's'}"
    log.info("%s: %d videos, %s", name, len(tables["manifest"]), summary)
    return 0


def _print_checks(checks: list[Check]) -> None:
    """Print the checks; they are the result of the command, not its log."""
    for line in checks:
        hint = f" {line.hint}" if line.hint else ""
        expected = f"(expected {line.expected}; {line.certainty})"
        print(visible(f"{line.verdict}  {line.name}: {line.found} {expected}{hint}"), flush=True)


def _examine(corpus: Corpus, fingerprints: Path) -> tuple[dict[str, pd.DataFrame], list[Check]]:
    """Return the tables of a corpus and all checks; an unreadable folder is one failed check."""
    if not corpus.root.is_dir():
        problem = f"no folder {corpus.root}"
        return {}, [check("folder", False, "the corpus folder", problem, corpus.obtain)]
    cache = corpus.cache / "digests.bin"
    corpus.tree = read_tree(corpus.root, cache, corpus.fingerprint_files, corpus.outside_links)
    checks = [*tree_checks(corpus, corpus.tree.write(fingerprints))]
    if corpus.tree.outside:  # nothing behind them is read, quoted or hashed
        return {}, checks
    try:
        gold = corpus.gold()[[*GOLD, *corpus.targets]]
        tables = {
            "manifest": with_digests(corpus.videos(), corpus),
            "gold": gold.sort_values(["video", "time_s"], kind="stable", ignore_index=True),
            "labels": corpus.labels()[list(LABELS)].sort_values("video", ignore_index=True),
            "truth": corpus.truth()[list(TRUTH)],
            "votes": corpus.votes()[list(VOTES)].sort_values(["clip", "modality"]),
            "trials": corpus.trials()[list(TRIALS)],
        }
    except CorpusError as error:
        return {}, [*checks, check("tree", False, "a readable tree", error, corpus.obtain)]
    checks += [*common_checks(corpus, gold, tables), *_vote_checks(corpus, tables["votes"])]
    checks += trial_checks(tables["trials"], tables["manifest"])
    return tables, [*checks, *corpus.checks()]


def _vote_checks(corpus: Corpus, votes: pd.DataFrame) -> Iterator[Check]:
    """Yield whether human votes, if there are any, can be counted."""
    if not len(votes):
        return
    off = ~votes["modality"].isin(JUDGED) | ~votes["emotion"].isin(corpus.classes)
    off |= (votes["right"] < 0) | (votes["right"] > votes["responses"])
    off |= votes.duplicated(["clip", "modality"], keep=False)
    names = sorted(set(votes.loc[off, "clip"].astype(str)))
    yield check(
        "human votes", not names,
        f"one row per video and modality ({', '.join(JUDGED)}), an emotion of the classes, and "
        "right from 0 to responses",
        listed(names) or f"{len(votes):,} rows of {votes['clip'].nunique():,} videos",
        f"Correct the votes of these videos. {corpus.obtain}",
    )  # fmt: skip


def _absent(corpus: Corpus, tables: dict[str, pd.DataFrame]) -> str:
    """Return every missing file, one per line: what to request from the owners of the corpus."""
    if not tables:
        return ""
    missing = tables["manifest"].loc[tables["manifest"]["sha256"].isna(), "path"]
    return "".join(f"{name}\n" for name in sorted({*missing, *corpus.missing()}))


def _data_hash(tables: dict[str, pd.DataFrame], delay_s: dict[str, float]) -> str:
    """Return a SHA-256 over the manifest, gold, delays, and labels and trials (if any)."""
    digest = hashlib.sha256(json.dumps(delay_s, sort_keys=True).encode())
    some = [name for name in ("labels", "trials") if len(tables[name])]
    for name in ("manifest", "gold", *some):
        table = tables[name]
        digest.update(table.to_csv(index=False).encode())
    return digest.hexdigest()
