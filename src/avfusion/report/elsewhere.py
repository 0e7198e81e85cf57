"""Scores of the demo study under other arithmetic, which stands for other machines.

`benchmarks/other_machine.py` measures them and writes `FILE`. The tables and the page of a study
with the same settings state them next to its own scores.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from avfusion.config.study import Study
from avfusion.io.stamped import read_sealed, write_sealed
from avfusion.lineage import digests
from avfusion.metrics.sums import MEAN
from avfusion.report.format import and_list

FILE = Path("config/demo_elsewhere.json")
"""Mean CCC of each fusion of the study in config/config.yaml, by kind of arithmetic."""
REMEDY = "Restore the file, or run: python benchmarks/other_machine.py"


def write_elsewhere(
    study: Study, scores: Mapping[str, Mapping[str, float]], path: Path | None = None
) -> None:
    """Write `FILE`.

    Parameters
    ----------
    study
        The study on this machine.
    scores
        Kind of arithmetic -> fusion -> mean CCC.
    path
        Where to write, by default `FILE`.
    """
    write_sealed(path or FILE, {"settings": digests.settings(study), "scores": dict(scores)})


def elsewhere(
    study: Study, corpus: str, table: pd.DataFrame, path: Path | None = None
) -> list[str]:
    """Return what another machine gives, as sentences; none if it was not measured.

    Parameters
    ----------
    study, corpus
        The study must have the settings that were measured, and this corpus alone.
    table
        Its estimates under the headline protocol.
    path
        The file, by default `FILE`.

    Raises
    ------
    DamagedError
        If the file was edited.
    """
    path = path or FILE
    if list(study.corpora) != [corpus] or not path.is_file():
        return []
    recorded = read_sealed(path, REMEDY)
    if digests.changed(recorded["settings"], study):
        return []
    rows = table[(table["target"] == MEAN) & table["mean"].notna()].set_index("fusion")
    kinds: dict[str, list[str]] = {}
    outside: set[str] = set()
    for kind, scores in recorded["scores"].items():
        shown = {name: scores[name] for name in rows.index if name in scores}
        listed = ", ".join(f"{name} {value:.3f}" for name, value in shown.items())
        kinds.setdefault(listed, []).append(kind)
        for name, value in shown.items():
            if not rows.loc[name, "low"] <= value <= rows.loc[name, "high"]:
                outside.add(name)
    parts = "; ".join(
        f"{listed} (processor arithmetic: {and_list(names)})" for listed, names in kinds.items()
    )
    kept = f"{and_list(sorted(outside))} outside" if outside else "each inside"
    return [f"Another machine gives {parts}, {kept} the interval of this one."]
