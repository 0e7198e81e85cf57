"""Tables of verification: verification.{csv,md,tex} and verification_pairs.csv."""

import pandas as pd

from avfusion.config import modalities
from avfusion.config.study import Study
from avfusion.evaluation.verification_estimates import (
    AVERAGE,
    MEASURES,
    PLACE,
    TABLE,
    differences,
    errors,
    estimates,
    ranked,
)
from avfusion.io.redact import without_paths
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.report import format
from avfusion.report.absent import scored
from avfusion.report.format import and_list, estimate, latex, markdown
from avfusion.report.marks import Marks
from avfusion.report.tables.part import TableData

WORDS = {"eer": "EER", "min_dcf_0.05": "minDCF 0.05", "min_dcf_0.01": "minDCF 0.01"}
CONDITIONS = {
    "clean": "Both videos complete.",
    "no_audio": "The second video of each trial has no sound.",
    "no_video": "The second video of each trial has no picture.",
}
NORMS = {"cosine": "Cosine", "as_norm": "AS-norm"}
COLUMNS = ["corpus", *PLACE, "fusion", "measure", "mean", "low", "high", "sd"]
COLUMNS += ["seeds", "people", "trials", "draws", "missing", "note"]
MOST = 20
"""Most runs or videos that the text lists; the files have all."""


def write_verification(data: TableData) -> None:
    """Write errors of every fusion, and the differences from the single modalities."""
    study, layout = data.study, data.layout
    shown, typeset, tables, pairs = [], [], [], []
    for corpus in corpora(study, layout):
        errors_of = errors(read_table(layout.scores(corpus) / TABLE), study.statistics)
        runs = read_scores(corpus, layout)
        table = with_notes(estimates(corpus, errors_of, study.statistics), runs)
        singles = list(modalities.singles(study.read_by()).values())
        against = differences(corpus, singles, errors_of, study.statistics)
        tables.append(table)
        pairs.append(against)
        shown += [f"## {corpus}", *findings(corpus, table, against, study), header(table, study)]
        for place, rows in table.groupby(PLACE, sort=False):
            head, body = cells(rows)
            shown += [f"### {title(*place)}", markdown(head, body)]
            label = "-".join([corpus, *place])
            typeset.append(latex(head, body, f"{corpus}. {title(*place)}", label))
        for words, lines in remarks(corpus, study, layout).items():
            shown += [f"### {words}", "\n".join(f"- {line}" for line in lines)]
    format.write_csv(layout.tables / "verification.csv", format.join(tables))
    format.write_csv(layout.tables / "verification_pairs.csv", format.join(pairs))
    format.write_page(layout.tables / "verification.md", "Person verification", shown)
    format.write_text(layout.tables / "verification.tex", "\n".join(typeset))


