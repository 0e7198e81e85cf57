"""Tables of a study: scores, comparisons, protocols and runs as CSV, Markdown, LaTeX and JSON."""

from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.availability import Absence
from avfusion.config.tasks import scoped
from avfusion.evaluation import estimates
from avfusion.layout import Layout
from avfusion.lineage.tables import write_origins
from avfusion.metrics.sums import MEAN
from avfusion.report import format, sentences
from avfusion.report.absent import absences
from avfusion.report.format import estimate, latex, markdown, number
from avfusion.report.inputs import printed
from avfusion.report.tables.claims import write_claims
from avfusion.report.tables.classes import write_classes
from avfusion.report.tables.folds import write_folds
from avfusion.report.tables.gates import write_gates
from avfusion.report.tables.grids import budget, write_grids
from avfusion.report.tables.part import Part, error_words, read_part
from avfusion.report.tables.published import write_published
from avfusion.report.tables.robustness import write_robustness

PLOTTED = ("corpus", "protocol", "target", "fusion", "mean", "low", "high")


def write_tables(study: dict[str, Any], layout: Layout) -> None:
    """Write every table of the study below `layout.tables`; a corpus without scores says so.

    study: `Study.model_dump()`. Reads only `layout.scores(corpus)`.
    """
    scored = {c: estimates.read_scores(c, layout) for c in study["corpora"]}
    parts = [read_part(c, study, layout) for c in study["corpora"] if len(scored[c])]
    absent = absences([c for c in scored if not len(scored[c])], study, layout)
    _write_scores(parts, absent, study, layout)
    _write_comparisons(parts, absent, study, layout)
    _write_protocols(parts, absent, layout)
    write_classes(parts, study, layout)
    write_folds(parts, study, layout)
    write_robustness(study, layout)  # before the claims and published numbers, which read it
    write_gates(study, layout)
    write_grids(study, layout)
    write_claims(parts, absent, study, layout)
    write_published(parts, study, layout)
    runs = [_stamped(scored[part.scored.corpus], part) for part in parts]
    format.write_csv(layout.tables / "runs.csv", _join(runs))
    metrics = {part.scored.corpus: _metrics(part) for part in parts}
    format.write_json(layout.metrics, metrics)
    format.write_csv(layout.plot, _join([part.scores[list(PLOTTED)] for part in parts]))
    format.write_json(layout.tables / "summary.json", _summary(parts, absent, study))
    write_origins(study, layout)


def _write_scores(
    parts: list[Part], absent: list[Absence], study: dict[str, Any], layout: Layout
) -> None:
    shown, typeset, rows = [], [], []
    for part in parts:
        corpus, said = part.scored.corpus, sentences.header(part.scored, study)
        said += f" {sentences.bold(part.tied)}"
        cells = [_wide_cells(part, name, study) for name in part.order]
        words = list(printed(part.scored.names).values())
        head = ["fusion", *(f"{word} {part.scored.rule.metric}" for word in words)]
        shown += [f"## {corpus}", said, markdown(head, cells)]
        shown += error_words(part, layout)
        shown += sentences.caveats(part.scored, study, len(part.mean_pairs)) + budget(study)
        head = ["fusion", f"{words[0]} {part.scored.rule.metric}", "interval", *words[1:]]
        cells = [_slim_cells(part, name, study) for name in part.order]
        typeset.append(latex(head, cells, said, f"scores-{corpus}"))
        headline = part.scores["protocol"] == part.scored.rule.name
        best = part.scores["fusion"].isin(part.tied).astype("boolean").where(headline)
        rows.append(part.scores.assign(best=best))
    rows += [_not_run(name, study, layout) for gone in absent for name in gone.names]
    shown += sentences.not_run(absent)
    format.write_csv(layout.tables / "scores.csv", _join(rows))
    format.write_csv(layout.tables / "scores_validation.csv", _join([p.validation for p in parts]))
    format.write_page(layout.tables / "scores.md", "Scores", shown)
    format.write_text(layout.tables / "scores.tex", "\n".join(typeset))


def _write_comparisons(
    parts: list[Part], absent: list[Absence], study: dict[str, Any], layout: Layout
) -> None:
    head = ["pair", "difference", "p", "p (Holm)", "p (seeds)", "verdict"]
    shown, typeset = [], []
    for part in parts:
        corpus = part.scored.corpus
        shown += [f"## {corpus}"]
        if not len(part.pairs):
            shown += ["One fusion, nothing to compare."]
            continue
        said = sentences.comparison_header(part.scored, study)
        cells = [_pair_cells(row) for row in part.mean_pairs.itertuples()]
        shown += [said, markdown(head, cells)]
        shown += sentences.caveats(part.scored, study, len(part.mean_pairs)) + budget(study)
        typeset.append(latex(head, cells, said, f"comparisons-{corpus}"))
    shown += sentences.not_run(absent)
    format.write_csv(layout.tables / "comparisons.csv", _join([p.pairs for p in parts]))
    format.write_page(layout.tables / "comparisons.md", "Comparisons", shown)
    format.write_text(layout.tables / "comparisons.tex", "\n".join(typeset))


