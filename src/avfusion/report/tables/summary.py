"""Scores of every run, sentences for the README and the page, and the metrics that DVC shows."""

from typing import Any

from avfusion.config.baseline import REFERENCES
from avfusion.evaluation.scored import read_scores
from avfusion.metrics.sums import MEAN
from avfusion.report import format, sentences
from avfusion.report.elsewhere import elsewhere
from avfusion.report.tables.grids import budget
from avfusion.report.tables.part import Part, TableData

PLOTTED = ("corpus", "protocol", "target", "fusion", "mean", "low", "high")


def write_runs(data: TableData) -> None:
    """Write results/tables/runs.csv, the scores of every run under the study's protocols."""
    tables = []
    for part in data.parts:
        scores = read_scores(part.scored.corpus, data.layout)
        leaks = {rule.name: rule.leaks for rule in part.rules}
        rows = scores[scores["protocol"].isin(leaks)]
        tables.append(rows.assign(leaks=scores["protocol"].map(leaks)))
    format.write_csv(data.layout.tables / "runs.csv", format.join(tables))


def write_metrics(data: TableData) -> None:
    """Write metrics.json and ccc.csv for `dvc metrics show` and `dvc plots show`."""
    format.write_json(data.layout.metrics, {p.scored.corpus: _metrics(p) for p in data.parts})
    plotted = format.join([part.scores[list(PLOTTED)] for part in data.parts])
    format.write_csv(data.layout.plot, plotted)


def write_summary(data: TableData) -> None:
    """Write results/tables/summary.json, the findings as sentences."""
    corpora: dict[str, Any] = {part.scored.corpus: _summary(part, data) for part in data.parts}
    for gone in data.absent:
        corpora |= {name: {"sentences": [], "caveats": [], "best": []} for name in gone.names}
        corpora[gone.names[0]]["sentences"] = [f"{gone.title}: not run, {gone.why}."]
    every = [s for entry in corpora.values() for s in [*entry["sentences"], *entry["caveats"]]]
    document = {"sentences": every, "corpora": corpora}
    format.write_json(data.layout.tables / "summary.json", document)


def _metrics(part: Part) -> dict[str, Any]:
    """Return the best fusion, its score with interval, and what the baseline scores.

    `dvc metrics show` and `dvc exp show` have a column per number, so there are few.
    """
    rows = part.headline[part.headline["target"] == MEAN].set_index("fusion")
    fusions = rows[(rows["seeds"] > 0) & rows["mean"].notna() & ~rows.index.isin(REFERENCES)]
    if not len(fusions):
        return {}
    best = str(fusions["mean"].idxmax())
    metrics = {"best": best, **{f"score_{end}": fusions.loc[best, end] for end in ("low", "high")}}
    metrics["score"] = fusions.loc[best, "mean"]
    if "concat" in fusions.index:
        metrics["concat"] = fusions.loc["concat", "mean"]
    return metrics | {"fusions": ", ".join(fusions.index)}


def _summary(part: Part, data: TableData) -> dict[str, Any]:
    scored, study = part.scored, data.study
    stated = sentences.findings(
        scored, part.headline, (part.declared, part.mean_pairs), study, part.marks
    )
    return {
        "sentences": stated + elsewhere(study, scored.corpus, part.headline),
        "caveats": part.caveats(study) + budget(study),
        "header": sentences.header(scored, study),
        "protocol": scored.rule.name,
        "leaks": scored.rule.leaks,
        "partition": scored.partition,
        "videos": len(scored.videos),
        "missing": scored.missing,
        "best": part.tied,
        "did_not_train": part.marks.reasons,
    }