def with_notes(table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Add the columns `missing` and `note`, and rows without numbers of fusions without a run.

    `missing` is the largest number of trials that a run of the fusion lacks because a video has no
    features. `note` has the reasons of runs without scores. runs: scores.parquet of the corpus.
    """
    noted = runs[runs["note"] != ""].drop_duplicates(["fusion", "seed"])
    reasons: dict[str, list[str]] = {}
    for row in noted.itertuples():
        reasons.setdefault(row.fusion, []).append(f"seed {row.seed}: {without_paths(row.note)}")
    why = {fusion: "; ".join(lines) for fusion, lines in reasons.items()}
    if len(table):
        lacking = runs.groupby([*PLACE, "fusion"])["missing"].max().rename("missing")
        table = table.join(lacking, on=[*PLACE, "fusion"])
    places = (table if len(table) else runs)[PLACE].drop_duplicates()
    known = {tuple(row) for row in table[[*PLACE, "fusion"]].to_numpy()} if len(table) else set()
    empty = [
        dict(zip(PLACE, place, strict=True))
        | {"corpus": runs["corpus"].iloc[0], "fusion": fusion, "measure": measure, "seeds": 0}
        for place in places.itertuples(index=False)
        for fusion in why
        if (*place, fusion) not in known
        for measure in MEASURES
    ]
    table = format.join([table, pd.DataFrame(empty)]).reindex(columns=COLUMNS)
    return table.assign(note=[why.get(fusion, "") for fusion in table["fusion"]])


def remarks(corpus: str, study: Study, layout: Layout) -> dict[str, list[str]]:
    """Return heading -> lines: runs without scores, runs that did not train, videos lost.

    A heading without lines is left out.
    """
    runs = read_scores(corpus, layout).drop_duplicates(["fusion", "seed"])
    failed = [
        f"{row.fusion} seed {row.seed}: {without_paths(row.note)}"
        for row in runs.itertuples()
        if row.note
    ]
    marks = Marks.read([corpus], study, layout).reasons
    untrained = [
        f"{fusion} {run}: {'; '.join(why)}"
        for fusion, rows in marks.items()
        for run, why in rows.items()
    ]
    path = layout.scores(corpus) / "missing.csv"
    lost = pd.read_csv(path, dtype=str, keep_default_na=False) if path.is_file() else pd.DataFrame()
    videos = [
        f"{row.video} ({row.partition}): {row.stage}: {without_paths(row.reason)}"
        for row in lost.itertuples()
    ]
    listed = {
        "Runs with a note": failed,
        "Runs that did not train": untrained,
        "Videos without an embedding": videos,
    }
    return {
        words: [*lines[:MOST], *([f"and {len(lines) - MOST} more"] if len(lines) > MOST else [])]
        for words, lines in listed.items()
        if lines
    }


def read_scores(corpus: str, layout: Layout) -> pd.DataFrame:
    """Read scores.parquet of a corpus."""
    return read_table(layout.scores(corpus) / "scores.parquet")


def corpora(study: Study, layout: Layout) -> list[str]:
    """Return the scored corpora of a study with `task: verification`."""
    names = [name for name in study.corpora if study.task(name) == "verification"]
    return [name for name in names if scored(name, layout)]


def title(partition: str, name: str, condition: str, norm: str) -> str:
    """Return the title of one table.

    >>> title("test", "Vox1-O", "clean", "cosine")
    'Vox1-O trials (test), Cosine: Both videos complete.'
    >>> title("validation", "validation", "clean", "cosine")
    'validation trials, which chose the epoch, Cosine: Both videos complete.'
    """
    words = f"{partition} trials" if name in ("", partition) else f"{name} trials ({partition})"
    if partition == "validation":
        words += ", which chose the epoch"
    return f"{words}, {NORMS[norm]}: {CONDITIONS[condition]}"


def header(table: pd.DataFrame, study: Study) -> str:
    """Return how to read the tables."""
    share = f"{100 * (1 - study.statistics.alpha):g}%"
    draws = [f"{int(n):,}" for n in sorted(set(table["draws"].dropna()))]
    words = f" Intervals are from {' or '.join(draws)} draws of people." if draws else ""
    return (
        f"Mean ± deviation over the seeds of each row [{share} interval over people and seeds]. "
        f"EER: equal error rate; minDCF: minimal detection cost at the probability of a trial of "
        f"one person; lower is better. {AVERAGE}: mean cosine of the single modalities.{words}"
    )


def findings(corpus: str, table: pd.DataFrame, against: pd.DataFrame, study: Study) -> list[str]:
    """Return sentences on the fusion with the lowest EER in test, cosines of complete videos.

    There is none without test trials. The first list of test that a study has is reported.
    """
    rows = _headline(table)
    rows = rows[rows["mean"].notna()]
    if not len(rows):
        return []
    name = str(rows["list"].iloc[0])
    rows = rows[rows["list"] == name]
    fused = [one for one in ranked(rows) if one in study.read_by() or one == "ridge"]
    fused = [one for one in fused if len(study.read_by().get(one, ("", ""))) > 1]
    if not fused or not len(against):
        return []
    best = fused[0]
    eer = rows[rows["measure"] == "eer"].set_index("fusion")
    people, trials = int(eer.loc[best, "people"]), int(eer.loc[best, "trials"])
    value = estimate(*eer.loc[best, ["mean", "low", "high"]])
    sentences = [
        f"{corpus}, {name}: {best} has the lowest EER of the fusions, {value}, on "
        f"{trials:,} trials of {people} people."
    ]
    compared = _headline(against)
    compared = compared[
        (compared["list"] == name) & (compared["fusion"] == best) & (compared["measure"] == "eer")
    ]
    words = [
        f"{row.other} {row.note}"
        if row.note
        else f"{row.other} {format.difference(row.difference, row.low, row.high)} "
        f"({'' if row.significant else 'not '}significant)"
        for row in compared.itertuples()
    ]
    if words:
        sentences.append(f"EER of {best} minus that of a single modality: {and_list(words)}.")
    return sentences


def _headline(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of test trials, complete videos and cosines; none of an empty table."""
    if not len(table):
        return table
    here = (table["partition"] == "test") & (table["condition"] == "clean")
    return table[here & (table["norm"] == "cosine")]


def cells(rows: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return head and cells of one table, the lowest EER first."""
    by = rows.set_index(["fusion", "measure"])
    lines = [
        [name, f"{int(by.loc[(name, 'eer'), 'seeds'])}"]
        + [
            estimate(*by.loc[(name, measure), ["mean", "low", "high", "sd"]])
            for measure in MEASURES
        ]
        for name in ranked(rows)
    ]
    return ["fusion", "seeds", *(WORDS[measure] for measure in MEASURES)], lines
