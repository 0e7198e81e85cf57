"""The faults that pydantic reports, as messages in plain words."""

from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from avfusion.registry import near

MOVED = {
    f"media.mel_{name}": f"Write it as `encoders: {{mel_cnn: {{{name}: …}}}}`."
    for name in ("bands", "window_s", "hop_s")
}
"""Settings of earlier versions, and where they are now."""


def sentences(model: type[BaseModel], error: ValidationError) -> list[str]:
    """Return the faults that pydantic reports in plain words."""
    return [sentence(model, fault) for fault in error.errors()]


def sentence(model: type[BaseModel], fault: Any) -> str:
    """Return one fault in plain words: the setting, what is wrong, what was found."""
    path = ".".join(str(part) for part in _shown(model, fault["loc"]) if part != "[key]")
    if fault["type"].startswith("union_tag") or fault["type"] == "model_attributes_type":
        return _of_kind(path, fault)
    if fault["type"] == "extra_forbidden" and path in MOVED:
        return f"setting {path!r} has moved. {MOVED[path]}"
    if fault["type"] == "model_type":
        known = ", ".join(_keys(_at(model, fault["loc"])))
        return f"{path}: expected settings with the keys {known}; found {fault['input']!r}."
    if fault["type"] == "extra_forbidden":
        return f"unknown setting {path!r}.{_nearest(model, fault['loc'])} Correct or remove it."
    if fault["type"] == "missing":
        return f"setting {path!r} is missing. Add it (config/README.md lists all)."
    if fault["loc"][-1] == "[key]":
        return f"{path!r} cannot be a name: use letters, digits and _ only."
    if fault["type"] == "value_error":  # raised by a validator of avfusion
        message = str(fault["ctx"]["error"])
        if message.endswith("."):
            return f"{path}: {message}"
    else:
        message = fault["msg"][0].lower() + fault["msg"][1:]
    hint = ""
    if fault["type"] == "string_type" and isinstance(fault["input"], int | float):
        hint = " Write it in quotes."  # Aff-Wild2 has videos such as "313"
    return f"{path}: {message}; found {fault['input']!r}.{hint}"


def _of_kind(path: str, fault: Any) -> str:
    """Return the fault of settings whose key `is` says which keys they have."""
    if fault["type"] == "union_tag_invalid":
        kinds = fault["ctx"]["expected_tags"]
        given = fault["ctx"]["tag"]
        hint = near(str(given), kinds.replace("'", "").split(", "))
        return f"{path}.is: expected one of {kinds}; found {given!r}.{hint}"
    if fault["type"] == "union_tag_not_found":
        return f"setting '{path}.is' is missing. Add it (config/README.md lists all)."
    given = fault["input"]
    kind = given if isinstance(given, str) else "constant"
    return f"{path}: expected settings such as {{is: {kind}}}; found {given!r}."


def _shown(model: Any, loc: tuple[Any, ...]) -> list[Any]:
    """Return the keys of a place; pydantic also lists the value of `is`, which is no key."""
    shown = []
    for part in loc:
        tagged = _of_tag(model, part)
        if tagged is None:
            shown.append(part)
        model = tagged or _within(model, part)
    return shown


def _nearest(model: Any, loc: tuple[Any, ...]) -> str:
    """Return a hint at the known setting of the same section that is nearest to an unknown one."""
    known = _keys(_at(model, loc[:-1]))
    return near(str(loc[-1]), known) or f" Known: {', '.join(known)}."


def _at(model: Any, loc: tuple[Any, ...]) -> Any:
    """Return the type of the setting at a place."""
    for part in loc:
        model = _of_tag(model, part) or _within(model, part)
    return model


def _keys(model: Any) -> list[str]:
    """Return the keys of a section, as they are written in a file."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _within(model: Any, part: Any) -> Any:
    """Return the type of one key of a section, of a mapping or of a list; None if there is none."""
    if hasattr(model, "model_fields"):
        field = model.model_fields.get(part)
        model = None if field is None else field.annotation
    else:  # a mapping of names to settings
        model = next(iter(get_args(model)[-1:]), None)
    if get_origin(model) is Annotated:
        model = get_args(model)[0]
    members = [kind for kind in get_args(model) if kind is not NoneType]
    if isinstance(model, UnionType) and len(members) == 1:
        return members[0]
    return model


def _of_tag(model: Any, part: Any) -> Any:
    """Return the member of a union whose `is` is `part`; None if it is no such union."""
    if not isinstance(model, UnionType):
        return None
    tagged = [kind for kind in get_args(model) if "is_" in getattr(kind, "model_fields", {})]
    return next((kind for kind in tagged if part in get_args(_is(kind))), None)


def _is(kind: type[BaseModel]) -> Any:
    return kind.model_fields["is_"].annotation
