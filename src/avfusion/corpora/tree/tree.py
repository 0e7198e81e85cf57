"""Every file below a folder with its size and SHA-256, compact enough for millions of files."""

import hashlib
import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from avfusion.io.atomic import replacing

_SHA256 = 32
_SCHEMA = pa.schema([("path", pa.string()), ("bytes", pa.int64()), ("sha256", pa.string())])
_GROUP_ROWS = 100_000


@dataclass
class Folder:
    """The files of one folder, sorted by name, in columns.

    Parameters
    ----------
    path
        Path relative to the root; "" is the root itself.
    packed
        Names of the n files.
    sizes
        Bytes, int64 (n,).
    changed_ns
        Modification times, int64 (n,).
    digests
        SHA-256, uint8 (n, 32); zeros where a file was not read.
    read
        Whether each file was read, bool (n,).
    source
        Path under which these files are counted and fingerprinted, if `path` leads to them through
        a link; else None.
    """

    path: str
    packed: pa.Array
    sizes: np.ndarray
    changed_ns: np.ndarray
    digests: np.ndarray
    read: np.ndarray
    source: str | None = None

    def under(self, path: str) -> "Folder":
        """Return this folder under the path of a link; digests of one are those of both."""
        return replace(self, path=path, source=self.path)

    @property
    def names(self) -> list[str]:
        """Names of the files, ascending."""
        return self.packed.to_pylist()

    @property
    def paths(self) -> list[str]:
        """Paths of the files, relative to the root."""
        return [f"{self.path}/{name}" if self.path else name for name in self.names]

    @cached_property
    def at(self) -> dict[str, int]:
        """Row of each name."""
        return {name: row for row, name in enumerate(self.names)}

    def digest(self) -> str:
        """Return one SHA-256 of all names and contents of the folder."""
        names = "\n".join(self.names).encode()
        return hashlib.sha256(names + self.digests.tobytes()).hexdigest()


@dataclass
class Tree:
    """All files below a root.

    Parameters
    ----------
    root
        The root.
    folders
        Relative path -> folder; those behind links to folders of the corpus come last.
    unread
        Relative path -> reason, of files and folders that could not be read.
    hidden
        Number of files whose names begin with a dot.
    outside
        Links that lead out of the root, relative path -> where to; they are not followed.
    """

    root: Path
    folders: dict[str, Folder]
    unread: dict[str, str] = field(default_factory=dict)
    hidden: int = 0
    outside: dict[str, str] = field(default_factory=dict)

    @property
    def real(self) -> list[Folder]:
        """The folders without those that are others under the path of a link."""
        return [folder for folder in self.folders.values() if folder.source is None]

    def __len__(self) -> int:
        return sum(len(folder.sizes) for folder in self.real)

    @property
    def bytes(self) -> int:
        """Total size of all files in bytes."""
        return sum(int(folder.sizes.sum()) for folder in self.real)

    def find(self, path: str) -> tuple[int, str | None] | None:
        """Return size and SHA-256 of a file; None if it is missing, a null digest if unreadable."""
        listed = self._find(path)
        if listed is not None or ".." in PurePosixPath(path).parts:
            return listed
        real = os.path.realpath(self.root / path)
        below = os.path.relpath(real, os.path.realpath(self.root))  # through a link of the corpus
        return None if below in (path, ".") or below.startswith("..") else self._find(below)

    def _find(self, path: str) -> tuple[int, str | None] | None:
        place = PurePosixPath(path)
        folder = self.folders.get("" if str(place.parent) == "." else str(place.parent))
        row = None if folder is None else folder.at.get(place.name)
        if folder is None or row is None:
            return None
        digest = folder.digests[row].tobytes().hex() if folder.read[row] else None
        return int(folder.sizes[row]), digest

    def write(self, path: Path) -> str:
        """Write fingerprints.parquet (path, bytes, sha256); return one SHA-256 of the tree."""
        digest = hashlib.sha256()
        with replacing(path) as half, pq.ParquetWriter(half, _SCHEMA) as out:
            pending: list[pa.Table] = []
            for folder in self.real:
                table = _rows(folder)
                for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
                    digest.update("{}\t{}\t{}\n".format(*row).encode())
                pending.append(table)
                if sum(map(len, pending)) >= _GROUP_ROWS:
                    out.write_table(pa.concat_tables(pending))
                    pending = []
            out.write_table(pa.concat_tables([*pending, _SCHEMA.empty_table()]))
        return digest.hexdigest()


def _rows(folder: Folder) -> pa.Table:
    text = folder.digests.tobytes().hex()
    digests = [
        text[2 * _SHA256 * i : 2 * _SHA256 * (i + 1)] if read else None
        for i, read in enumerate(folder.read.tolist())
    ]
    columns = [
        pa.array(folder.paths, pa.string()),
        pa.array(folder.sizes),
        pa.array(digests, pa.string()),
    ]
    return pa.table(columns, schema=_SCHEMA)
