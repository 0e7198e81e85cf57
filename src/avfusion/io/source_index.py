"""What each module defines and uses, kept between processes, because parsing takes seconds.

`snakemake` follows the code of every rule when it starts, and on a cluster again in every job. The
index of a module is kept in the user's cache under the hash of its file, so an edit is noticed.
"""

import ast
import atexit
import functools
import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple, Self

from avfusion.io.atomic import write_text

Pair = tuple[str, str | None]
KEPT_DAYS = 30
"""Indexes of checkouts that were not used for so long are removed."""


class Index(NamedTuple):
    """The definitions of a module, with the (name, attribute) pairs that each uses."""

    definitions: dict[str, frozenset[Pair]]
    imports: dict[str, frozenset[Pair]]
    """Local name -> (module, name in it), or (module, None) for the module itself; several if
    functions of the module import different things under one name."""
    stars: tuple[str, ...]
    """Modules imported with a star."""
    names: frozenset[Pair]
    """Pairs used by the statements that define nothing."""
    texts: dict[str, str]
    """Definition -> its text without docstrings and annotations of functions; under "" the text of
    the statements that define nothing."""

    def plain(self) -> list:
        """Return the index as JSON can hold it."""
        pairs = [
            {name: sorted(some, key=str) for name, some in each.items()}
            for each in (self.definitions, self.imports)
        ]
        return [*pairs, self.stars, sorted(self.names, key=str), self.texts]

    @classmethod
    def of(cls, plain: list) -> Self:
        """Return the index that `plain` gave."""
        definitions, imports, stars, names, texts = plain
        return cls(_sets(definitions), _sets(imports), tuple(stars), _set(names), texts)


@functools.lru_cache(maxsize=1000)
def index(module: str, path: Path, *stamp: int) -> Index:
    """Return the definitions of the file of a module; `stamp` changes when the file does."""
    data = path.read_bytes()
    key = hashlib.sha256(path.name.encode() + b"\0" + data).hexdigest()
    kept = _kept()
    if module not in kept.entries or kept.entries[module][0] != key:
        kept.entries[module] = [key, _indexed(module, path, data).plain()]
        kept.changed = True
    return Index.of(kept.entries[module][1])


class _Kept:
    """The indexes of one checkout: module -> (hash of its file, index)."""

    def __init__(self, path: Path | None) -> None:
        self.path, self.changed = path, False
        self.entries: dict[str, list] = {}
        try:
            held = json.loads(path.read_bytes()) if path else {}
            if held["of"] == _maker():
                self.entries = dict(held["modules"])
        except (OSError, ValueError, TypeError, KeyError):
            pass  # none yet, or a damaged file: it is made again

    def write(self) -> None:
        """Write what is new; a cache that cannot be written costs time only."""
        if not self.changed or self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for other in self.path.parent.glob("*.json"):
                if other.stat().st_mtime < time.time() - KEPT_DAYS * 86400:
                    other.unlink()
            write_text(self.path, json.dumps({"of": _maker(), "modules": self.entries}))
        except OSError:
            pass


@functools.cache
def _kept() -> _Kept:
    kept = _Kept(_file())
    atexit.register(kept.write)
    return kept


def _file() -> Path | None:
    """Return the file of this checkout in the user's cache; None without a home."""
    named = os.environ.get("XDG_CACHE_HOME")
    try:
        cache = Path(named) if named else Path.home() / ".cache"
    except RuntimeError:
        return None
    place = hashlib.sha256(str(Path(__file__).parents[1]).encode()).hexdigest()[:16]
    return cache / "avfusion" / "code" / f"{place}.{sys.implementation.cache_tag}.json"


@functools.cache
def _maker() -> str:
    """Hash this file and name the Python, on which texts depend: another one makes an index new."""
    return f"{hashlib.sha256(Path(__file__).read_bytes()).hexdigest()} {sys.version}"


def _set(pairs: list) -> frozenset[Pair]:
    return frozenset((name, attribute) for name, attribute in pairs)


def _sets(each: dict[str, list]) -> dict[str, frozenset[Pair]]:
    return {name: _set(pairs) for name, pairs in each.items()}


def _indexed(module: str, path: Path, data: bytes) -> Index:
    tree = _Bare().visit(ast.parse(data))
    imports: dict[str, set[Pair]] = {}
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
    definitions: dict[str, set[Pair]] = {}
    texts: dict[str, list[str]] = {"": []}
    loose: set[Pair] = set()
    for node in tree.body:
        names = defined(node)
        for name in names:
            definitions.setdefault(name, set()).update(_names(node))
            texts.setdefault(name, []).append(ast.unparse(node))
        plain = isinstance(node, ast.Import | ast.ImportFrom | ast.Pass) or _typing_only(node)
        if not names and not plain:
            loose |= _names(node)
            texts[""].append(ast.unparse(node))
    return Index(
        {name: frozenset(pairs) for name, pairs in definitions.items()},
        {name: frozenset(origins) for name, origins in imports.items()},
        tuple(stars),
        frozenset(loose),
        {name: "\n".join(each) for name, each in texts.items()},
    )


def _origin(node: ast.ImportFrom, module: str, path: Path) -> str:
    """Return the module that a statement imports from, also of `from .layers import X`."""
    if not node.level:
        return node.module or ""
    up = node.level - (path.name == "__init__.py")
    parts = module.split(".")
    return ".".join([*parts[: len(parts) - up], *filter(None, [node.module])])


def defined(node: ast.stmt) -> list[str]:
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
