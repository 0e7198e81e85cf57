"""Entries of `corpora` seen together: folds of one split, and which a published number is of."""

import ast
from typing import Any

from avfusion.config.modalities import with_text
from avfusion.config.tasks import task_of
from avfusion.registry import corpora, fusions

OWN = ("is", "train", "grid")  # keys of an entry that are no options of the class


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
    if key in given or not corpora.known(kind):
        return given.get(key)
    also = _also(kind)
    if also and key in also[1]:
        return also[1][key]
    return ast.literal_eval(corpora.options(kind).get(key, "None"))


def _also(kind: str) -> tuple[Any, ...]:
    """Class and options of what a corpus is another form of; () for most."""
    return (corpora.constant(kind, "also") or ()) if corpora.known(kind) else ()


def _among(value: Any, wanted: Any) -> bool:
    return value in wanted if isinstance(wanted, list) else value == wanted


def _said(options: dict[str, Any]) -> str:
    listed = ", ".join(
        f"{key} {', '.join(map(str, v)) if isinstance(v, list) else v}"
        for key, v in options.items()
    )
    return f"options {listed}"


def find(form: dict[str, Any], study: dict[str, Any]) -> str | None:
    """The study's entry that has this form, or None; one named like its class comes first.

    form: `{"is": class, **options}`. study: `Study.model_dump()`.
    """
    kind = form["is"]
    if not fusions.known(kind):
        return None
    wanted = _resolved(kind, form)
    entries = study["fusions"]
    same = [
        name
        for name, entry in entries.items()
        if entry.get("is", name) == kind and _resolved(kind, entry) == wanted
    ]
    plain = [name for name in same if not {"train", "grid"} & entries[name].keys()]
    return next(iter(sorted(plain, key=lambda name: name != kind) + same), None)


def lacking(form: dict[str, Any], study: dict[str, Any]) -> str:
    """What a study must say to have the form; empty if it has it."""
    if find(form, study):
        return ""
    if not fusions.known(form["is"]):
        return f"this version has no fusion {form['is']!r}"
    entry = f"no entry `{written(form)}` under fusions"
    options = {key: value for key, value in form.items() if key not in OWN}
    text = with_text(form["is"], options) and not study.get("features", {}).get("text")
    return f"{entry}, and no encoder under features.text" if text else entry


def written(form: dict[str, Any]) -> str:
    """The form as an entry of a config.

    >>> written({"is": "rjca", "recursions": 3}), written({"is": "ca"})
    ('rjca_3: {is: rjca, recursions: 3}', 'ca: {}')
    """
    options = {key: value for key, value in form.items() if key not in OWN}
    if not options:
        return f"{form['is']}: {{}}"
    name = "_".join([form["is"], *(_word(value) for value in options.values())])
    inner = ", ".join(f"{key}: {_yaml(value)}" for key, value in options.items())
    return f"{name}: {{is: {form['is']}, {inner}}}"


def _resolved(kind: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Every option of the class with the entry's value or the default; no option is None or {}."""
    defaults = {key: _literal(text) for key, text in fusions.options(kind).items()}
    given = {key: value for key, value in entry.items() if key not in OWN}
    resolved = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in {**defaults, **given}.items()
    }
    return {key: value for key, value in resolved.items() if value not in (None, {})}


def _literal(text: str) -> Any:
    """The value that source text stands for; what is no literal stays text."""
    try:
        return ast.literal_eval(text)
    except ValueError:
        return text


def _word(value: Any) -> str:
    words = value.values() if isinstance(value, dict) else [value]
    return "_".join("".join(c for c in str(word) if c.isalnum() or c == "_") for word in words)


def _yaml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_yaml(v)}" for k, v in value.items()) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)
