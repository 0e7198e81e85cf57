"""Tables of verification: verification.{csv,md,tex} and verification_pairs.csv."""

import pandas as pd

from avfusion.config import modalities
from avfusion.config.study import Study
from avfusion.evaluation.score_verification import AVERAGE
from avfusion.evaluation.verification_estimates import MEASURES, differences, estimates, ranked
from avfusion.layout import Layout
from avfusion.report import format
from avfusion.report.absent import scored
from avfusion.report.format import and_list, counted, estimate, latex, markdown
from avfusion.report.tables.part import TableData

WORDS = {"eer": "EER", "min_dcf_0.05": "minDCF 0.05", "min_dcf_0.01": "minDCF 0.01"}
CONDITIONS = {
    "clean": "Both videos complete.",
    "no_audio": "The second video of each trial has no sound.",
    "no_video": "The second video of each trial has no picture.",
}
NORMS = {"cosine": "Cosine", "as_norm": "AS-norm"}
PLACE = ["list", "condition", "norm"]


def write_verification(data: TableData) -> None:
    """Write errors of every fusion, and the differences from the single modalities."""
    study, layout = data.study, data.layout
    shown, typeset, tables, pairs = [], [], [], []
    for corpus in corpora(study, layout):
        table = estimates(corpus, study.statistics, layout)
        singles = list(modalities.singles(study.read_by()).values())
        against = differences(corpus, singles, study.statistics, layout)
        tables.append(table)
        pairs.append(against)
        shown += [f"## {corpus}", *findings(corpus, table, against, study), header(table, study)]
        for place, rows in table.groupby(PLACE, sort=False):
            head, lines = cells(rows)
            shown += [f"### {title(*place)}", markdown(head, lines)]
            label = "-".join([corpus, *place])
            typeset.append(latex(head, lines, f"{corpus}. {title(*place)}", label))
    format.write_csv(layout.tables / "verification.csv", format.join(tables))
    format.write_csv(layout.tables / "verification_pairs.csv", format.join(pairs))
    format.write_page(layout.tables / "verification.md", "Person verification", shown)
    format.write_text(layout.tables / "verification.tex", "\n".join(typeset))


def corpora(study: Study, layout: Layout) -> list[str]:
    """Return the scored corpora of a study with `task: verification`."""
    names = [name for name in study.corpora if study.task(name) == "verification"]
    return [name for name in names if scored(name, layout)]


def title(name: str, condition: str, norm: str) -> str:
    """Return the title of one table.

    >>> title("test", "clean", "cosine")
    'test trials, Cosine: Both videos complete.'
    """
    return f"{name} trials, {NORMS[norm]}: {CONDITIONS[condition]}"


def header(table: pd.DataFrame, study: Study) -> str:
    """Return how to read the tables."""
    share = f"{100 * (1 - study.statistics.alpha):g}%"
    seeds = counted(int(table["seeds"].max()), "seed")
    return (
        f"Mean ± deviation over {seeds} [{share} interval over people and seeds]. EER: equal error "
        f"rate; minDCF: minimal detection cost at the probability of a trial of one person; lower "
        f"is better. {AVERAGE}: mean cosine of the single modalities."
    )


def findings(corpus: str, table: pd.DataFrame, against: pd.DataFrame, study: Study) -> list[str]:
    """Return sentences on the fusion with the lowest EER in test, cosines of complete videos."""
    partition = "test" if "test" in set(table["list"]) else str(table["list"].iloc[-1])
    rows = _place(table, partition)
    fused = [name for name in ranked(rows) if name in study.read_by() or name == "ridge"]
    fused = [name for name in fused if len(study.read_by().get(name, ("", ""))) > 1]
    if not fused or not len(against):
        return []
    best = fused[0]
    eer = rows[rows["measure"] == "eer"].set_index("fusion")
    people, trials = int(eer.loc[best, "people"]), int(eer.loc[best, "trials"])
    value = estimate(*eer.loc[best, ["mean", "low", "high"]])
    sentences = [
        f"{corpus}, {partition}: {best} has the lowest EER of the fusions, {value}, on "
        f"{trials:,} trials of {people} people."
    ]
    own = _place(against, partition)
    own = own[(own["fusion"] == best) & (own["measure"] == "eer")]
    words = [
        f"{row.other} by {format.difference(-row.difference, -row.high, -row.low)} "
        f"({'' if row.significant else 'not '}significant)"
        for row in own.itertuples()
    ]
    if words:
        sentences.append(f"{best} is below {and_list(words)}.")
    return sentences


def _place(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the rows of one list, complete videos and cosines."""
    here = (table["list"] == name) & (table["condition"] == "clean") & (table["norm"] == "cosine")
    return table[here]


def cells(rows: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return head and cells of one table, the lowest EER first."""
    by = rows.set_index(["fusion", "measure"])
    lines = [
        [name]
        + [
            estimate(*by.loc[(name, measure), ["mean", "low", "high", "sd"]])
            for measure in MEASURES
        ]
        for name in ranked(rows)
    ]
    return ["fusion", *(WORDS[measure] for measure in MEASURES)], lines
