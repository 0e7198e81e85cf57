"""A study with results as files, and its report."""

import shutil

import pandas as pd

from avfusion.config.sections import CorpusEntry
from avfusion.evaluation.score import score_corpus
from avfusion.layout import Layout
from avfusion.report.tables.write import write_tables
from support.synthetic_results import Plan, write_results


def reported(folder, names, corpora=("demo",), lost=()):
    """A scored and tabled synthetic study with training curves; `lost` runs were never made."""
    layout = Layout(folder)
    errors = {name: 0.1 + 0.04 * i for i, name in enumerate(names)}
    plan = Plan(errors=errors, seeds=(0, 1), videos={"train": 3, "validation": 3, "test": 5},
                failed=("test_04",))  # fmt: skip
    study = write_results(layout, plan)
    statistics = study.statistics.model_copy(update={"draws": 200})
    study = study.model_copy(update={"statistics": statistics})
    for name in names:
        for seed in plan.seeds:
            epochs = pd.DataFrame({"epoch": [1, 2, 3], "loss": [0.9, 0.5, 0.4 + 0.1 * seed]})
            epochs["score"] = [0.1, 0.5, 0.3]
            epochs.to_csv(layout.run("demo", name, seed) / "epochs.csv", index=False)
    for run in lost:
        shutil.rmtree(layout.run("demo", *run))
    score_corpus("demo", study.score_settings("demo"), layout)
    entries = {name: CorpusEntry(root=f"data/{name}") for name in corpora}
    study = study.model_copy(update={"corpora": study.corpora | entries})
    write_tables(study, layout)
    return study, layout
