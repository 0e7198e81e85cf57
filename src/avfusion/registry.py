"""Registries of corpora, encoders, fusions and losses, whose entries are decorated classes.

An entry is found by its decorator in the source text, so listing entries and reading their options
imports nothing heavy. The class is imported on first use. Entries come from three places:

- this package: a class or function under `@fusions.add("name")` anywhere below `avfusion/fusion`;
- an installed package: an entry point `name = "package.module:Class"` in the group
  `avfusion.corpora`, `avfusion.encoders`, `avfusion.fusions` or `avfusion.losses`;
- the config: `is: package.module:Class` (of an installed package, or of the working folder).
"""

import ast
import difflib
import functools
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points, packages_distributions, version
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from avfusion.errors import ConfigError
from avfusion.io.source import TOP, constant, lineage, module_file, parsed

DERIVED = ("outputs", "modality")
"""Constructor arguments that follow from the study: the number of targets, and the modality under
which `features` lists an encoder."""

T = TypeVar("T")


class Entry(NamedTuple):
    """Where the class or function of an entry is defined."""

    module: str
    definition: str

    @property
    def path(self) -> str:
        """`package.module:Class`."""
        return f"{self.module}:{self.definition}"

    @property
    def outside(self) -> bool:
        """Whether the code is not part of avfusion."""
        return self.module.partition(".")[0] != TOP


