"""Record finished runs in MLflow from their files; no other job depends on it.

Training does not import MLflow. One process at a time writes. If the store is down, a warning names
the command that records later. Settings, numbers, tables, figures and weights are recorded; video
frames and face crops never are. See study.py for the content and store.py for its consistency.
"""

import json
import logging
import shlex
from pathlib import Path
from typing import Any

from avfusion.config.jobs import RecordSettings
from avfusion.errors import AvfError
from avfusion.io.atomic import write_text
from avfusion.layout import Layout
from avfusion.tracking.connection import SQLITE, address, opened, short
from avfusion.tracking.place import page_command
from avfusion.tracking.study import record_study, study_key

log = logging.getLogger(__name__)


def record_corpus(
    corpus: str, settings: RecordSettings | None, layout: Layout, store: str | None = None
) -> int:
    """Record the runs of a corpus, and write the result to results/mlflow.<corpus>.json.

    Parameters
    ----------
    corpus
        Name of the corpus.
    settings
        Runs of its fusions and seeds are current; None if all runs are.
    layout
        Paths of the results.
    store
        Tracking URI; by default $MLFLOW_TRACKING_URI, else the store of all studies.

    Returns
    -------
    int
        Always 0, because a study must not fail if its records do.
    """
    uri, shown = address(store, layout)
    result: dict[str, Any] = {"corpus": corpus, "store": shown}
    try:
        with opened(uri, corpus, layout) as records:
            result |= {"recorded": True, **record_study(records, settings, layout, uri)}
        log.info("%s: %d runs in %s, %d of them new", corpus, result["runs"], shown, result["new"])
        served = page_command(layout)
        log.info("%s: fusions by rank (`%s`): %s", corpus, served, result["view"])
    except AvfError as error:  # nothing to record, or results that are damaged
        result |= {"recorded": False, "reason": str(error)[:240]}
        _count(layout.results / f"mlflow.{corpus}.failures")
        log.warning("%s: not recorded: %s", corpus, error)
    except Exception as error:  # MLflow raises many kinds, and the study is complete without it
        reason = short(error, uri)
        result |= {"recorded": False, "reason": reason}
        _count(layout.results / f"mlflow.{corpus}.failures")
        log.warning(
            "%s: not recorded in %s (%s). The study is complete without it. When the store is "
            "back: avf record %s --results %s%s",
            *(corpus, shown, reason, corpus, shlex.quote(str(layout.results))),
            " --store URI" if store else "",
        )
    write_text(layout.results / f"mlflow.{corpus}.json", json.dumps(result) + "\n")
    return 0


def show_again(corpus: str, settings: RecordSettings, layout: Layout) -> bool:
    """Record a study that was recorded, if the store of this machine does not show it as it is now.

    After a switch to another branch, the store shows the study of the former branch: its runs are
    current, and its best model is registered. After a copy, the store may be absent.

    Returns
    -------
    bool
        Whether it was recorded again; False too if the store is down, which is logged.
    """
    path = layout.results / f"mlflow.{corpus}.json"
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if not earlier.get("recorded"):
        return False  # the workflow records it
    uri, shown = address(None, layout)
    there = not uri.startswith(SQLITE) or Path(uri.removeprefix(SQLITE)).is_file()
    if (
        there
        and earlier["store"] == shown
        and earlier.get("shows") == study_key(corpus, settings, layout)
    ):
        return False
    record_corpus(corpus, settings, layout)
    return bool(json.loads(path.read_text(encoding="utf-8"))["recorded"])


def _count(path: Path) -> None:
    """Count failed attempts; the workflow tries again if the count has changed.

    The count has its own file, because Snakemake removes the other one before it tries.
    """
    before = int(path.read_text(encoding="utf-8")) if path.is_file() else 0
    write_text(path, f"{before + 1}\n")
