"""Edits that plant a fault; each returns a function of the root of the folder."""

import shutil
from collections.abc import Callable
from pathlib import Path


def line(path: str, number: int, text: str | None) -> Callable[[Path], None]:
    """Set the numbered line (1-based) of a text, or remove it."""

    def plant(root: Path) -> None:
        lines = (root / path).read_text().split("\n")
        lines[number - 1 : number] = [] if text is None else [text]
        (root / path).write_text("\n".join(lines))

    return plant


def rows(path: str, change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    """Change the list of rows below the header."""

    def plant(root: Path) -> None:
        head, *lines = (root / path).read_text().rstrip("\n").split("\n")
        (root / path).write_text("\n".join([head, *change(lines)]) + "\n")

    return plant


def gone(path: str) -> Callable[[Path], None]:
    """Remove a file or a folder."""

    def plant(root: Path) -> None:
        shutil.rmtree(root / path) if (root / path).is_dir() else (root / path).unlink()

    return plant


def copied(path: str, to: str) -> Callable[[Path], None]:
    """Copy a file or a folder."""

    def plant(root: Path) -> None:
        (root / to).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (root / path).is_dir() else shutil.copyfile
        copy(root / path, root / to)

    return plant


def cut(path: str, share: float) -> Callable[[Path], None]:
    """Keep the first part of a file."""

    def plant(root: Path) -> None:
        raw = (root / path).read_bytes()
        (root / path).write_bytes(raw[: int(share * len(raw))])

    return plant