class Registry:
    """Entries of one kind.

    Parameters
    ----------
    kind
        What an entry is called in messages, such as `"fusion"`.
    package
        Package that is searched for decorated definitions, including its subpackages.
    name
        Name of this registry's variable in the decorators; `avfusion.<name>` is the group of entry
        points.
    """

    def __init__(self, kind: str, package: str, name: str) -> None:
        self.kind = kind
        self.package = package
        self.group = f"{TOP}.{name}"
        self._decorator = re.compile(rf'^@(?:\w+\.)*{name}\.add\("(\w+)"\)', re.MULTILINE)

    def add(self, name: str) -> Callable[[T], T]:
        """Mark a class or function as the entry `name` (decorator).

        The mark is read from the source text. It registers nothing at run time, so importing a copy
        of a module outside the package cannot replace an entry.
        """
        del name
        return lambda definition: definition

    def names(self) -> list[str]:
        """Return the sorted names of all entries, without importing them."""
        return sorted({*self._inside, *self._installed})

    def entry(self, name: str) -> Entry:
        """Return where an entry is defined.

        Parameters
        ----------
        name
            A registered name, or `package.module:Class`.

        Raises
        ------
        ConfigError
            If there is no such entry; the message names the nearest one.
        """
        if ":" in name:
            return self._named(name)
        if name in self._inside:
            return self._inside[name]
        if name in self._installed:
            point = self._installed[name]
            return self._named(point.value)
        known = self.names()
        raise ConfigError(
            f"No {self.kind} named {name!r}.{near(name, known)} Known: {', '.join(known)}; or name "
            f"a class as package.module:Class."
        )

    def known(self, name: str) -> bool:
        """Return whether `name` is an entry."""
        try:
            self.entry(name)
        except ConfigError:
            return False
        return True

    def source(self, name: str) -> Path:
        """Return the file that defines an entry."""
        path = module_file(self.entry(name).module)
        assert path is not None
        return path

    def module(self, name: str) -> str:
        """Return the import path of the module that defines an entry."""
        return self.entry(name).module

    def code(self, name: str) -> str:
        """Return `package.module:Class` of an entry, as `fingerprint` takes it."""
        return self.entry(name).path

    def get(self, name: str) -> Any:
        """Return an entry's class or function, imported on first use."""
        entry = self.entry(name)
        return getattr(_import(entry.module), entry.definition)

    def options(self, name: str) -> dict[str, str]:
        """Return the keyword-only options of an entry's constructor with defaults as source text.

        They are read from the syntax tree, so that a study can be checked without importing torch.
        Arguments that follow from the study (`DERIVED`) are left out.
        """
        return {arg.arg: ast.unparse(default) for arg, default in self._keywords(name)}

    def annotations(self, name: str) -> dict[str, str]:
        """Return option -> annotation as source text, for options that have one."""
        args = [arg for arg, _ in self._keywords(name)]
        return {arg.arg: ast.unparse(arg.annotation) for arg in args if arg.annotation}

    def defines(self, name: str, method: str) -> bool:
        """Return whether a class, or one of its bases except the common one, defines `method`."""
        return any(
            isinstance(f, ast.FunctionDef) and f.name == method
            for module, cls in lineage(*self.entry(name))
            if module != f"{self.package}.base"
            for f in cls.body
        )

    def constant(self, name: str, attribute: str) -> Any:
        """Return the value of a class attribute such as `fitted = True`, defined or inherited."""
        return constant(*self.entry(name), attribute)

    def docstrings(self, name: str) -> tuple[str, str]:
        """Return the docstrings of an entry's definition and of its file; "" without one."""
        entry, tree = self.entry(name), parsed(self.source(name))
        nodes = (n for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef))
        node = next(node for node in nodes if node.name == entry.definition)
        return ast.get_docstring(node) or "", ast.get_docstring(tree) or ""

    def origin(self, name: str) -> str:
        """Return `package.module:Class` with the version of its package, for provenance."""
        entry = self.entry(name)
        packages = packages_distributions().get(entry.module.partition(".")[0], [])
        if packages:
            return f"{entry.path} {version(packages[0])}"
        file = module_file(entry.module) or Path()
        return f"{entry.path} {os.path.relpath(file)}"

    @functools.cached_property
    def _inside(self) -> dict[str, Entry]:
        """Map name -> entry of this package, from the decorators in its source text."""
        init = module_file(self.package)
        assert init is not None, self.package
        entries: dict[str, Entry] = {}
        for path in sorted(init.parent.rglob("*.py")):
            if not self._decorator.search(path.read_text(encoding="utf-8")):
                continue
            parts = path.relative_to(init.parent).with_suffix("").parts
            module = ".".join([self.package, *parts]).removesuffix(".__init__")
            for node in parsed(path).body:
                if isinstance(node, ast.ClassDef | ast.FunctionDef):
                    for name in self._names_of(node):
                        if name in entries:
                            both = f"{entries[name].path} and {module}:{node.name}"
                            raise ConfigError(f"Two definitions of {self.kind} {name!r}: {both}.")
                        entries[name] = Entry(module, node.name)
        return entries

    @functools.cached_property
    def _installed(self) -> dict[str, EntryPoint]:
        """Map name -> entry point of an installed package."""
        points: dict[str, EntryPoint] = {}
        for point in entry_points(group=self.group):
            taken = self._inside.get(point.name, points.get(point.name))
            if taken is not None and getattr(taken, "value", "") != point.value:
                first = taken.path if isinstance(taken, Entry) else taken.value
                raise ConfigError(
                    f"Two definitions of {self.kind} {point.name!r}: {first} and {point.value}. "
                    f"Uninstall one package, or rename its entry point."
                )
            points[point.name] = point
        return points

    def _names_of(self, node: ast.ClassDef | ast.FunctionDef) -> list[str]:
        marks = (f"@{ast.unparse(mark)}".replace("'", '"') for mark in node.decorator_list)
        return [match[1] for mark in marks if (match := self._decorator.match(mark))]

    def _named(self, path: str) -> Entry:
        """Return the entry of `package.module:Class`; raise ConfigError if it does not exist."""
        module, _, definition = path.partition(":")
        file = module_file(module)
        if file is None:
            raise ConfigError(
                f"{self.kind} {path!r}: no module {module!r}. Install its package into this "
                f"environment, or run the command in the folder that contains it."
            )
        nodes = [n for n in parsed(file).body if isinstance(n, ast.ClassDef | ast.FunctionDef)]
        if definition not in [node.name for node in nodes]:
            listed = [node.name for node in nodes]
            raise ConfigError(
                f"{self.kind} {path!r}: {file} defines no {definition!r}."
                f"{near(definition, listed)} It defines: {', '.join(listed) or 'nothing'}."
            )
        return Entry(module, definition)

    def _keywords(self, name: str) -> list[tuple[ast.arg, ast.expr]]:
        """Return keyword-only arguments and defaults of the constructor, which may be inherited.

        A constructor with `**options` passes them on, so it has those of its base too.
        """
        keywords: dict[str, tuple[ast.arg, ast.expr]] = {}
        for _, cls in lineage(*self.entry(name)):
            for f in cls.body:
                if isinstance(f, ast.FunctionDef) and f.name == "__init__":
                    pairs = zip(f.args.kwonlyargs, f.args.kw_defaults, strict=True)
                    for a, d in pairs:
                        if d is not None and a.arg not in DERIVED:
                            keywords.setdefault(a.arg, (a, d))
                    if f.args.kwarg is None:
                        return list(keywords.values())
        return list(keywords.values())


def near(name: str, known: Iterable[str]) -> str:
    """Return a hint for an error message: " Did you mean 'jca'?", or "" if nothing is near.

    >>> near("jac", ["ca", "jca", "concat"])
    " Did you mean 'jca'?"
    """
    matches = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {matches[0]!r}?" if matches else ""


def _import(module: str) -> Any:
    """Import a module of an installed package or of the working folder."""
    here = str(Path.cwd())
    try:
        if here not in sys.path and importlib.util.find_spec(module.partition(".")[0]) is None:
            sys.path.append(here)
    except ValueError:
        pass  # already imported without a specification
    return importlib.import_module(module)


corpora = Registry("corpus", "avfusion.corpora", "corpora")
encoders = Registry("encoder", "avfusion.encoders", "encoders")
fusions = Registry("fusion", "avfusion.fusion", "fusions")
losses = Registry("loss", "avfusion.training", "losses")
