"""The task of a corpus in a study: ratings over time, or classes."""

from typing import Any


def task_of(corpus: str, study: dict[str, Any]) -> str:
    """`ratings` or `classes`: what the study, or the score settings of a corpus, ask of it."""
    own = study.get("corpora", {}).get(corpus, {})
    return study.get("task") or own.get("task", "ratings")


def scoped(study: dict[str, Any], corpus: str) -> dict[str, Any]:
    """The study as it concerns one corpus: runs on classes have a protocol of their own."""
    if task_of(corpus, study) == "ratings":
        return study
    return {**study, "protocols": ["classes"], "headline": "classes", "robustness": {}}
