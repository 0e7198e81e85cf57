"""Follow the code that a job uses, and hash it.

A result depends on its input files, its settings and its code. `fingerprint` identifies the code.
It is part of the settings of a job, so a job runs again when code that it uses changes.
"""

import functools
import hashlib
import sys
from collections.abc import Callable, Iterable
from typing import NamedTuple

from avfusion.io.source import TOP, index_of, location, module_file, text_of

NEUTRAL = {
    f"{TOP}.{name}"
    for name in (
        *("errors", "fingerprint", "io.source", "io.source_index", "io.yaml"),
        *("layout", "provenance", "registry"),
        *("config.entries", "config.jobs", "config.load", "config.messages"),
        *("config.sections", "config.study", "config.training"),
        "encoders.cost",
        *("corpora.obtain.answers", "corpora.obtain.client", "corpora.obtain.connection"),
        "corpora.obtain.hosts",
        *("corpora.obtain.lfs", "corpora.obtain.progress", "corpora.obtain.remote"),
        *(
            "corpora.obtain.run",
            "corpora.obtain.source",
            "corpora.obtain.unpack",
            "corpora.obtain.zenodo",
        ),
        *("corpora.crema_d.source", "corpora.ravdess.source"),
        *("config.schedules", "config.validate", "config.validate_features"),
        *("config.validate_options", "config.validate_select"),
        *("config.validate_training", "config.validate_verification", "config.validate_windows"),
    )
}
"""Modules of names, paths, messages and settings, which compute no result."""

MOVED = {f"{TOP}.metrics.concordance": f"{TOP}.metrics.ccc"}
"""Module -> its earlier name, which stays in hashes, so that no job runs again after the move."""


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
    every = used(*roots, leaving=leaving)
    definitions = sorted((MOVED.get(module, module), name, module) for module, name in every)
    lines = [f"# {label}:{name}\n{text_of(module, name)}" for label, name, module in definitions]
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
        index = index_of(item.module)
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
            index = index_of(name)
            todo += index.stars
            for module, attribute in {o for origins in index.imports.values() for o in origins}:
                inner = f"{module}.{attribute}"
                todo.append(inner if attribute and module_file(inner) else module)
    return names


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


def _every(module: str) -> list[Definition]:
    if module in NEUTRAL:
        return []
    names = index_of(module).definitions
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
