"""Git LFS without Git: pointers, and the batch interface that says where their files are.

Specifications: the pages "spec" (pointers) and "api/batch" of the repository git-lfs/git-lfs.
"""

import re
from dataclasses import dataclass
from itertools import islice
from typing import Any

from avfusion.corpora.obtain.client import Client
from avfusion.corpora.obtain.remote import DownloadError, RemoteFile

LARGEST = 1024
"""Bytes of the largest pointer."""


KIND = "application/vnd.git-lfs+json"
_TOGETHER = 100  # objects of one request; servers refuse many more


_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n"
    rb"(?:ext-\d-\w+ [^\n]+\n)*oid sha256:([0-9a-f]{64})\nsize (\d+)\n"
)


@dataclass(frozen=True)
class Pointer:
    """What stands in a Git repository in place of a large file: its SHA-256 and size in bytes."""

    sha256: str
    size: int


def read_pointer(raw: bytes) -> Pointer | None:
    """Return the pointer that `raw` is, None if it is something else.

    >>> read_pointer(b"RIFF")
    """
    match = _POINTER.fullmatch(raw) if len(raw) <= LARGEST else None
    return None if match is None else Pointer(match[1].decode(), int(match[2]))


def located(client: Client, server: str, pointers: dict[str, Pointer]) -> dict[str, RemoteFile]:
    """Return path -> file, asking an LFS server where the files of pointers are.

    Parameters
    ----------
    client
        Client of the hosts of the server.
    server
        Address of the repository, ending with `.git`.
    pointers
        Path -> pointer.

    Raises
    ------
    DownloadError
        If the server does not answer, or lacks a file, for example above its quota.
    """
    url = f"{server}/info/lfs/objects/batch"
    files: dict[str, RemoteFile] = {}
    waiting = iter(pointers.items())
    while some := list(islice(waiting, _TOGETHER)):  # itertools.batched needs Python 3.12
        asked = {
            "operation": "download",
            "transfers": ["basic"],
            "objects": [{"oid": pointer.sha256, "size": pointer.size} for _, pointer in some],
        }
        objects = _objects(client.json(url, asked, KIND), url)
        files |= {path: _file(path, pointer, objects, url) for path, pointer in some}
    return files


def _objects(answer: Any, url: str) -> dict[str, Any]:
    """Return SHA-256 -> object of an answer."""
    try:
        return {entry["oid"]: entry for entry in answer["objects"]}
    except (KeyError, TypeError) as error:
        raise DownloadError(f"{url}: not an answer of Git LFS: {error!r}.") from None


def _file(path: str, pointer: Pointer, objects: dict[str, Any], url: str) -> RemoteFile:
    entry = objects.get(pointer.sha256, {})
    try:
        action = entry["actions"]["download"]
        headers = {str(k): str(v) for k, v in action.get("header", {}).items()}
        return RemoteFile(
            str(action["href"]), path, pointer.size, f"sha256:{pointer.sha256}", headers
        )
    except (KeyError, TypeError, AttributeError):
        reason = entry.get("error", {}).get("message", "no address")
        raise DownloadError(f"{url}: does not give {path}: {reason}.") from None
