"""Table of scores: results/tables/scores.{csv,md,tex} and scores_validation.csv."""

import numpy as np
import pandas as pd

from avfusion.config.study import Study
from avfusion.evaluation.scored import read_names
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN
from avfusion.report import format, sentences
from avfusion.report.format import estimate, latex, markdown
from avfusion.report.inputs import printed
from avfusion.report.tables.grids import budget
from avfusion.report.tables.part import Part, TableData, error_words


def write_scores(data: TableData) -> None:
    """Write the mean, spread and interval of every fusion, protocol and target."""
    study, layout = data.study, data.layout
    shown, typeset, rows = [], [], []
    for part in data.parts:
        corpus, header = part.scored.corpus, sentences.header(part.scored, study)
        header += f" {sentences.bold(part.tied)}"
        cells = [_wide_cells(part, name, study) for name in part.order]
        words = list(printed(part.scored.names).values())
        head = ["fusion", *(f"{word} {part.scored.rule.metric}" for word in words)]
        shown += [f"## {corpus}", header, markdown(head, cells)]
        shown += error_words(part, layout)
        shown += part.caveats(study) + budget(study)
        head = ["fusion", f"{words[0]} {part.scored.rule.metric}", "interval", *words[1:]]
        cells = [_slim_cells(part, name, study) for name in part.order]
        caption = " ".join([header, *part.same_people])
        typeset.append(latex(head, cells, caption, f"scores-{corpus}"))
        headline = part.scores["protocol"] == part.scored.rule.name
        best = part.scores["fusion"].isin(part.tied).astype("boolean").where(headline)
        rows.append(part.scores.assign(best=best))
    rows += [_not_run(name, study, layout) for gone in data.absent for name in gone.names]
    shown += sentences.not_run(data.absent)
    validation = format.join([part.validation for part in data.parts])
    format.write_csv(layout.tables / "scores.csv", format.join(rows))
    format.write_csv(layout.tables / "scores_validation.csv", validation)
    format.write_page(layout.tables / "scores.md", "Scores", shown)
    format.write_text(layout.tables / "scores.tex", "\n".join(typeset))


def _wide_cells(part: Part, name: str, study: Study) -> list[str]:
    """Return the name and each target as mean ± sd [interval]."""
    rows = part.headline[part.headline["fusion"] == name].set_index("target")
    targets = printed(part.scored.names)
    if not rows.loc["mean", "seeds"]:
        return [name, sentences.absence(rows.loc["mean", "note"]), *[""] * (len(targets) - 1)]
    cells = []
    for target in targets:
        value = rows.loc[target, ["mean", "low", "high", "sd"]].to_list()
        text = estimate(*value, digits=part.digits(target)[name])
        cells.append(text if np.isfinite(value[0]) else format.NONE)
    return _emphasised(part, name, cells, int(rows.loc["mean", "seeds"]), study)


def _slim_cells(part: Part, name: str, study: Study) -> list[str]:
    """Return the name, mean ± sd, its interval and each target ± sd, to fit a printed page."""
    rows = part.headline[part.headline["fusion"] == name].set_index("target")
    at = printed(part.scored.names)
    if not rows.loc["mean", "seeds"]:
        return [name, sentences.absence(rows.loc["mean", "note"]), *[""] * len(at)]
    short = []
    for target in at:
        mean, sd = rows.loc[target, ["mean", "sd"]]
        text = estimate(mean, sd=sd, digits=part.digits(target)[name])
        short.append(text if np.isfinite(mean) else format.NONE)
    ends = format.interval(rows.loc["mean", "low"], rows.loc["mean", "high"])
    cells = [short[0], ends, *short[1:]]
    return _emphasised(part, name, cells, int(rows.loc["mean", "seeds"]), study)


def _emphasised(part: Part, name: str, cells: list[str], seeds: int, study: Study) -> list[str]:
    """Set the best fusions in bold; state missing seeds and runs that did not train."""
    few = f" ({sentences.of_seeds(seeds, study)})" if seeds < len(study.seeds) else ""
    few += f", {remark}" if (remark := part.marks.remark(name)) else ""
    if name not in part.tied:
        return [name + few, *cells]
    return [f"**{name}**{few}", f"**{cells[0]}**", *cells[1:]]


def _not_run(corpus: str, study: Study, layout: Layout) -> pd.DataFrame:
    study = study.scoped(corpus)
    targets = *read_names(corpus, study, layout), MEAN
    shared = {"corpus": corpus, "protocol": study.headline, "note": "not run", "seeds": 0}
    rows = [{**shared, "fusion": f, "target": t} for f in study.fusions for t in targets]
    return pd.DataFrame(rows)
