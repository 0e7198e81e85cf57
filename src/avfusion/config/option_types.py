"""Check values from YAML against the annotations of options, which are read as source text.

No class is imported. Known are int, float, bool, str, Path, Any, None, Literal, list, tuple, dict
and unions of them. Any value fits an unknown annotation; the class still checks its arguments.
"""

import ast
from typing import Any

PLAIN: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "str": (str,),
    "Path": (str,),
    "list": (list,),
    "tuple": (list, tuple),
    "dict": (dict,),
}


def misfit(annotation: str, value: Any) -> str:
    """Return why a value from YAML does not fit an annotation; empty if it fits.

    >>> misfit("int | None", "abc")
    "expected int | None, found 'abc'"
    >>> misfit("list[float]", [1, 2.5])
    ''
    """
    kind = ast.parse(annotation, mode="eval").body
    if _fits(kind, value):
        return ""
    expected = annotation
    if isinstance(kind, ast.Subscript) and ast.unparse(kind.value) == "Literal":
        expected = f"one of {ast.unparse(kind.slice).strip('()')}"
    return f"expected {expected}, found {value!r}{text_for_number(value)}"


def _fits(kind: ast.expr, value: Any) -> bool:
    match kind:
        case ast.Constant(value=None):
            return value is None
        case ast.Constant(value=str(text)):  # a quoted annotation
            return _fits(ast.parse(text, mode="eval").body, value)
        case ast.BinOp(op=ast.BitOr()):
            return _fits(kind.left, value) or _fits(kind.right, value)
        case ast.Name(id=name):
            return _is(name, value)
        case ast.Subscript(value=ast.Name(id=name), slice=inner):
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return _holds(name, parts, value)
    return True


def _is(name: str, value: Any) -> bool:
    if name not in PLAIN:
        return True
    if isinstance(value, bool):  # in Python a bool is an int
        return name == "bool"
    return isinstance(value, PLAIN[name])


def _holds(name: str, parts: list[ast.expr], value: Any) -> bool:
    """Check `Literal[…]`, `Optional[…]`, `Union[…]`, and containers with their items."""
    if name == "Literal":
        given = [ast.literal_eval(part) for part in parts]
        return any(value == known and type(value) is type(known) for known in given)
    if name in ("Optional", "Union"):
        return (name == "Optional" and value is None) or any(_fits(p, value) for p in parts)
    if not _is(name, value):
        return False
    if name == "list":
        return all(_fits(parts[0], item) for item in value)
    if name == "dict":
        return all(_fits(parts[0], k) and _fits(parts[1], v) for k, v in value.items())
    if name == "tuple" and isinstance(parts[-1], ast.Constant) and parts[-1].value is Ellipsis:
        return all(_fits(parts[0], item) for item in value)
    if name == "tuple":
        pairs = zip(parts, value, strict=False)
        return len(parts) == len(value) and all(_fits(part, item) for part, item in pairs)
    return True


def text_for_number(value: Any) -> str:
    """Return a hint for a number such as `1e-3`, which YAML 1.1 reads as text; empty if none."""
    try:
        number = float(value) if isinstance(value, str) else None
    except ValueError:
        return ""
    return "" if number is None else f" (YAML reads that as text; write {number!r})"
