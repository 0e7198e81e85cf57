"""The faults that pydantic reports, as messages in plain words."""

from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from avfusion.registry import near


def sentences(model: type[BaseModel], error: ValidationError) -> list[str]:
    """Return the faults that pydantic reports in plain words."""
    return [sentence(model, fault) for fault in error.errors()]


def sentence(model: type[BaseModel], fault: Any) -> str:
    """Return one fault in plain words: the setting, what is wrong, what was found."""
    path = ".".join(str(part) for part in fault["loc"] if part != "[key]")
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
    return f"{path}: {message}; found {fault['input']!r}."


def _nearest(model: Any, loc: tuple[Any, ...]) -> str:
    """Return a hint at the known setting of the same section that is nearest to an unknown one."""
    for part in loc[:-1]:
        if hasattr(model, "model_fields"):
            model = model.model_fields[part].annotation
        else:  # a mapping of names to settings
            model = get_args(model)[-1]
        if get_origin(model) is Annotated:
            model = get_args(model)[0]
    known = [field.alias or name for name, field in model.model_fields.items()]
    return near(str(loc[-1]), known) or f" Known: {', '.join(known)}."
