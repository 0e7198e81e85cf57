"""A fusion as a paper means it, found in a study whatever its entry is called.

A form is a class of the registry and the options by which it differs from that class' defaults:
`rjca_3: {is: rjca, recursions: 3}` and `deep: {is: rjca, recursions: 3, hidden: 32}` are one form.
"""

import ast
from typing import Any

from avfusion.modalities import with_text
from avfusion.registry import fusions

OWN = ("is", "train", "grid")  # keys of an entry that are no options of the class


def find(form: dict[str, Any], study: dict[str, Any]) -> str | None:
    """The study's entry that has this form, or None; one named like its class comes first.

    form: `{"is": class, **options}`. study: `Study.model_dump()`.
    """
    kind = form["is"]
    if kind not in fusions.names():
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
    if form["is"] not in fusions.names():
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
