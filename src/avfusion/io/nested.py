"""Nested settings as one flat mapping."""

from typing import Any


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Return nested settings as dotted name -> value; lists and empty mappings stay whole.

    >>> flat({"train": {"lr": 0.1}, "seeds": [0, 1]})
    {'train.lr': 0.1, 'seeds': [0, 1]}
    """
    if not isinstance(value, dict) or not value:
        return {name: value}
    parts: dict[str, Any] = {}
    for key, inner in value.items():
        parts |= flat(inner, f"{name}.{key}" if name else str(key))
    return parts
