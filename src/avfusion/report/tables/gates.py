"""Table of gates: does a gate's weight tell where a span of corruption was planted?"""

from typing import Any

import numpy as np
import pandas as pd

from avfusion.evaluation import units
from avfusion.layout import Layout
from avfusion.report import format
from avfusion.report.format import estimate, latex, markdown
from avfusion.robustness.gates import KINDS, mark, respond, words

COLUMNS = ["corpus", "fusion", "gate", "modality", "kind", "auroc", "low", "high", "seeds"]


COLUMNS += ["videos", "clips", "clean"]


def write_gates(study: dict[str, Any], layout: Layout) -> None:
    """Write gates.* from the weights that `avf robust` left; without `robustness`, none.

    study: `Study.model_dump()`.
    """
    if not study["robustness"]:
        for path in layout.tables.glob("gates.*"):
            path.unlink()
        return
    shown, typeset, tables = [], [], [pd.DataFrame(columns=COLUMNS)]
    head = ["fusion", "gate", "span", "AUROC", "clips", "videos"]
    for corpus in study["corpora"]:
        table = gate_table(corpus, study, layout)
        tables += [table] if len(table) else []
        shown.append(f"## {corpus}")
        if not len(table):
            shown.append("No gates of finished runs to read, or no spans planted.")
            continue
        said = (
            f"{corpus}: the chance that a gate's weight is larger in a clip of a planted span than "
            f"in a clean clip (AUROC; 0.5 = no response), averaged over seeds, with its "
            f"{100 * (1 - study['statistics']['alpha']):g}% interval over "
            f"{units.word(study['statistics'])}s."
        )
        cells = [
            [r.fusion, words(r.gate), f"{r.kind} ({r.modality})",
             estimate(r.auroc, r.low, r.high), str(r.clips), str(r.videos)]
            for r in table.itertuples()
        ]  # fmt: skip
        shown += [said, markdown(head, cells)]
        typeset.append(latex(head, cells, said, f"gates-{corpus}"))
    format.write_csv(
        layout.tables / "gates.csv", pd.concat(tables[1:] or tables, ignore_index=True)
    )
    format.write_page(layout.tables / "gates.md", "Gates in planted spans", shown)
    format.write_text(layout.tables / "gates.tex", "\n".join(typeset))


def gate_table(corpus: str, study: dict[str, Any], layout: Layout) -> pd.DataFrame:
    """A row a fusion, gate, modality and kind of span (and `any` kind): AUROC and its interval."""
    truth = layout.truth(corpus)
    spans = pd.read_parquet(truth) if truth.is_file() else pd.DataFrame()
    rows, how = [], study["statistics"]
    for fusion in study["fusions"] if len(spans) else ():
        paths = [layout.run(corpus, fusion, s) / "gates.parquet" for s in study["seeds"]]
        seeds = [pd.read_parquet(path) for path in paths if path.is_file()]
        if not seeds:
            continue
        own = spans[spans["video"].isin(seeds[0]["video"])].reset_index(drop=True)
        marked = mark(seeds[0], own, study["windows"]["clip_s"])
        video = seeds[0]["video"].to_numpy()
        whose = _whose(corpus, video, study, layout)
        for gate in (name for name in seeds[0] if name.startswith(KINDS)):
            weights = np.stack([table[gate].to_numpy(float) for table in seeds])
            for modality, kind, numbers in _groups(own):
                hit = np.isin(marked, numbers)
                found = respond(weights, hit, marked == -1, video, how, whose)
                rows.append({"corpus": corpus, "fusion": fusion, "gate": gate,
                             "modality": modality, "kind": kind, **vars(found),
                             "seeds": len(seeds)})  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def _whose(
    corpus: str, video: np.ndarray, study: dict[str, Any], layout: Layout
) -> np.ndarray | None:
    """The subject's number of each row (R,); None where videos are the units."""
    if not units.by_subject(study["statistics"]):
        return None
    names, place = np.unique(video, return_inverse=True)
    return units.numbers(units.subjects(corpus, names, layout), study["statistics"])[place]


def _groups(spans: pd.DataFrame) -> list[tuple[str, str, np.ndarray]]:
    """Modality, kind and numbers of the spans: all of a modality first, then each kind of it."""
    found = []
    for modality, own in spans.groupby("modality"):
        found.append((str(modality), "any", own.index.to_numpy()))
        if own["kind"].nunique() > 1:
            found += [(str(modality), str(k), r.index.to_numpy()) for k, r in own.groupby("kind")]
    return found
