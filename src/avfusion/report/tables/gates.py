"""Tables of gates: their response to planted spans, and what they gain of what could be gained."""

from typing import Any

import numpy as np
import pandas as pd

from avfusion.config import match
from avfusion.config.study import Study
from avfusion.evaluation import units
from avfusion.layout import Layout
from avfusion.literature import claims
from avfusion.literature.claims import Claims
from avfusion.report import format
from avfusion.report.format import estimate, latex, markdown, number
from avfusion.report.tables.gaps import COLUMNS as GAP_COLUMNS
from avfusion.report.tables.gaps import gap_table, gap_words
from avfusion.report.tables.part import TableData
from avfusion.robustness.gates import KINDS, mark, respond, words

COLUMNS = [
    *("corpus", "fusion", "gate", "modality", "kind", "auroc", "low", "high", "declared"),
    *("as_declared", "verdict", "seeds", "each", "videos", "clips", "clean"),
]
HEAD = ["fusion", "gate", "span", "AUROC", "declared", "trainings", "clips", "videos"]


def write_gates(data: TableData) -> None:
    """Write gates.* from the weights that `avf robust` wrote, and gaps.csv from the scores."""
    study, layout, known = data.study, data.layout, claims.load()
    shown, typeset, tables, gaps = [], [], [pd.DataFrame(columns=COLUMNS)], []
    scored = {part.scored.corpus: part.scored for part in data.parts}
    for corpus in study.corpora:
        table = gate_table(corpus, study, layout, known)
        tables += [table] if len(table) else []
        shown.append(f"## {corpus}")
        if len(table):
            header = _header(corpus, table, study)
            cells = [_cells(row) for row in table.itertuples()]
            shown += [header, markdown(HEAD, cells)]
            typeset.append(latex(HEAD, cells, header, f"gates-{corpus}"))
        else:
            shown.append("No gates of finished runs, or no planted spans.")
        if corpus in scored:
            gaps.append(gap_table(scored[corpus], study, known))
            shown += gap_words(gaps[-1], study)
    format.write_csv(
        layout.tables / "gates.csv", pd.concat(tables[1:] or tables, ignore_index=True)
    )
    format.write_csv(
        layout.tables / "gaps.csv",
        pd.concat([pd.DataFrame(columns=GAP_COLUMNS), *gaps], ignore_index=True)
        if any(map(len, gaps))
        else pd.DataFrame(columns=GAP_COLUMNS),
    )
    format.write_page(layout.tables / "gates.md", "Gates in planted spans", shown)
    format.write_text(layout.tables / "gates.tex", "\n".join(typeset))


def _header(corpus: str, table: pd.DataFrame, study: Study) -> str:
    return (
        f"{corpus}: the chance that a gate's weight is larger in a clip of a planted span than in "
        f"a clean clip of the same video (AUROC; 0.5 = no response), the mean over trainings with "
        f"its {100 * (1 - study.statistics.alpha):g}% interval over {table.attrs['unit']}s and "
        f"trainings. Declared: the direction in config/claims.yaml, and the verdict. Trainings: "
        f"how many answer in that direction, and the AUROC of each."
    )


def _cells(row: Any) -> list[str]:
    """Return the cells of one row."""
    each = f"{row.as_declared} of {row.seeds}: {row.each}" if row.declared else row.each
    verdict = f"{row.declared}: {row.verdict}" if row.declared else format.NONE
    size = estimate(row.auroc, row.low, row.high)
    return [row.fusion, words(row.gate), f"{row.kind} ({row.modality})", size, verdict, each,
            str(row.clips), str(row.videos)]  # fmt: skip


def gate_table(corpus: str, study: Study, layout: Layout, known: Claims) -> pd.DataFrame:
    """Return the response per fusion, gate, modality and kind of span (or `any`)."""
    truth = layout.truth(corpus)
    spans = pd.read_parquet(truth) if truth.is_file() else pd.DataFrame()
    declared = _declared(study, known)
    rows, word = [], "video"
    for fusion in study.fusions if len(spans) else ():
        paths = {seed: layout.run(corpus, fusion, seed) / "gates.parquet" for seed in study.seeds}
        tables = {seed: pd.read_parquet(path) for seed, path in paths.items() if path.is_file()}
        if not tables:
            continue
        first = next(iter(tables.values()))
        seen = spans[spans["video"].isin(first["video"])].reset_index(drop=True)
        marked = mark(first, seen, study.windows.clip_s)
        names, video = np.unique(first["video"].to_numpy(), return_inverse=True)
        subject = units.numbers(units.subjects(corpus, list(names), layout), study.statistics)
        word = units.word(subject)
        person = None if subject is None else subject[video]
        fits = [study.fit_of(seed) for seed in tables]
        for gate in (name for name in first if name.startswith(KINDS)):
            weights = np.stack([table[gate].to_numpy(float) for table in tables.values()])
            for modality, kind, numbers in _groups(seen):
                hit, clean = np.isin(marked, numbers), marked == -1
                response = respond(weights, hit, clean, video, study.statistics, person, fits)
                direction = declared.get(fusion, {}).get(gate, {}).get(modality, "")
                rows.append({"corpus": corpus, "fusion": fusion, "gate": gate,
                             "modality": modality, "kind": kind, **vars(response),
                             **_answer(response.each, response.low, response.high, direction),
                             "each": " ".join(number(x) for x in response.each),
                             "seeds": len(tables)})  # fmt: skip
    table = pd.DataFrame(rows, columns=COLUMNS)
    table.attrs["unit"] = word
    return table


def _declared(study: Study, known: Claims) -> dict[str, dict[str, dict[Any, str]]]:
    """Return fusion of the study -> gate -> spoilt modality -> `lower` or `higher`."""
    declared: dict[str, dict[str, dict[Any, str]]] = {}
    for one in known.gates:
        name = match.find(known.form(one.gated), study)
        if name is not None:
            declared[name] = {gate: {**of} for gate, of in one.answers.items()}
    return declared


def _answer(each: tuple[float, ...], low: float, high: float, direction: str) -> dict[str, Any]:
    """Return the declared direction, how many trainings have it, and the verdict.

    >>> _answer((0.9, 0.4), 0.3, 0.95, "higher")
    {'declared': 'higher', 'as_declared': 1, 'verdict': 'undecided'}
    """
    if not direction:
        return {"declared": "", "as_declared": 0, "verdict": ""}
    sign = 1 if direction == "higher" else -1
    ends = (low, high) if sign == 1 else (1 - high, 1 - low)
    verdict = "undecided"
    if ends[0] > 0.5:
        verdict = "answers"
    elif ends[1] < 0.5:
        verdict = "answers the other way"
    count = sum(sign * (x - 0.5) > 0 for x in each)
    return {"declared": direction, "as_declared": count, "verdict": verdict}


def _groups(spans: pd.DataFrame) -> list[tuple[str, str, np.ndarray]]:
    """Return modality, kind and span numbers: all spans of a modality, then each of its kinds."""
    groups = []
    for modality, rows in spans.groupby("modality"):
        groups.append((str(modality), "any", rows.index.to_numpy()))
        if rows["kind"].nunique() > 1:
            groups += [
                (str(modality), str(kind), of_kind.index.to_numpy())
                for kind, of_kind in rows.groupby("kind")
            ]
    return groups
