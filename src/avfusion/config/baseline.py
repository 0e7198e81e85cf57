"""The linear baseline that every study has: `ridge`, a ridge regression on the study's features."""

from avfusion.config import modalities
from avfusion.config.study import Study
from avfusion.registry import fusions

NAME = "ridge"
REFERENCES = ("average", "best_single", "stack", "oracle")
"""Names of the rows that scoring adds; see `avfusion.evaluation.references`."""


def with_ridge(study: Study) -> Study:
    """Return the study with the fusion `ridge`, unless one of its fusions is in closed form.

    The entry comes after the leading fusions of a single modality. It reads text if every fusion of
    several modalities does, else audio and video.

    Parameters
    ----------
    study
        A study without faults.

    Returns
    -------
    Study
        With `fusions.ridge`.
    """
    names = list(study.fusions)
    if any(map(study.closed_form, names)):
        return study
    read = {name: _read(study, name) for name in names}
    joint = [name for name in names if len(read[name]) > 1]
    with_text = bool(joint) and all("text" in read[name] for name in joint)
    entry = {"modalities": list(modalities.MODALITIES)} if with_text else {}
    at = names.index(joint[0]) if joint else len(names)
    items = list(study.fusions.items())
    return study.model_copy(update={"fusions": dict([*items[:at], (NAME, entry), *items[at:]])})


def taken(study: Study) -> list[str]:
    """Return a message per fusion that has the name of a reference, or of the baseline."""
    references = [
        f"fusions.{name}: this is the name of a row that every table has (avfusion.evaluation."
        f"references). Give the entry another name."
        for name in study.fusions
        if name in REFERENCES
    ]
    return references + _other_class(study)


def _other_class(study: Study) -> list[str]:
    """Return a message if another class has the name of the baseline."""
    kind = study.fusion_class(NAME) if NAME in study.fusions else ""
    if not kind or not fusions.known(kind) or study.closed_form(NAME):
        return []
    return [
        f"fusions.{NAME} is of class {kind!r}, but this is the name of the linear baseline that "
        f"every study has. Give the entry another name."
    ]


def _read(study: Study, name: str) -> tuple[str, ...]:
    return modalities.read(study.fusion_class(name), study.fusion_options(name))
