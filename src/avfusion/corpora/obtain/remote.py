"""Files of a source, and addresses that can be asked without doubt about the host."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from urllib3.exceptions import HTTPError
from urllib3.util import Url, parse_url

from avfusion.errors import AvfError


class DownloadError(AvfError):
    """A file could not be downloaded, or differs from what its source states."""


@dataclass(frozen=True)
class RemoteFile:
    """One file of a source.

    Parameters
    ----------
    url
        Address of the file.
    path
        Where it is written, relative to a folder.
    size
        Size in bytes.
    digest
        `sha256:…` or `md5:…`, as stated by the source.
    headers
        Headers that the source asks for, such as the token of one transfer.
    """

    url: str
    path: str
    size: int
    digest: str
    headers: dict[str, str] = field(default_factory=dict, compare=False)


def fault_of(file: RemoteFile, path: Path) -> str:
    """Return how the size or digest of `path` differs from what is stated; "" if it does not."""
    kind, _, expected = file.digest.partition(":")
    size = path.stat().st_size if path.exists() else 0
    if size != file.size:
        return f"{size:,} bytes, stated {file.size:,}"
    with path.open("rb") as raw:
        digest = hashlib.file_digest(raw, kind).hexdigest()
    return "" if digest == expected else f"{kind} {digest[:16]}…, stated {expected[:16]}…"


def place_of(url: str) -> Url:
    """Return the parts of an address as the library that connects reads them.

    Raises
    ------
    DownloadError
        If it cannot be read, or another reader could see another host in it.
    """
    odd = any(character <= " " or character in "\\\x7f" for character in url)
    try:
        place = parse_url(url)
    except (HTTPError, ValueError):
        odd = True
    if odd or place.auth is not None:
        raise DownloadError(f"{url!r}: not an address that can be asked. Nothing was sent there.")
    return place
