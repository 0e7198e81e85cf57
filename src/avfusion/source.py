"""Reads avfusion's own source without running it: what a class states, and a name for code.

A job's numbers follow from its input files, its settings and its code. `fingerprint` is the third:
it goes into the settings, so a run of other code is another run, as one of another `lr` is.
"""

import ast
import functools
import hashlib
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent
SPINE = {
    f"avfusion.{name}"
    for name in ("errors", "faults", "layout", "registry", "settings", "source", "yamls")
}
"""Names, paths and messages; no number passes through them."""


@functools.cache
def fingerprint(*modules: str) -> str:
    """Hash of modules and of all avfusion modules that they import, themselves or through others.

    Comments, docstrings and layout do not count, so wording can change without a re-run.
    """
    names = reached(*modules, leaving=frozenset(SPINE))
    text = "\n".join(f"# {name}\n{_wordless(*_stamp(_file(name)))}" for name in sorted(names))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def reached(*modules: str, leaving: frozenset[str] = frozenset()) -> set[str]:
    """The modules and all avfusion modules that they import, themselves or through others."""
    found: set[str] = set()
    todo = list(modules)
    while todo:
        name = todo.pop()
        if name not in found and name not in leaving:
            found.add(name)
            todo += set(_imports(*_stamp(_file(name))).values())
    return found


def constant(module: str, cls: str, attribute: str) -> Any:
    """Literal value of a class attribute, its own or inherited; None where there is none."""
    tree = parsed(_file(module))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == cls:
            own = [_value(statement, attribute) for statement in node.body]
            stated = [value for value in own if value is not None]
            if stated:
                return ast.literal_eval(stated[-1])
            return _inherited(module, node, attribute)
    return None


def module_file(module: str) -> Path | None:
    """The file of `avfusion.a.b`; None for what is not a module of avfusion."""
    head, *parts = module.split(".")
    if head != "avfusion":
        return None
    stem = PACKAGE.joinpath(*parts)
    for path in (stem.with_name(f"{stem.name}.py"), stem / "__init__.py"):
        if parts and path.is_file():
            return path
    return None


def parsed(path: Path) -> ast.Module:
    """A file's syntax tree, not to be changed: read once as long as the file stays as it is."""
    return _parsed(*_stamp(path))


def _file(module: str) -> Path:
    path = module_file(module)
    if path is None:
        raise ModuleNotFoundError(f"avfusion has no module {module!r}.")
    return path


def _stamp(path: Path) -> tuple[Path, int, int]:
    """The file, and what changes when it is written."""
    state = path.stat()
    return path, state.st_mtime_ns, state.st_size


@functools.lru_cache(maxsize=1000)
def _parsed(path: Path, *stamp: int) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.lru_cache(maxsize=1000)
def _wordless(path: Path, *stamp: int) -> str:
    """Source without comments, docstrings and layout."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return ast.unparse(_WithoutWords().visit(tree))


@functools.lru_cache(maxsize=1000)
def _imports(path: Path, *stamp: int) -> dict[str, str]:
    """Local name -> the avfusion module that it comes from."""
    found = {}
    for node in ast.walk(_parsed(path, *stamp)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                own = f"{node.module}.{alias.name}"
                found[alias.asname or alias.name] = own if module_file(own) else node.module
        elif isinstance(node, ast.Import):
            found |= {alias.asname or alias.name: alias.name for alias in node.names}
    return {name: module for name, module in found.items() if module_file(module)}


def _inherited(module: str, node: ast.ClassDef, attribute: str) -> Any:
    origin = _imports(*_stamp(_file(module)))
    for base in (ast.unparse(base) for base in node.bases):
        found = constant(origin.get(base, module), base, attribute)
        if found is not None:
            return found
    return None


def _value(statement: ast.stmt, attribute: str) -> ast.expr | None:
    """What a class statement assigns to `attribute`."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    named = any(isinstance(target, ast.Name) and target.id == attribute for target in targets)
    return statement.value if named else None


class _WithoutWords(ast.NodeTransformer):
    """Drops docstrings: statements that are a text alone."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        words = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.copy_location(ast.Pass(), node) if words else node
