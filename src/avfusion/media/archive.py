"""Write a ZIP of stored members in constant memory.

zipfile keeps one object per member until it closes, which is 40 MB for an hour of faces. Here each
directory entry is written to a temporary file at once and copied after the members at the end.
Format: PKWARE APPNOTE 6.3, stored members, ZIP64 where counts or offsets require it.
"""

import shutil
import struct
import tempfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import Self

_DOS_DATE = 0x21  # 1980-01-01: a date would make equal content differ


_LIMIT_16, _LIMIT_32 = 0xFFFF, 0xFFFFFFFF


class StoredZip:
    """Writer of stored members; the file is a valid ZIP after `close`."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._directory = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 (closed below)
        self._count = 0
        self._offset = 0

    def add(self, name: str, content: bytes) -> None:
        """Append one member; names must be unique and the content smaller than 4 GB."""
        raw, size = name.encode("ascii"), len(content)
        extra = b"" if self._offset < _LIMIT_32 else struct.pack("<HHQ", 1, 8, self._offset)
        version = 45 if extra else 20
        shared = struct.pack(
            "<4H3IH", 0, 0, 0, _DOS_DATE, zlib.crc32(content), size, size, len(raw)
        )
        local = b"PK\x03\x04" + struct.pack("<H", version) + shared + struct.pack("<H", 0) + raw
        place = struct.pack("<4H2I", len(extra), 0, 0, 0, 0, min(self._offset, _LIMIT_32))
        entry = b"PK\x01\x02" + struct.pack("<2H", version, version) + shared + place + raw + extra
        self._directory.write(entry)
        self._file.write(local)
        self._file.write(content)
        self._offset += len(local) + len(content)
        self._count += 1

    def close(self) -> None:
        """Write the directory and the end records."""
        start, size, count = self._offset, self._directory.tell(), self._count
        self._directory.seek(0)
        shutil.copyfileobj(self._directory, self._file)
        self._directory.close()
        if count >= _LIMIT_16 or start + size >= _LIMIT_32:
            at = start + size
            wide = (44, 45, 45, 0, 0, count, count, size, start)
            self._file.write(struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", *wide))
            self._file.write(struct.pack("<4sIQI", b"PK\x06\x07", 0, at, 1))
        few, low, begin = min(count, _LIMIT_16), min(size, _LIMIT_32), min(start, _LIMIT_32)
        self._file.write(struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, few, few, low, begin, 0))
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
