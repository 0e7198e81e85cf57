"""A scored study with planted differences, and claims checked on it."""

from pathlib import Path

import pandas as pd

from avfusion.evaluation.score import score_corpus
from avfusion.layout import Layout
from avfusion.literature import claims
from avfusion.literature.check_claims import check_claims
from avfusion.report.tables.claims import AREAS
from avfusion.report.tables.part import read_part
from support.synthetic_results import Plan, rewrite_traces, write_results

ROOT = Path(__file__).parents[2]
ERRORS = {
    "audio": 0.5,
    "video": 0.4,
    "concat": 0.3,
    "ca": 0.1,
    "jca": 0.28,
    "once": 0.45,
    "rjca": 0.3,
    "thrice": 0.1,
    "late": 0.1,
}
WORDS = {"says": "…", "source": "…", "corpora": []}
NO_AREAS = pd.DataFrame(columns=AREAS)


def planted(folder: Path):
    """Part, study and layout; `late` predicts what `ca` does, the other errors are those above."""
    layout = Layout(folder)
    study = write_results(layout, Plan(errors=ERRORS, seeds=(0, 1)))
    study.fusions["once"] = {"is": "rjca", "recursions": 1}
    study.fusions["thrice"] = {"is": "rjca", "recursions": 3}
    statistics = study.statistics.model_copy(update={"draws": 2048})
    study = study.model_copy(update={"statistics": statistics})
    for seed in (0, 1):
        ours, other = (layout.run("demo", name, seed) for name in ("ca", "late"))
        same = pd.read_parquet(ours / "traces.parquet")
        rewrite_traces(other / "traces.parquet", lambda _, same=same: same)
    score_corpus("demo", study.score_settings("demo"), layout)
    return read_part("demo", study, layout), study, layout


def checked(part, *given: dict, areas: pd.DataFrame = NO_AREAS, **whole) -> pd.DataFrame:
    """The rows of some claims, each given as its block in config/claims.yaml would be."""
    forms = {f"rjca_{n}": {"is": "rjca", "recursions": n} for n in (1, 2, 3, 4)}
    data = {"forms": forms, **whole}
    data["claims"] = [{"name": f"c{i}", **WORDS, **claim} for i, claim in enumerate(given)]
    read = claims.Claims.model_validate(data)
    return check_claims(part[0].scored, part[1], read, areas)


def is_better(first: str, *others: str) -> dict:
    return {"kind": "better", "better": first, "worse": list(others)}
