"""A small study run to its end on corrupted input: trained fusions, planted spans, tables."""

from typing import Any

import pandas as pd

from avfusion.config.sections import CorpusEntry, FeatureSettings, StatisticsSettings
from avfusion.config.study import Study
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.report.tables.write import write_tables
from avfusion.robustness.attention import write_attention
from avfusion.robustness.gate_weights import write_gates
from avfusion.robustness.stage import robust_corpus
from avfusion.runs.train import train_run
from support.synthetic_features import Plan, write_inputs

LEVELS = {"audio_missing": [0.3, 0.9], "video_missing": [0.5], "audio_late": [0.64],
          "audio_feature_noise": [0.5]}  # fmt: skip
FUSIONS: dict[str, dict[str, Any]] = {
    "audio": {}, "video": {}, "concat": {}, "dca": {"wraps": "ca"},
    "dca_random": {"is": "dca", "wraps": "ca", "gate": "random"},
    "dca_fixed": {"is": "dca", "wraps": "ca", "gate": "fixed"},
}  # fmt: skip


def make(layout: Layout, fusions: list[str] | None = None, **given: Any) -> Study:
    """Write inputs and spans, train every fusion a little; returns the study."""
    plan = Plan(videos={"train": 4, "validation": 2, "test": 4}, duration_s=16.0)
    write_inputs(layout, plan)
    spans = [(v, *span) for v, part in plan.names() for span in _spans(v) if part == "test"]
    columns = ["video", "start_s", "end_s", "modality", "kind"]
    write_table(pd.DataFrame(spans, columns=columns), layout.truth(plan.corpus))
    chosen = {name: FUSIONS[name] | {"train": {"epochs": 3}} for name in fusions or FUSIONS}
    settings = {
        "corpora": {plan.corpus: CorpusEntry(root="data/toy")}, "fusions": chosen,
        "features": FeatureSettings(audio=["ear"], video=["eye"]), "seeds": [0, 1],
        "robustness": LEVELS, "protocols": ["pooled"],
        "statistics": StatisticsSettings(draws=300),
    }  # fmt: skip
    study = Study(**{**settings, **given})
    for fusion in study.fusions:
        for seed in study.seeds:
            train_run(study.run_settings(plan.corpus, fusion, seed), layout)
    return study


def corrupt(study: Study, layout: Layout) -> pd.DataFrame:
    """Run `avf robust` and the tables that follow; returns robustness.csv."""
    for corpus in study.corpora:
        robust_corpus(corpus, study.robust_settings(), layout)
        write_gates(corpus, study.robust_settings(), layout)
        write_attention(corpus, study.robust_settings(), layout)
    write_tables(study, layout, ["robustness", "areas", "losses", "gates"])
    return pd.read_csv(layout.tables / "robustness.csv")


def _spans(video: str) -> list[tuple[float, float, str, str]]:
    shift = 0.5 * int(video[-1])
    return [(2 + shift, 5 + shift, "audio", "muted"), (8 + shift, 11 + shift, "video", "covered")]
