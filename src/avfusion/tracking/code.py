"""The source of the modules that a model in MLflow needs, so that it loads without avfusion.

They are followed from the imports of a few modules, and from the entries of registries that the
model uses: its fusion and its encoders, of avfusion or of an outside package.
"""

import ast
import importlib.metadata
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from avfusion.fingerprint import imported
from avfusion.io.source import PACKAGE, TOP, location, module_file, parsed
from avfusion.registry import Registry

ALWAYS = ("mlflow", "pandas", "pyarrow")
"""Packages that every model needs; pandas reads tables with pyarrow."""

DATA = (".json", ".onnx", ".safetensors")
"""Files of these kinds are copied, with their licences, if a module next to them names them."""


@dataclass(frozen=True)
class ServedCode:
    """The code behind one model.

    Attributes
    ----------
    roots
        Modules of avfusion that the model imports.
    entries
        Registries and names, or `package.module:Class`, of the entries that it builds.
    """

    roots: tuple[str, ...]
    entries: tuple[tuple[Registry, str], ...]

    @cached_property
    def files(self) -> dict[str, Path]:
        """Path on the Python path -> file, of the modules and the data that these read."""
        entries = (*self._entry_modules, *map(_module, self._outside))
        modules = imported(*self.roots, *entries, *_of_package())
        files = {PACKAGE / "__init__.py"}
        for module in modules:
            if module.partition(".")[0] == TOP and (path := module_file(module)):
                files |= {path, path.parent / "__init__.py", *_data(path)}
        ours = {path.relative_to(PACKAGE.parent).as_posix(): path for path in sorted(files)}
        return ours | self._outside

    def copy(self, folder: Path) -> list[Path]:
        """Copy the code, so that `folder` can be put on the Python path.

        Returns
        -------
        list of Path
            avfusion, and for each entry from outside its modules and the metadata with its entry
            point.
        """
        for name, source in self.files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        for top, points in self._points().items():
            version = "0"
            info = folder / f"{top}-{version}.dist-info"
            info.mkdir()
            about = f"Metadata-Version: 2.1\nName: {top}\nVersion: {version}\n"
            (info / "METADATA").write_text(about)
            if points:
                (info / "entry_points.txt").write_text("".join(points))
        return sorted(folder.iterdir())

    def requirements(self) -> list[str]:
        """Return the packages that the model needs.

        They are the packages that its modules import. For modules of an outside distribution, they
        are what the distribution requires.
        """
        owners = importlib.metadata.packages_distributions()
        tops = {_top(path) for path in self._outside}
        owned = {name for top in tops for name in owners.get(top, [])}
        stated = {r for name in owned for r in importlib.metadata.requires(name) or []}
        loose = [
            file
            for path, file in self.files.items()
            if file.suffix == ".py" and ((top := _top(path)) == TOP or top not in owners)
        ]
        used = {name for top in _imports(loose) - tops for name in owners.get(top, [])}
        used = {_package(name) for name in used | {*ALWAYS}} - {TOP}
        needed = [f"{name}=={importlib.metadata.version(name)}" for name in sorted(used)]
        more = sorted(r for r in stated if "extra ==" not in r and _package(r) not in {*used, TOP})
        return needed + more

    @cached_property
    def _entry_modules(self) -> list[str]:
        return [registry.entry(kind).module for registry, kind in self.entries]

    @cached_property
    def _outside(self) -> dict[str, Path]:
        """Path -> file of the modules outside avfusion that the entries need."""
        files: dict[str, Path] = {}
        for module in self._entry_modules:
            if module.partition(".")[0] != TOP:
                files |= _outside(module)
        return files

    def _points(self) -> dict[str, list[str]]:
        """Return outside package -> its entry points; the registry finds a name by one."""
        points: dict[str, list[str]] = {}
        for registry, kind in self.entries:
            entry = registry.entry(kind)
            if entry.outside:
                listed = points.setdefault(entry.module.partition(".")[0], [])
                if ":" not in kind:
                    listed.append(f"[{registry.group}]\n{kind} = {entry.path}\n")
        return points


def _of_package() -> list[str]:
    """Return the modules that `import avfusion` reads."""
    body = parsed(PACKAGE / "__init__.py").body
    names = [node.module for node in body if isinstance(node, ast.ImportFrom) and node.module]
    return [name for name in names if name.partition(".")[0] == TOP]


def _outside(module: str) -> dict[str, Path]:
    """Return path -> file of the modules outside avfusion that a module of one needs.

    They are the modules of its package, and those next to it that it imports, with their packages.
    """
    files: dict[str, Path] = {}
    tops, done = {module.partition(".")[0]}, {TOP}
    while tops - done:
        for top in sorted(tops - done):
            place = location(top)
            assert place is not None, top
            paths = [place] if place.is_file() else sorted(place.rglob("*.py"))
            files |= {path.relative_to(place.parent).as_posix(): path for path in paths}
        done |= tops
        tops = {name.partition(".")[0] for name in imported(module, *map(_module, files))}
    data = dict(pair for path, file in files.items() for pair in _beside(path, file))
    return files | data


def _beside(path: str, module: Path) -> list[tuple[str, Path]]:
    """Return the data of a module at a path on the Python path, in the same way."""
    folder = Path(path).parent
    return [((folder / f.relative_to(module.parent)).as_posix(), f) for f in _data(module)]


def _data(module: Path) -> set[Path]:
    """Return the files, in the folder of a module or one below, whose names it states."""
    named = {
        node.value
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    listed = [path for pattern in ("*", "*/*") for path in module.parent.glob(pattern)]
    files = {path for path in listed if path.suffix in DATA and path.name in named}
    return files | {licence for path in files for licence in path.parent.glob("LICENSE*")}


def _module(path: str) -> str:
    """Return the module of a path on the Python path; `__init__.py` is that of its folder."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _top(path: str) -> str:
    """Return the top-level package of a path on the Python path."""
    return _module(path).partition(".")[0]


def _imports(files: Iterable[Path]) -> set[str]:
    """Return the top-level packages that files import; an optional one by `extras.needed`."""
    nodes = [node for file in files for node in ast.walk(parsed(file))]
    names = [a.name for node in nodes if isinstance(node, ast.Import) for a in node.names]
    names += [n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module and not n.level]
    calls = [n for n in nodes if isinstance(n, ast.Call) and ast.unparse(n.func) == "needed"]
    given = [call.args[0] for call in calls if call.args]
    names += [str(arg.value) for arg in given if isinstance(arg, ast.Constant)]
    return {name.partition(".")[0] for name in names}


def _package(requirement: str) -> str:
    """Return the name of the package of a requirement such as `scipy>=1.10`."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return match[0].lower() if match else ""
