"""Read modules without importing them: their files, class attributes, imports and definitions."""

import ast
import functools
import importlib.util
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from avfusion.errors import ConfigError
from avfusion.io.source_index import Index, index

PACKAGE = Path(__file__).parents[1]
TOP = "avfusion"


@functools.lru_cache(maxsize=4000)
def module_file(module: str) -> Path | None:
    """Return the file of a module without importing it, or None."""
    top, *parts = module.split(".")
    place = PACKAGE if top == TOP else location(top)
    if place is None or (top == TOP and not parts):
        return None
    if place.suffix == ".py":
        return None if parts else place
    stem = place.joinpath(*parts)
    for path in (stem.with_name(f"{stem.name}.py"), stem / "__init__.py"):
        if path.is_file():
            return path
    return None


def location(top: str) -> Path | None:
    """Return the folder of a top-level package, or the file of a top-level module, or None."""
    spec = PathFinder.find_spec(top, [*sys.path, str(Path.cwd())])
    if spec is None:
        try:
            spec = importlib.util.find_spec(top)  # an editable install with its own finder
        except (ImportError, ValueError):
            return None
    if spec is None:
        return None
    if spec.origin is None:  # a folder without __init__.py
        return next((Path(place) for place in spec.submodule_search_locations or ()), None)
    path = Path(spec.origin)
    if path.suffix != ".py":
        return None
    return path.parent if path.name == "__init__.py" else path


def constant(module: str, cls: str, attribute: str) -> Any:
    """Return the literal value of a class attribute, defined or inherited, or None.

    Raises
    ------
    ConfigError
        If the attribute is not a literal, because it is read without running the code.
    """
    for origin, node in lineage(module, cls):
        values = [value for value in (_value(s, attribute) for s in node.body) if value is not None]
        if values:
            try:
                return ast.literal_eval(values[-1])
            except ValueError:
                raise ConfigError(
                    f"{origin}:{node.name}.{attribute} is `{ast.unparse(values[-1])}`. Write a "
                    f"literal, such as a text or a number: it is read without running the code."
                ) from None
    return None


def lineage(module: str, cls: str) -> Iterator[tuple[str, ast.ClassDef]]:
    """Yield (module, class) of a class and its bases, the class first, if their code exists."""
    path = module_file(module)
    if path is None:
        return
    index = index_of(module)
    for node in parsed(path).body:
        if isinstance(node, ast.ClassDef) and node.name == cls:
            yield module, node
            for base in (ast.unparse(base).partition("[")[0] for base in node.bases):
                first, _, rest = base.partition(".")
                if first not in index.imports:
                    yield from lineage(module, base)
                for origin, name in sorted(index.imports.get(first, ()), key=str):
                    dotted = ".".join(filter(None, [name, rest]))
                    inner, _, last = dotted.rpartition(".")
                    yield from lineage(f"{origin}.{inner}" if inner else origin, last)
            return
    for origin, name in sorted(index.imports.get(cls, ()), key=str):  # re-exported
        yield from lineage(origin, name or cls)


def parsed(path: Path) -> ast.Module:
    """Return the cached syntax tree of a file, which must not be modified."""
    return _parsed(*_stamp(path))


def index_of(module: str) -> Index:
    """Return the definitions of a module.

    Raises
    ------
    ModuleNotFoundError
        If the module has no source file.
    """
    return index(module, *_stamp(_file(module)))


def text_of(module: str, name: str) -> str:
    """Return the text of a definition, or of the statements that define nothing for the name ""."""
    return index_of(module).texts.get(name, "")


def _file(module: str) -> Path:
    path = module_file(module)
    if path is None:
        raise ModuleNotFoundError(f"No source file of module {module!r}.")
    return path


def _stamp(path: Path) -> tuple[Path, int, int]:
    """Return the file with its date and size, which key the caches."""
    state = path.stat()
    return path, state.st_mtime_ns, state.st_size


@functools.lru_cache(maxsize=1000)
def _parsed(path: Path, *stamp: int) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _value(statement: ast.stmt, attribute: str) -> ast.expr | None:
    """Return what a class statement assigns to `attribute`."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    named = any(isinstance(target, ast.Name) and target.id == attribute for target in targets)
    return getattr(statement, "value", None) if named else None
