"""Every file below a corpus' folder with its size and SHA-256, in memory that millions fit into."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from avfusion.io.atomic import replacing

_SHA256 = 32


_SCHEMA = pa.schema([("path", pa.string()), ("bytes", pa.int64()), ("sha256", pa.string())])


_ROWS_A_GROUP = 100_000


@dataclass
class Folder:
    """The files of one folder, by name; columns, because there may be millions."""

    path: str  # relative to the root, "" for the root itself
    packed: pa.Array
    sizes: np.ndarray  # int64 (n,)
    changed_ns: np.ndarray  # int64 (n,)
    digests: np.ndarray  # uint8 (n, 32); zeros where a file was not read
    read: np.ndarray  # bool (n,)

    @property
    def names(self) -> list[str]:
        """Ascending."""
        return self.packed.to_pylist()

    @property
    def paths(self) -> list[str]:
        """Relative to the corpus' root."""
        return [f"{self.path}/{name}" if self.path else name for name in self.names]

    @cached_property
    def at(self) -> dict[str, int]:
        """Row of each name."""
        return {name: row for row, name in enumerate(self.names)}

    def digest(self) -> str:
        """One SHA-256 for all names and contents of the folder."""
        names = "\n".join(self.names).encode()
        return hashlib.sha256(names + self.digests.tobytes()).hexdigest()


@dataclass
class Tree:
    """What lies below a root: `folders` by relative path; `unread` files with the reason."""

    root: Path
    folders: dict[str, Folder]
    unread: dict[str, str] = field(default_factory=dict)
    hidden: int = 0  # files whose names begin with a dot

    def __len__(self) -> int:
        return sum(len(folder.sizes) for folder in self.folders.values())

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(int(folder.sizes.sum()) for folder in self.folders.values())

    def find(self, path: str) -> tuple[int, str | None] | None:
        """Size and SHA-256 of a file; None where there is none, a null digest if unreadable."""
        place = PurePosixPath(path)
        folder = self.folders.get("" if str(place.parent) == "." else str(place.parent))
        row = None if folder is None else folder.at.get(place.name)
        if folder is None or row is None:
            return None
        digest = folder.digests[row].tobytes().hex() if folder.read[row] else None
        return int(folder.sizes[row]), digest

    def below(self, path: str) -> list[Folder]:
        """A folder and all that lie in it."""
        return [f for name, f in self.folders.items() if f"{name}/".startswith(f"{path}/")]

    def write(self, path: Path) -> str:
        """fingerprints.parquet (path, bytes, sha256); returns one SHA-256 for the whole tree."""
        whole = hashlib.sha256()
        with replacing(path) as half, pq.ParquetWriter(half, _SCHEMA) as out:
            held: list[pa.Table] = []
            for folder in self.folders.values():
                table = _rows(folder)
                for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
                    whole.update("{}\t{}\t{}\n".format(*row).encode())
                held.append(table)
                if sum(map(len, held)) >= _ROWS_A_GROUP:
                    out.write_table(pa.concat_tables(held))
                    held = []
            out.write_table(pa.concat_tables([*held, _SCHEMA.empty_table()]))
        return whole.hexdigest()


def _rows(folder: Folder) -> pa.Table:
    hexed = folder.digests.tobytes().hex()
    sums = [
        hexed[2 * _SHA256 * i : 2 * _SHA256 * (i + 1)] if read else None
        for i, read in enumerate(folder.read.tolist())
    ]
    columns = [
        pa.array(folder.paths, pa.string()),
        pa.array(folder.sizes),
        pa.array(sums, pa.string()),
    ]
    return pa.table(columns, schema=_SCHEMA)
