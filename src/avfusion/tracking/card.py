"""The model card of one run: settings, scores, origin of the ratings, and limits."""

import ast
from typing import Any

from avfusion.config.jobs import RunRecord
from avfusion.evaluation.run_scores import Run
from avfusion.metrics.sums import MEAN
from avfusion.registry import fusions
from avfusion.runs.files import did_not_train

LIMITS = (
    "Valence and arousal are ratings of what raters saw and heard. They do not measure what a "
    "person feels.",
    "The model was fitted on the training partition of one corpus. {chosen} It may fail on other "
    "data.",
    "It takes features of exactly these encoders with exactly these windows. An encoder that was "
    "fitted on the corpus is part of the model; its weights are stored with the study.",
    "Intervals cover other videos of this corpus, not other people, cameras or trainings.",
)


CHOSEN = {
    "validation": "Its epoch was chosen on the validation partition, so validation scores are too "
    "high.",
    "train_subjects": "Its epoch was chosen on subjects of this partition that it was not fitted "
    "on.",
}
"""`train.select.on` -> how the epoch was chosen."""

SOLVED = {
    "validation": "Its penalty was chosen on the validation partition, so validation scores are "
    "too high.",
    "train_subjects": "Its penalty was chosen on subjects of this partition that it was not fitted "
    "on.",
}
"""The same for a fusion in closed form, which has no epochs."""


def model_card(run: Run, corpus: dict[str, Any], final: dict[str, float]) -> str:
    """Return the card in Markdown.

    Parameters
    ----------
    run
        The run.
    corpus
        Card of its corpus (corpus.json).
    final
        Scores from `Run.final`.
    """
    record = run.settings
    about = {
        "fusion": f"{record.fusion}: {_title(record.class_)}",
        "class and options": f"`{record.class_}` {_listed(record.options)}",
        "code outside avfusion": _listed(record.outside),
        "seed": record.seed,
        "corpus": corpus.get("name", record.corpus),
        "licence of the corpus": corpus.get("licence", "not stated"),
        "data hash": record.data_hash,
        "features": _listed(record.features.by_modality),
        "windows": _listed(record.windows.model_dump(exclude_none=True)),
        "train": _listed(record.train.model_dump()),
        "parameters": record.parameters,
        "videos without features": len(record.missing),
        "commit": _commit(record),
    }
    lines = [f"# {record.corpus}: {run.name}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in about.items() if value != ""]
    lines += [
        "",
        "## Scores",
        "",
        *_scores(final, (*record.outputs, MEAN)),
        "",
        "## Limits",
        "",
    ]
    limits = limitations(record.class_, record.train.select.on, did_not_train(run.folder))
    return "\n".join([*lines, *(f"- {limit}" for limit in limits), ""])


def limitations(kind: str, on: str, marks: list[str]) -> list[str]:
    """Return the limits of a run.

    Parameters
    ----------
    kind
        Class of its fusion.
    on
        `train.select.on` of the run.
    marks
        Reasons why it counts as "did not train".
    """
    solved = fusions.known(kind) and fusions.constant(kind, "closed_form")
    chosen = (SOLVED if solved else CHOSEN)[on]
    first = [f"This run did not train: {'; '.join(marks)}."] if marks else []
    return first + [limit.format(chosen=chosen) for limit in LIMITS]


def _scores(final: dict[str, float], targets: tuple[str, ...]) -> list[str]:
    """Return a table with a row per partition and protocol, scores with their intervals."""
    if not final:
        return ["Not scored."]
    rows = dict.fromkeys(name.rpartition("/")[0] for name in final)
    if any(name.endswith("/eer") for name in final):
        lines = ["| partition, list, condition, norm | EER |", "|---|---|"]
        return [*lines, *(f"| {r.replace('/', ', ')} | {final[f'{r}/eer']:.3f} |" for r in rows)]
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


def _commit(record: RunRecord) -> str:
    return f"{record.commit}{' with local changes' if record.dirty else ''}"


def _listed(values: dict[str, Any]) -> str:
    shown = {
        name: ", ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in values.items()
        if value != {}
    }
    return "; ".join(f"{name}: {value}" for name, value in shown.items())


def _title(kind: str) -> str:
    """Return the first paragraph of the fusion's file."""
    words = ast.get_docstring(ast.parse(fusions.source(kind).read_text(encoding="utf-8"))) or kind
    return words.split("\n\n")[0].replace("\n", " ").rstrip(".")
