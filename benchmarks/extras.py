"""Measure what each optional package adds to the environment, in MB.

Counted are the installed files of the package and of what it needs, without what the lock of the
base environment has already and without bytecode. Run it where the packages are installed:

    make extras
    python benchmarks/extras.py --out benchmarks/results/extras.json
"""

import argparse
import re
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from machine import finish

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    base = locked(ROOT / "envs" / "requirements.txt")
    rows, everything = [], set()
    for extra, needed in project["optional-dependencies"].items():
        names = closure({Requirement(text).name for text in needed}) - base
        everything |= names
        rows.append(row(extra, names))
    rows.append(row("all of them", everything))
    what = (
        "Size of the installed files of each optional package and of what it needs, without what "
        "the base environment has. Packages that several need are counted in each row."
    )
    finish({"title": "Optional packages", "what": what, "rows": rows}, out)


def locked(path: Path) -> set[str]:
    """Return the names in a lock."""
    return {plain(n) for n in re.findall(r"^([A-Za-z0-9._-]+)==", path.read_text(), re.MULTILINE)}


def closure(names: set[str]) -> set[str]:
    """Return packages with all that they need on this machine."""
    found: set[str] = set()
    waiting = {plain(name) for name in names}
    while waiting:
        name = waiting.pop()
        found.add(name)
        for text in metadata.requires(name) or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                waiting |= {plain(needed.name)} - found
    return found


def row(extra: str, names: set[str]) -> dict[str, str]:
    """Return one row of the table."""
    files = {Path(f.locate()) for name in names for f in metadata.files(name) or []}
    size = sum(f.stat().st_size for f in files if f.is_file() and f.suffix != ".pyc")
    mb = size / 1e6
    return {"measure": extra, "packages": str(len(names)), "found": f"{mb:.0f} MB"}


def plain(name: str) -> str:
    """Return a package's name in its normal form."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
