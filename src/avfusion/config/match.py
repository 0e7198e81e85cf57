"""Match corpora and fusions of a study: folds of one split, and forms that papers report."""

import ast
from typing import Any

from avfusion.config.entries import FUSION_KEYS
from avfusion.config.modalities import with_text
from avfusion.config.study import Study
from avfusion.registry import corpora, fusions


def kinds_of(entry: str, study: Study) -> tuple[str, ...]:
    """Return the class of an entry of `corpora`, and the class that it is a form of (`also`)."""
    kind = study.corpus_class(entry)
    return kind, *_also(kind)[:1]


def groups(study: Study) -> dict[str, list[str]]:
    """Return the splits of several folds: name -> entries of `corpora`, in the study's order."""
    splits: dict[tuple[str, str], list[str]] = {}
    for name, entry in study.corpora.items():
        key = entry.group or study.corpus_class(name), study.task(name)
        splits.setdefault(key, []).append(name)
    several = {key: names for key, names in splits.items() if len(names) > 1}
    tasks = [name for name, _ in several]
    return {
        name if tasks.count(name) == 1 else f"{name}_{task}": names
        for (name, task), names in several.items()
    }


def meant(kind: str, task: str, options: dict[str, Any], study: Study) -> tuple[list[str], str]:
    """Find the entries of a study that are the corpus of a published number.

    Parameters
    ----------
    kind
        Class of the corpus.
    task
        `ratings` or `classes`.
    options
        Options of the corpus. A list matches a group of folds that has each of its values, such as
        `{"folds": "random", "fold": [1, 2, 3, 4, 5]}`.
    study
        The study. An option that an entry does not set has the default of its class.

    Returns
    -------
    entries : list of str
        One entry, or the folds of one group; empty if nothing matches.
    why : str
        Why nothing matches; empty if something does.
    """
    entries = [name for name in study.corpora if kind in kinds_of(name, study)]
    if not entries:
        return [], f"corpus {kind} is not in the study"
    right = [name for name in entries if study.task(name) == task]
    if not right:
        return [], f"no entry of {kind} with `task: {task}`"
    values = {name: {key: _option(name, key, study) for key in options} for name in right}
    matches = [
        name
        for name in right
        if all(_among(values[name][key], value) for key, value in options.items())
    ]
    folds = [key for key, value in options.items() if isinstance(value, list)]
    if not matches:
        return [], f"no entry of {kind} with {_text(options)}"
    if not folds:
        return [next((name for name in matches if name == kind), matches[0])], ""
    for names in groups(study).values():
        if set(names) <= set(matches) and all(
            sorted(values[name][key] for name in names) == sorted(options[key]) for key in folds
        ):
            return names, ""
    return [], f"no group of {kind} with {_text(options)}"


def _option(entry: str, key: str, study: Study) -> Any:
    """Return the value that an entry sets, else the default of its class."""
    given, kind = study.corpora[entry].options, study.corpus_class(entry)
    if key in given or not corpora.known(kind):
        return given.get(key)
    also = _also(kind)
    if also and key in also[1]:
        return also[1][key]
    return ast.literal_eval(corpora.options(kind).get(key, "None"))


def _also(kind: str) -> tuple[Any, ...]:
    """Return class and options of the corpus that `kind` is another form of; () for most."""
    return (corpora.constant(kind, "also") or ()) if corpora.known(kind) else ()


def _among(value: Any, wanted: Any) -> bool:
    return value in wanted if isinstance(wanted, list) else value == wanted


def _text(options: dict[str, Any]) -> str:
    listed = ", ".join(
        f"{key} {', '.join(map(str, v)) if isinstance(v, list) else v}"
        for key, v in options.items()
    )
    return f"options {listed}"


def find(form: dict[str, Any], study: Study) -> str | None:
    """Return the entry of `fusions` that has this form, or None; plain entries come first.

    form: `{"is": class, **options}`.
    """
    kind = form["is"]
    if not fusions.known(kind):
        return None
    wanted = _resolved(kind, form)
    same = [
        name
        for name, entry in study.fusions.items()
        if study.fusion_class(name) == kind and _resolved(kind, entry) == wanted
    ]
    plain = [name for name in same if not {"train", "grid"} & study.fusions[name].keys()]
    return next(iter(sorted(plain, key=lambda name: name != kind) + same), None)


def lacking(form: dict[str, Any], study: Study) -> str:
    """Return what must be added to a study to have the form; empty if it has it."""
    if find(form, study):
        return ""
    if not fusions.known(form["is"]):
        return f"this version has no fusion {form['is']!r}"
    entry = f"no entry `{written(form)}` under fusions"
    options = {key: value for key, value in form.items() if key not in FUSION_KEYS}
    text = with_text(form["is"], options) and not study.features.text
    return f"{entry}, and no encoder under features.text" if text else entry


def written(form: dict[str, Any]) -> str:
    """Return the form as an entry of a config.

    >>> written({"is": "rjca", "recursions": 3}), written({"is": "ca"})
    ('rjca_3: {is: rjca, recursions: 3}', 'ca: {}')
    """
    options = {key: value for key, value in form.items() if key not in FUSION_KEYS}
    if not options:
        return f"{form['is']}: {{}}"
    name = "_".join([form["is"], *(_word(value) for value in options.values())])
    inner = ", ".join(f"{key}: {_yaml(value)}" for key, value in options.items())
    return f"{name}: {{is: {form['is']}, {inner}}}"


def _resolved(kind: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Return all options of the class, given or default, without those that are None or {}."""
    defaults = {key: _literal(text) for key, text in fusions.options(kind).items()}
    given = {key: value for key, value in entry.items() if key not in FUSION_KEYS}
    resolved = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in {**defaults, **given}.items()
    }
    return {key: value for key, value in resolved.items() if value not in (None, {})}


def _literal(text: str) -> Any:
    """Return the value of source text; text that is no literal stays text."""
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
