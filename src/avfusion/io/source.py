"""Read modules without importing them: their files, class attributes, imports and definitions."""

import ast
import functools
import importlib.util
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, NamedTuple

from avfusion.errors import ConfigError

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


class Index(NamedTuple):
    """The definitions of a module, with the (name, attribute) pairs that each uses."""

    definitions: dict[str, frozenset[tuple[str, str | None]]]
    imports: dict[str, frozenset[tuple[str, str | None]]]
    """Local name -> (module, name in it), or (module, None) for the module itself; several if
    functions of the module import different things under one name."""
    stars: tuple[str, ...]
    """Modules imported with a star."""
    names: frozenset[tuple[str, str | None]]
    """Pairs used by the statements that define nothing."""
    statements: str
    """Text of the statements that define nothing."""


def index_of(module: str) -> Index:
    """Return the definitions of a module.

    Raises
    ------
    ModuleNotFoundError
        If the module has no source file.
    """
    return _index(module, *_stamp(_file(module)))


@functools.lru_cache(maxsize=1000)
def _index(module: str, path: Path, *stamp: int) -> Index:
    tree = _bare(path, *stamp)
    imports: dict[str, set[tuple[str, str | None]]] = {}
    stars = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            origin = _origin(node, module, path)
            for a in node.names:
                if a.name == "*":
                    stars.append(origin)
                else:
                    imports.setdefault(a.asname or a.name, set()).add((origin, a.name))
        elif isinstance(node, ast.Import):
            for a in node.names:
                local = a.asname or a.name.partition(".")[0]
                imports.setdefault(local, set()).add((a.name, None))
    definitions: dict[str, set[tuple[str, str | None]]] = {}
    others = []
    for node in tree.body:
        names = _defined(node)
        for name in names:
            definitions.setdefault(name, set()).update(_names(node))
        if not names and not isinstance(node, ast.Import | ast.ImportFrom | ast.Pass):
            others.append(node)
    others = [node for node in others if not _typing_only(node)]
    loose = {pair for node in others for pair in _names(node)}
    return Index(
        {name: frozenset(pairs) for name, pairs in definitions.items()},
        {name: frozenset(origins) for name, origins in imports.items()},
        tuple(stars),
        frozenset(loose),
        "\n".join(ast.unparse(node) for node in others),
    )


def text_of(module: str, name: str) -> str:
    """Return the text of a definition, or of the statements that define nothing for the name ""."""
    stamp = _stamp(_file(module))
    return _source(name, *stamp) if name else _index(module, *stamp).statements


@functools.lru_cache(maxsize=10_000)
def _source(name: str, path: Path, *stamp: int) -> str:
    """Return the text of a definition without docstrings and annotations."""
    nodes = [node for node in _bare(path, *stamp).body if name in _defined(node)]
    return "\n".join(ast.unparse(node) for node in nodes)


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


@functools.lru_cache(maxsize=1000)
def _bare(path: Path, *stamp: int) -> ast.Module:
    """Return the tree without docstrings and without the annotations of functions."""
    return _Bare().visit(ast.parse(path.read_text(encoding="utf-8")))


def _origin(node: ast.ImportFrom, module: str, path: Path) -> str:
    """Return the module that a statement imports from, also of `from .layers import X`."""
    if not node.level:
        return node.module or ""
    up = node.level - (path.name == "__init__.py")
    parts = module.split(".")
    return ".".join([*parts[: len(parts) - up], *filter(None, [node.module])])


def _defined(node: ast.stmt) -> list[str]:
    """Return the names that a statement at the top of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign | ast.AugAssign):
        targets = [node.target]
    return [n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)]


def _names(node: ast.stmt) -> set[tuple[str, str | None]]:
    """Return the names that a statement reads, with the attribute that it reads of them."""
    qualified = {
        id(n.value): (n.value.id, n.attr)
        for n in ast.walk(node)
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
    }
    return {
        qualified.get(id(n), (n.id, None))
        for n in ast.walk(node)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }


def _typing_only(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _value(statement: ast.stmt, attribute: str) -> ast.expr | None:
    """Return what a class statement assigns to `attribute`."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    named = any(isinstance(target, ast.Name) and target.id == attribute for target in targets)
    return getattr(statement, "value", None) if named else None


class _Bare(ast.NodeTransformer):
    """Drops docstrings and the annotations of functions."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.copy_location(ast.Pass(), node) if text else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node
