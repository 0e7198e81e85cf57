"""One registry for corpora, encoders and fusions: a file in the package is an entry.

The file's name is the entry's name, so listing entries and reading their options imports nothing
heavy; the class is imported when it is asked for. Adding an entry is adding a file.
"""

import ast
import difflib
import importlib
from collections.abc import Callable
from pathlib import Path

from avfusion.errors import ConfigError


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
        if name not in self.names():
            near = difflib.get_close_matches(name, self.names(), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ConfigError(
                f"No {self.kind} named {name!r}.{hint} Known: {', '.join(self.names())}."
            )
        return self._folder / f"{name}.py"

    def get(self, name: str) -> type:
        """The entry's class, imported on first use."""
        self.source(name)
        if name not in self._table:
            importlib.import_module(f"{self.package}.{name}")
        if name not in self._table:
            raise ConfigError(f"{self.source(name)} registers no {self.kind} called {name!r}.")
        return self._table[name]

    def options(self, name: str) -> dict[str, str]:
        """Keyword-only options of the entry's constructor with their defaults as source text.

        Read from the syntax tree, so that a study can be checked without importing torch.
        """
        init = [f for f in self._body(name) if isinstance(f, ast.FunctionDef)]
        init = [f for f in init if f.name == "__init__"]
        return _keywords(init[0].args) if init else {}

    def defines(self, name: str, method: str) -> bool:
        """Whether the entry's own class body defines `method`; nothing is imported."""
        return any(isinstance(f, ast.FunctionDef) and f.name == method for f in self._body(name))

    def constant(self, name: str, attribute: str) -> object:
        """Literal value of a class attribute such as `fitted = True`; None where there is none."""
        for node in self._body(name):
            marks = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if any(isinstance(mark, ast.Name) and mark.id == attribute for mark in marks):
                return ast.literal_eval(node.value)
        return None

    def _body(self, name: str) -> list[ast.stmt]:
        """Statements of the entry's class, from the syntax tree."""
        tree = ast.parse(self.source(name).read_text())
        for cls in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            if any(self._adds(mark, name) for mark in cls.decorator_list):
                return cls.body
        return []

    @staticmethod
    def _adds(mark: ast.expr, name: str) -> bool:
        return (
            isinstance(mark, ast.Call)
            and isinstance(mark.func, ast.Attribute)
            and mark.func.attr == "add"
            and isinstance(mark.args[0], ast.Constant)
            and mark.args[0].value == name
        )


def _keywords(args: ast.arguments) -> dict[str, str]:
    pairs = zip(args.kwonlyargs, args.kw_defaults, strict=True)
    return {arg.arg: ast.unparse(default) for arg, default in pairs if default is not None}


corpora = Registry("corpus", "avfusion.corpora")
encoders = Registry("encoder", "avfusion.encoders")
fusions = Registry("fusion", "avfusion.fusion")
