"""Read source code without running it: class attributes, imports, and a hash of the code in use.

A result depends on its input files, its settings and its code. `fingerprint` identifies the code.
It is part of the settings of a job, so a job runs again when code that it uses changes.
"""

import ast
import functools
import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, NamedTuple

from avfusion.errors import ConfigError

PACKAGE = Path(__file__).parent
TOP = "avfusion"
NEUTRAL = {
    f"{TOP}.{name}"
    for name in (
        *("errors", "fingerprint", "layout", "provenance", "registry", "io.yaml"),
        *("config.jobs", "config.load", "config.messages", "config.sections", "config.study"),
        *("config.schedules", "config.validate", "config.validate_features"),
        *("config.validate_select", "config.validate_training", "config.validate_windows"),
    )
}
"""Modules of names, paths, messages and settings, which compute no result."""


class Definition(NamedTuple):
    """A function, class or constant at the top of a module."""

    module: str
    name: str


@functools.cache
def fingerprint(*roots: str, leaving: frozenset[str] = frozenset()) -> str:
    """Hash the definitions that `roots` use, directly or through others.

    Comments, docstrings, layout and the annotations of functions do not count, so wording and
    typing can change without a re-run.

    Parameters
    ----------
    roots
        `"package.module"` (all its definitions) or `"package.module:name"`.
    leaving
        Modules that do not count, because the job does not use them.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    definitions = sorted(used(*roots, leaving=leaving))
    lines = [f"# {module}:{name}\n{_text(module, name)}" for module, name in definitions]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def used(*roots: str, leaving: frozenset[str] = frozenset()) -> set[Definition]:
    """Return the definitions that `roots` use, directly or through others.

    Code of avfusion is followed, and of the packages that hold `roots` with the modules next to
    them. A name that cannot be resolved counts as every definition of its module. The statements of
    a module that define nothing have the name "".
    """
    ours = _followed(root.partition(":")[0] for root in roots)
    leaving = leaving | NEUTRAL
    todo: list[Definition] = []
    for root in roots:
        module, _, name = root.partition(":")
        todo += [Definition(module, name)] if name else _every(module)
    definitions: set[Definition] = set()
    while todo:
        item = todo.pop()
        if item in definitions or item.module in leaving or not ours(item.module):
            continue
        index = _index(item.module, *_stamp(_file(item.module)))
        names = index.names if item.name == "" else index.definitions.get(item.name)
        if names is None:
            origins = index.imports.get(item.name)  # imported into the module from elsewhere
            todo += _targets(origins) if origins else _every(item.module)
            continue
        definitions.add(item)
        todo.append(Definition(item.module, ""))
        for module in index.stars:
            todo += _every(module) if ours(module) else []
        for name, attribute in names:
            if name in index.definitions:
                todo.append(Definition(item.module, name))
            elif name in index.imports:
                todo += _targets(index.imports[name], attribute)
    return definitions


def imported(*modules: str) -> set[str]:
    """Return the modules, and the modules that they import of those that `used` follows."""
    ours = _followed(modules)
    names: set[str] = set()
    todo = list(modules)
    while todo:
        name = todo.pop()
        if name not in names and ours(name) and module_file(name):
            names.add(name)
            index = _index(name, *_stamp(_file(name)))
            todo += index.stars
            for module, attribute in {o for origins in index.imports.values() for o in origins}:
                inner = f"{module}.{attribute}"
                todo.append(inner if attribute and module_file(inner) else module)
    return names


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
    index = _index(module, *_stamp(path))
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


def _followed(modules: Iterable[str]) -> Callable[[str], bool]:
    """Return a test of whether the code of a module is followed from `modules`.

    It is if the module belongs to avfusion, to the packages of `modules`, or lies next to these. In
    a folder of installed packages, what lies next to a package is another project.
    """
    tops = {TOP, *(module.partition(".")[0] for module in modules)}
    places = {place.parent for top in tops - {TOP} if (place := location(top))}
    places = {place for place in places if not any(place.glob("*.dist-info"))}
    known: dict[str, bool] = dict.fromkeys(tops, True)

    def followed(module: str) -> bool:
        top = module.partition(".")[0]
        if top not in known:
            place = location(top) if places and top not in sys.stdlib_module_names else None
            known[top] = place is not None and place.parent in places
        return known[top]

    return followed


def parsed(path: Path) -> ast.Module:
    """Return the cached syntax tree of a file, which must not be modified."""
    return _parsed(*_stamp(path))


class _Index(NamedTuple):
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


def _every(module: str) -> list[Definition]:
    if module in NEUTRAL:
        return []
    names = _index(module, *_stamp(_file(module))).definitions
    return [Definition(module, name) for name in ("", *names)]


def _targets(
    origins: Iterable[tuple[str, str | None]], attribute: str | None = None
) -> list[Definition]:
    """Return the definitions behind an imported name, and behind an attribute of a module."""
    definitions: list[Definition] = []
    for module, name in origins:
        if name is not None and not module_file(f"{module}.{name}"):
            definitions += [Definition(module, name)] if module_file(module) else []
            continue
        path = f"{module}.{name}" if name else module
        if module_file(path):
            definitions += [Definition(path, attribute)] if attribute else _every(path)
    return definitions


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


@functools.lru_cache(maxsize=1000)
def _index(module: str, path: Path, *stamp: int) -> _Index:
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
    return _Index(
        {name: frozenset(pairs) for name, pairs in definitions.items()},
        {name: frozenset(origins) for name, origins in imports.items()},
        tuple(stars),
        frozenset(loose),
        "\n".join(ast.unparse(node) for node in others),
    )


def _origin(node: ast.ImportFrom, module: str, path: Path) -> str:
    """Return the module that a statement imports from, also of `from .layers import X`."""
    if not node.level:
        return node.module or ""
    up = node.level - (path.name == "__init__.py")
    parts = module.split(".")
    return ".".join([*parts[: len(parts) - up], *filter(None, [node.module])])


def _text(module: str, name: str) -> str:
    stamp = _stamp(_file(module))
    return _source(name, *stamp) if name else _index(module, *stamp).statements


@functools.lru_cache(maxsize=10_000)
def _source(name: str, path: Path, *stamp: int) -> str:
    """Return the text of a definition without docstrings and annotations."""
    nodes = [node for node in _bare(path, *stamp).body if name in _defined(node)]
    return "\n".join(ast.unparse(node) for node in nodes)


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
