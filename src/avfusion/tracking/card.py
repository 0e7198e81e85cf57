"""The model card of one run: what it is, what it reached, whose ratings, and what it cannot do."""

import ast
from typing import Any

from avfusion.evaluation.run_scores import Run
from avfusion.metrics.sums import MEAN
from avfusion.rating import Rating
from avfusion.registry import fusions

LIMITS = (
    "Valence and arousal are ratings of what raters saw and heard, never a reading of what "
    "somebody feels.",
    "It was fitted on the train partition of one corpus, and its epoch was chosen on the "
    "validation partition, whose scores are therefore too good; elsewhere it may be worthless.",
    "It takes features of exactly these encoders with exactly these windows. An encoder that was "
    "fitted on the corpus is part of the model; its weights lie with the study.",
    "Intervals speak of other videos of this corpus, not of other people, cameras or trainings.",
)


def model_card(run: Run, corpus: dict[str, Any], final: dict[str, float]) -> str:
    """Markdown. corpus: its corpus.json; final: `Run.final`."""
    own = run.settings
    kind = own.get("class", own["fusion"])
    about = {
        "fusion": f"{own['fusion']}: {_title(kind)}",
        "class and options": f"`{kind}` {_listed(own.get('options', {}))}",
        "seed": own["seed"],
        "corpus": corpus.get("name", own["corpus"]),
        "licence of the corpus": corpus.get("licence", "not stated"),
        "data hash": own.get("data_hash", ""),
        **{name: _listed(own.get(name, {})) for name in ("features", "windows", "train")},
        "parameters": own.get("parameters", ""),
        "videos without features": len(own.get("missing", [])),
        "commit": f"{own.get('commit')}{' with local changes' if own.get('dirty') else ''}",
    }
    lines = [f"# {own['corpus']}: {run.name}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in about.items() if value != ""]
    lines += [
        "",
        "## Scores",
        "",
        *_scores(final, (*(own.get("classes") or Rating.of(own).names), MEAN)),
        "",
        "## Limits",
        "",
    ]
    return "\n".join([*lines, *(f"- {limit}" for limit in LIMITS), ""])


def _scores(final: dict[str, float], targets: tuple[str, ...]) -> list[str]:
    """A row a partition and protocol; each score with its interval over videos."""
    if not final:
        return ["Not scored."]
    rows = dict.fromkeys(name.rpartition("/")[0] for name in final)
    metric = "recall" if any("/recall_" in name for name in final) else "ccc"
    word = {"recall": "recall", "ccc": "CCC"}[metric]
    lines = [f"| partition, protocol | {' | '.join(f'{t} {word}' for t in targets)} |"]
    lines += ["|" + "---|" * (1 + len(targets))]
    for row in rows:
        cells = [_cell(final, f"{row}/{metric}_{target}") for target in targets]
        lines.append(f"| {row.replace('/', ', ')} | {' | '.join(cells)} |")
    return lines


def _cell(final: dict[str, float], name: str) -> str:
    if name not in final:
        return "not scored"
    value = f"{final[name]:.3f}"
    if f"{name}_low" not in final:
        return value
    return f"{value} [{final[f'{name}_low']:.3f}, {final[f'{name}_high']:.3f}]"


def _listed(values: dict[str, Any]) -> str:
    shown = {n: ", ".join(v) if isinstance(v, list) else v for n, v in values.items()}
    return "; ".join(f"{name}: {value}" for name, value in shown.items())


def _title(kind: str) -> str:
    """First paragraph of the fusion's file."""
    words = ast.get_docstring(ast.parse(fusions.source(kind).read_text())) or kind
    return words.split("\n\n")[0].replace("\n", " ").rstrip(".")
