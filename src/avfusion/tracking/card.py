"""The model card of one run: settings, scores, origin of the ratings, and limits."""

import ast
from typing import Any

from avfusion.config.jobs import RunRecord
from avfusion.config.sections import Task
from avfusion.evaluation.run_scores import Run
from avfusion.metrics.sums import MEAN
from avfusion.registry import fusions
from avfusion.runs.files import did_not_train

LIMITS = (
    "{meaning}",
    "The model was fitted on the training partition of one corpus. {chosen} It may fail on other "
    "data.",
    "It takes features of exactly these encoders with exactly these windows. An encoder that was "
    "fitted on the corpus is part of the model; its weights are stored with the study.",
    "{intervals}",
)

MEANING: dict[Task, str] = {
    "ratings": "Targets such as valence and arousal are ratings of what raters saw and heard. They "
    "do not measure what a person feels.",
    "classes": "Classes are labels of what a person acted or showed. They do not measure what a "
    "person feels.",
    "verification": "A score says how similar two recordings are. It does not prove who a person "
    "is, and a threshold that was set on this corpus may fail on other recordings.",
}
"""Task -> what the predictions mean."""

INTERVALS: dict[Task, str] = {
    "ratings": "Intervals cover other videos of this corpus, not other people, cameras or "
    "trainings.",
    "classes": "Intervals cover other videos of this corpus, not other people, cameras or "
    "trainings.",
    "verification": "Equal error rates on this card have no intervals. They hold for the listed "
    "trials, not for other people, cameras or trainings.",
}
"""Task -> what the scores do not cover."""

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
    marks = did_not_train(run.folder)
    limits = limitations(record.class_, record.train.select.on, marks, record.task)
    return "\n".join([*lines, *(f"- {limit}" for limit in limits), ""])


def limitations(kind: str, on: str, marks: list[str], task: Task = "ratings") -> list[str]:
    """Return the limits of a run.

    Parameters
    ----------
    kind
        Class of its fusion.
    on
        `train.select.on` of the run.
    marks
        Reasons why it counts as "did not train".
    task
        Task of its corpus.
    """
    solved = fusions.known(kind) and fusions.constant(kind, "closed_form")
    chosen = (SOLVED if solved else CHOSEN)[on]
    first = [f"This run did not train: {'; '.join(marks)}."] if marks else []
    words = {"chosen": chosen, "meaning": MEANING[task], "intervals": INTERVALS[task]}
    return first + [limit.format(**words) for limit in LIMITS]


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
