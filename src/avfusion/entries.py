"""Entries of `corpora` seen together: folds of one split, and which a published number is of."""

import ast
from typing import Any

from avfusion.protocol import task_of
from avfusion.registry import corpora


def kind_of(entry: str, study: dict[str, Any]) -> str:
    """The class of an entry of `corpora`."""
    return study["corpora"][entry].get("is") or entry


def kinds_of(entry: str, study: dict[str, Any]) -> tuple[str, ...]:
    """The class of an entry, and that of which it is another form (`also`)."""
    kind = kind_of(entry, study)
    return kind, *_also(kind)[:1]


def groups(study: dict[str, Any]) -> dict[str, list[str]]:
    """Splits of several folds: name -> entries of `corpora`, in the study's order."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, own in study["corpora"].items():
        key = own.get("group") or kind_of(name, study), task_of(name, study)
        found.setdefault(key, []).append(name)
    several = {key: names for key, names in found.items() if len(names) > 1}
    tasks = [name for name, _ in several]
    return {
        name if tasks.count(name) == 1 else f"{name}_{task}": names
        for (name, task), names in several.items()
    }


def meant(
    kind: str, task: str, options: dict[str, Any], study: dict[str, Any]
) -> tuple[list[str], str]:
    """The entries that a corpus of these options is, as one group if several; else none and why.

    options: of the corpus' class, given or by default; a list is met by a group of folds that has
    each of its values, such as `{"folds": "random", "fold": [1, 2, 3, 4, 5]}`.
    """
    every = [name for name in study["corpora"] if kind in kinds_of(name, study)]
    if not every:
        return [], f"corpus {kind} is not in the study"
    right = [name for name in every if task_of(name, study) == task]
    if not right:
        return [], f"no entry of {kind} with `task: {task}`"
    of = {name: {key: _option(name, key, study) for key in options} for name in right}
    fit = [n for n in right if all(_among(of[n][key], value) for key, value in options.items())]
    folds = [key for key, value in options.items() if isinstance(value, list)]
    if not fit:
        return [], f"no entry of {kind} with {_said(options)}"
    if not folds:
        return [next((name for name in fit if name == kind), fit[0])], ""
    for names in groups(study).values():
        if set(names) <= set(fit) and all(
            sorted(of[name][key] for name in names) == sorted(options[key]) for key in folds
        ):
            return names, ""
    return [], f"no group of {kind} with {_said(options)}"


def _option(entry: str, key: str, study: dict[str, Any]) -> Any:
    """What an entry sets, else its class' default."""
    given, kind = study["corpora"][entry].get("options", {}), kind_of(entry, study)
    if key in given or kind not in corpora.names():
        return given.get(key)
    also = _also(kind)
    if also and key in also[1]:
        return also[1][key]
    return ast.literal_eval(corpora.options(kind).get(key, "None"))


def _also(kind: str) -> tuple[Any, ...]:
    """Class and options of what a corpus is another form of; () for most."""
    return (corpora.constant(kind, "also") or ()) if kind in corpora.names() else ()


def _among(value: Any, wanted: Any) -> bool:
    return value in wanted if isinstance(wanted, list) else value == wanted


def _said(options: dict[str, Any]) -> str:
    listed = ", ".join(
        f"{key} {', '.join(map(str, v)) if isinstance(v, list) else v}"
        for key, v in options.items()
    )
    return f"options {listed}"
