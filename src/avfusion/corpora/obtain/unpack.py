"""Unpack a ZIP archive safely: nothing outside its folder, no links, no more than it states."""

import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from avfusion.corpora.obtain.part import open_part
from avfusion.errors import AvfError

_CHUNK = 1 << 20


class UnpackError(AvfError):
    """An archive is damaged, or holds what must not be written."""


def members(archive: Path) -> list[zipfile.ZipInfo]:
    """Return the files of an archive, after checking where each would be written.

    Raises
    ------
    UnpackError
        If it is no ZIP archive, or a member lies outside the folder, is a link, is encrypted, is
        listed twice or is also a folder.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            infos = [info for info in opened.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise UnpackError(f"{archive}: not a ZIP archive that can be read: {error}.") from None
    seen: set[str] = set()
    folders = {_folded(str(p)) for info in infos for p in PurePosixPath(info.filename).parents}
    for info in infos:
        if fault := _fault(info, seen, folders):
            raise UnpackError(
                f"{archive}: {info.filename!r} {fault}. Nothing was unpacked. The archive is not "
                "what its source describes."
            )
        seen.add(_folded(info.filename))
    return infos


def unpack(
    archive: Path, folder: Path, path_of: Callable[[str], str | None] = lambda name: name
) -> dict[str, int]:
    """Unpack the files of an archive; files that are there with the same content stay.

    Parameters
    ----------
    archive
        The archive.
    folder
        Folder that is written to.
    path_of
        Returns the path that a member is written to, or None to leave it out.

    Returns
    -------
    dict
        Path of each file, relative to `folder` -> its CRC-32.

    Raises
    ------
    UnpackError
        As `members`, if two members have one path, if the disk is too small, or if a file differs
        from its CRC-32.
    """
    named = [(info, path_of(info.filename)) for info in members(archive)]
    wanted: dict[str, zipfile.ZipInfo] = {}
    for info, path in named:
        if path in wanted:
            raise UnpackError(
                f"{archive}: {wanted[path].filename} and {info.filename} are both {path}. Nothing "
                "was unpacked. The archive is not what its source describes."
            )
        if path is not None:
            wanted[path] = info
    left = {p: info for p, info in wanted.items() if not _there(folder / p, info)}
    size = sum(info.file_size for info in left.values())
    free = shutil.disk_usage(archive.parent).free
    if size > free:
        raise UnpackError(
            f"{archive}: its content needs {size / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free. "
            "Free some space, then run the same command again."
        )
    with zipfile.ZipFile(archive) as opened:
        for path, info in left.items():
            _write(opened, info, folder / path, archive)
    return {path: info.CRC for path, info in wanted.items()}


def _write(opened: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, archive: Path) -> None:
    """Write one member, which gets its name when it is complete.

    What a killed process left half-written has the same name, and is written again.
    """
    part = path.with_name(f"{path.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        with opened.open(info) as packed, open_part(part) as out:
            shutil.copyfileobj(packed, out, _CHUNK)
            if out.tell() != info.file_size:
                raise zipfile.BadZipFile(f"{out.tell():,} bytes, stated {info.file_size:,}")
            out.flush()
            os.fsync(out.fileno())
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        part.unlink()
        raise UnpackError(
            f"{archive}: {info.filename} is damaged: {error}. Delete the archive, then run the "
            "same command again."
        ) from None
    part.replace(path)


def _fault(info: zipfile.ZipInfo, seen: set[str], folders: set[str]) -> str:
    """Return why a member must not be written; empty if it may."""
    name = info.filename
    parts = PurePosixPath(name).parts
    kind = stat.S_IFMT(info.external_attr >> 16)
    if name.startswith("/") or "\\" in name or ".." in parts or ":" in name or "\0" in name:
        return "lies outside the folder"
    if kind not in (0, stat.S_IFREG):
        return "is a link or a device"
    if info.flag_bits & 1:
        return "is encrypted"
    if _folded(name) in folders:
        return "is a file and a folder"
    return "is listed twice" if _folded(name) in seen else ""


def _folded(name: str) -> str:
    """Return the name as a file system without upper case would see it."""
    return str(PurePosixPath(name)).casefold()


def _there(path: Path, info: zipfile.ZipInfo) -> bool:
    """Return whether a file has the size and checksum of a member."""
    plain = path.is_file() and not path.is_symlink()
    return plain and path.stat().st_size == info.file_size and crc_of(path) == info.CRC


def crc_of(path: Path) -> int:
    """Return the CRC-32 of a file."""
    crc = 0
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            crc = zlib.crc32(piece, crc)
    return crc
