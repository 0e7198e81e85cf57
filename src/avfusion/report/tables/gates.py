"""Table of gates: whether a gate's weight responds to planted spans of corruption."""

import numpy as np
import pandas as pd

from avfusion.config.study import Study
from avfusion.evaluation import units
from avfusion.layout import Layout
from avfusion.report import format
from avfusion.report.format import estimate, latex, markdown
from avfusion.report.tables.part import TableData
from avfusion.robustness.gates import KINDS, mark, respond, words

COLUMNS = [
    *("corpus", "fusion", "gate", "modality", "kind", "auroc", "low", "high", "seeds"),
    *("videos", "clips", "clean"),
]
HEAD = ["fusion", "gate", "span", "AUROC", "clips", "videos"]


def write_gates(data: TableData) -> None:
    """Write results/tables/gates.{csv,md,tex} from the weights that `avf robust` wrote."""
    study, layout = data.study, data.layout
    shown, typeset, tables = [], [], [pd.DataFrame(columns=COLUMNS)]
    for corpus in study.corpora:
        table = gate_table(corpus, study, layout)
        tables += [table] if len(table) else []
        shown.append(f"## {corpus}")
        if not len(table):
            shown.append("No gates of finished runs, or no planted spans.")
            continue
        by_subject = _subjects(corpus, table.attrs["videos"], study, layout) is not None
        header = (
            f"{corpus}: the chance that a gate's weight is larger in a clip of a planted span than "
            f"in a clean clip (AUROC; 0.5 = no response), averaged over seeds, with its "
            f"{100 * (1 - study.statistics.alpha):g}% interval over "
            f"{'subject' if by_subject else 'video'}s."
        )
        cells = [
            [r.fusion, words(r.gate), f"{r.kind} ({r.modality})",
             estimate(r.auroc, r.low, r.high), str(r.clips), str(r.videos)]
            for r in table.itertuples()
        ]  # fmt: skip
        shown += [header, markdown(HEAD, cells)]
        typeset.append(latex(HEAD, cells, header, f"gates-{corpus}"))
    format.write_csv(
        layout.tables / "gates.csv", pd.concat(tables[1:] or tables, ignore_index=True)
    )
    format.write_page(layout.tables / "gates.md", "Gates in planted spans", shown)
    format.write_text(layout.tables / "gates.tex", "\n".join(typeset))


def gate_table(corpus: str, study: Study, layout: Layout) -> pd.DataFrame:
    """Return the AUROC and its interval per fusion, gate, modality and kind of span (or `any`)."""
    truth = layout.truth(corpus)
    spans = pd.read_parquet(truth) if truth.is_file() else pd.DataFrame()
    rows, videos = [], np.empty(0, str)
    for fusion in study.fusions if len(spans) else ():
        paths = [layout.run(corpus, fusion, seed) / "gates.parquet" for seed in study.seeds]
        seeds = [pd.read_parquet(path) for path in paths if path.is_file()]
        if not seeds:
            continue
        seen = spans[spans["video"].isin(seeds[0]["video"])].reset_index(drop=True)
        marked = mark(seeds[0], seen, study.windows.clip_s)
        videos = video = seeds[0]["video"].to_numpy()
        subject = _subjects(corpus, video, study, layout)
        for gate in (name for name in seeds[0] if name.startswith(KINDS)):
            weights = np.stack([table[gate].to_numpy(float) for table in seeds])
            for modality, kind, numbers in _groups(seen):
                hit = np.isin(marked, numbers)
                response = respond(weights, hit, marked == -1, video, study.statistics, subject)
                rows.append({"corpus": corpus, "fusion": fusion, "gate": gate,
                             "modality": modality, "kind": kind, **vars(response),
                             "seeds": len(seeds)})  # fmt: skip
    table = pd.DataFrame(rows, columns=COLUMNS)
    table.attrs["videos"] = videos
    return table


def _subjects(corpus: str, video: np.ndarray, study: Study, layout: Layout) -> np.ndarray | None:
    """Return the subject's number of each row (R,); None if videos are the units."""
    names, place = np.unique(video, return_inverse=True)
    numbers = units.numbers(units.subjects(corpus, list(names), layout), study.statistics)
    return None if numbers is None else numbers[place]


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
