"""One registry for corpora, encoders and fusions: a file in the package is an entry.

The file's name is the entry's name, so listing entries and reading their options imports nothing
heavy; the class is imported when it is asked for. Adding an entry is adding a file.
"""

import ast
import difflib
import importlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from avfusion.errors import ConfigError
from avfusion.source import constant, parsed

GIVEN = ("outputs",)
"""Arguments that follow from the corpus: how many targets a fusion's head has."""


class Registry:
    """Entries of one kind: the public modules of `package`, each holding one `add`-ed class."""

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._table: dict[str, type] = {}
        self._folder = Path(__file__).parent / package.rpartition(".")[2]

    def add(self, name: str) -> Callable[[type], type]:
        """Class decorator; `name` must be the module's own, so that the file can be found by it."""

        def register(cls: type) -> type:
            if cls.__module__.rpartition(".")[2] != name:
                raise ConfigError(f"{self.kind} {name!r} must live in a file called {name}.py.")
            self._table[name] = cls
            return cls

        return register

    def names(self) -> list[str]:
        """Every entry, sorted; nothing is imported."""
        files = self._folder.glob("*.py")
        return sorted(f.stem for f in files if not f.stem.startswith("_") and f.stem != "base")

    def source(self, name: str) -> Path:
        """The file that defines the entry; refuses an unknown name with the nearest known one."""
        path = self._folder / f"{name}.py"
        if name.startswith("_") or name == "base" or not path.is_file():
            known = self.names()
            raise ConfigError(
                f"No {self.kind} named {name!r}.{near(name, known)} Known: {', '.join(known)}."
            )
        return path

    def get(self, name: str) -> type:
        """The entry's class, imported on first use."""
        self.source(name)
        if name not in self._table:
            importlib.import_module(self.module(name))
        if name not in self._table:
            raise ConfigError(f"{self.source(name)} registers no {self.kind} called {name!r}.")
        return self._table[name]

    def options(self, name: str) -> dict[str, str]:
        """Keyword-only options of the entry's constructor with their defaults as source text.

        Read from the syntax tree, so that a study can be checked without importing torch. What the
        corpus settles (`GIVEN`) is no option.
        """
        return {arg.arg: ast.unparse(default) for arg, default in self._keywords(name)}

    def annotations(self, name: str) -> dict[str, str]:
        """Option -> its annotation as source text, of those that have one; nothing is imported."""
        args = [arg for arg, _ in self._keywords(name)]
        return {arg.arg: ast.unparse(arg.annotation) for arg in args if arg.annotation}

    def defines(self, name: str, method: str) -> bool:
        """Whether the entry's own class defines `method`; nothing is imported."""
        cls = self._class(name)
        body = cls.body if cls else []
        return any(isinstance(f, ast.FunctionDef) and f.name == method for f in body)

    def constant(self, name: str, attribute: str) -> Any:
        """Value of a class attribute such as `fitted = True`, own or inherited; else None."""
        cls = self._class(name)
        return constant(self.module(name), cls.name, attribute) if cls else None

    def module(self, name: str) -> str:
        """Import path of the entry's file."""
        return f"{self.package}.{name}"

    def _keywords(self, name: str) -> list[tuple[ast.arg, ast.expr]]:
        """Keyword-only arguments of the constructor that have a default."""
        cls = self._class(name)
        init = [f for f in cls.body if isinstance(f, ast.FunctionDef)] if cls else []
        init = [f.args for f in init if f.name == "__init__"]
        pairs = zip(init[0].kwonlyargs, init[0].kw_defaults, strict=True) if init else ()
        return [(arg, d) for arg, d in pairs if d is not None and arg.arg not in GIVEN]

    def _class(self, name: str) -> ast.ClassDef | None:
        """The `add`-ed class, from the syntax tree."""
        tree = parsed(self.source(name))
        for cls in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            if any(self._adds(mark, name) for mark in cls.decorator_list):
                return cls
        return None

    @staticmethod
    def _adds(mark: ast.expr, name: str) -> bool:
        return (
            isinstance(mark, ast.Call)
            and isinstance(mark.func, ast.Attribute)
            and mark.func.attr == "add"
            and isinstance(mark.args[0], ast.Constant)
            and mark.args[0].value == name
        )


def near(name: str, known: Iterable[str]) -> str:
    """The hint of a refusal: " Did you mean 'jca'?", or nothing if no known name is near.

    >>> near("jac", ["ca", "jca", "concat"])
    " Did you mean 'jca'?"
    """
    found = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {found[0]!r}?" if found else ""


corpora = Registry("corpus", "avfusion.corpora")
encoders = Registry("encoder", "avfusion.encoders")
fusions = Registry("fusion", "avfusion.fusion")