def _write_protocols(parts: list[Part], absent: list[Absence], layout: Layout) -> None:
    """The same predictions under each protocol: mean CCC and the rank it gives."""
    shown, rows = [], []
    for part in parts:
        mean = part.scores[part.scores["target"] == "mean"].copy()
        ranks = mean.groupby("protocol")["mean"].rank(ascending=False, method="min")
        mean["rank"] = ranks.astype("Int64")
        rows.append(mean[["corpus", "partition", "fusion", "protocol", "leaks", "mean", "rank"]])
        at = mean.set_index(["fusion", "protocol"])
        cells = [
            [name, *(_ranked(at.loc[(name, rule.name)]) for rule in part.rules)]
            for name in part.order
        ]
        shown += [f"## {part.scored.corpus}", sentences.protocol_header(part.scored)]
        shown += [markdown(["fusion", *(rule.stamp for rule in part.rules)], cells)]
        shown += ["\n".join(f"- {rule.stamp}: {rule.description}" for rule in part.rules)]
    shown += sentences.not_run(absent)
    format.write_csv(layout.tables / "protocols.csv", _join(rows))
    format.write_page(layout.tables / "protocols.md", "Protocols", shown)


def _wide_cells(part: Part, name: str, study: dict[str, Any]) -> list[str]:
    """Name, then each target as mean ± sd [interval]."""
    rows = part.headline[part.headline["fusion"] == name].set_index("target")
    if not rows.loc["mean", "seeds"]:
        return [
            name,
            sentences.absence(rows.loc["mean", "note"]),
            *[""] * (len(printed(part.scored.names)) - 1),
        ]
    columns = ["mean", "low", "high", "sd"]
    values = [rows.loc[t, columns].to_list() for t in printed(part.scored.names)]
    cells = [estimate(*value) for value in values]
    return _emphasised(part, name, cells, int(rows.loc["mean", "seeds"]), study)


def _slim_cells(part: Part, name: str, study: dict[str, Any]) -> list[str]:
    """Name, mean ± sd, its interval, each target ± sd: what fits a printed page."""
    rows = part.headline[part.headline["fusion"] == name].set_index("target")
    at = printed(part.scored.names)
    if not rows.loc["mean", "seeds"]:
        return [name, sentences.absence(rows.loc["mean", "note"]), *[""] * len(at)]
    short = [estimate(rows.loc[t, "mean"], sd=rows.loc[t, "sd"]) for t in at]
    ends = format.ends(rows.loc["mean", "low"], rows.loc["mean", "high"])
    cells = [short[0], ends, *short[1:]]
    return _emphasised(part, name, cells, int(rows.loc["mean", "seeds"]), study)


def _emphasised(
    part: Part, name: str, cells: list[str], seeds: int, study: dict[str, Any]
) -> list[str]:
    """Bold name and mean for the best fusion and its equals; seeds where some are lost."""
    few = f" ({sentences.of_seeds(seeds, study)})" if seeds < len(study["seeds"]) else ""
    if name not in part.tied:
        return [name + few, *cells]
    return [f"**{name}**{few}", f"**{cells[0]}**", *cells[1:]]


def _pair_cells(row: Any) -> list[str]:
    size = estimate(row.difference, row.low, row.high)
    p = [number(row.p), number(row.p_holm), number(row.p_seeds)]
    return [f"{row.fusion} − {row.other}", size, *p, sentences.short_verdict(row)]


def _ranked(row: pd.Series) -> str:
    return f"{number(row['mean'])} ({row['rank']})" if np.isfinite(row["mean"]) else "not run"


def _metrics(part: Part) -> dict[str, Any]:
    """Fusion -> each target, mean, and the interval of the mean, for `dvc metrics show`."""
    found = {}
    for name, rows in part.headline.groupby("fusion", sort=True):
        by = rows.set_index("target")
        ends = {end: by.loc["mean", end] for end in ("low", "high")}
        found[name] = {target: by.loc[target, "mean"] for target in part.scored.targets} | ends
    return found


def _summary(parts: list[Part], absent: list[Absence], study: dict[str, Any]) -> dict[str, Any]:
    """Sentences for README and page, over all corpora and for each."""
    corpora: dict[str, Any] = {}
    for part in parts:
        scored = part.scored
        corpora[scored.corpus] = {
            "sentences": sentences.findings(scored, part.headline, part.mean_pairs, study),
            "caveats": sentences.caveats(scored, study, len(part.mean_pairs)) + budget(study),
            "header": sentences.header(scored, study),
            "protocol": scored.rule.name,
            "leaks": scored.rule.leaks,
            "partition": scored.partition,
            "videos": len(scored.videos),
            "missing": scored.missing,
            "best": part.tied,
        }
    for gone in absent:
        said = [f"{gone.title}: not run, {gone.why}."]
        corpora |= {name: {"sentences": [], "caveats": [], "best": []} for name in gone.names}
        corpora[gone.names[0]]["sentences"] = said
    every = [s for found in corpora.values() for s in [*found["sentences"], *found["caveats"]]]
    return {"sentences": every, "corpora": corpora}


def _stamped(scores: pd.DataFrame, part: Part) -> pd.DataFrame:
    leaks = {rule.name: rule.leaks for rule in part.rules}
    return scores[scores["protocol"].isin(leaks)].assign(leaks=scores["protocol"].map(leaks))


def _not_run(corpus: str, study: dict[str, Any], layout: Layout) -> pd.DataFrame:
    study = scoped(study, corpus)
    targets = *estimates.read_names(corpus, study, layout), MEAN
    shared = {"corpus": corpus, "protocol": study["headline"], "note": "not run", "seeds": 0}
    rows = [{**shared, "fusion": f, "target": t} for f in study["fusions"] for t in targets]
    return pd.DataFrame(rows)


def _join(tables: list[pd.DataFrame]) -> pd.DataFrame:
    tables = [table for table in tables if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
