"""Download CREMA-D: tables from the archive of its repository, films and wavs from Git LFS."""

import hashlib
import logging
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePosixPath

from avfusion.corpora.acted import write_sentences
from avfusion.corpora.crema_d.votes import SENTENCES, clip_of
from avfusion.corpora.obtain import lfs
from avfusion.corpora.obtain.client import Client
from avfusion.corpora.obtain.hosts import GITHUB, GITLAB
from avfusion.corpora.obtain.progress import Progress
from avfusion.corpora.obtain.remote import DownloadError, RemoteFile
from avfusion.corpora.obtain.source import Item, Plan, Source
from avfusion.corpora.obtain.unpack import UnpackError, members
from avfusion.corpora.wording import listed
from avfusion.io.atomic import file_digest, replacing

log = logging.getLogger(__name__)


HOME = "https://github.com/CheyneyComputerScience/CREMA-D"
ARCHIVE = f"{HOME}/archive/refs/heads/master.zip"


SERVERS = (f"{HOME}.git", "https://gitlab.com/cs-cooper-lab/crema-d-mirror.git")
"""Git LFS servers. The authors recommend the second if the quota of the first is used up."""


ASKED_LATER = "https://github.com/"
"""Address of an item until `located` has asked a server for the real one."""


_ARCHIVE = ".obtained/repository.zip"
_MOST = 4_000_000_000  # bytes of the archive; GitHub can put the files of Git LFS into it
_TOGETHER = 100  # files whose addresses are asked for in one request
_CHUNK = 1 << 20
_MEDIA = re.compile(r"(?:VideoFlash/(.+)\.flv|AudioWAV/(.+)\.wav)", flags=re.IGNORECASE)
_TABLE = re.compile(
    r"VideoDemographics\.csv|SentenceFilenames\.csv|processedResults/[^/]+\.csv|(?:LICENSE|README)[^/]*"
)


class CremaDSource(Source):
    """The repository of CREMA-D.

    Parameters
    ----------
    actors
        Actors whose films and wavs are downloaded, 1001 … 1091.
    """

    name = f"CREMA-D ({HOME})"
    hosts = GITHUB | GITLAB

    def __init__(self, actors: Iterable[int]) -> None:
        self.actors = frozenset(actors)
        self._server: dict[str, str] = {}  # path of an item -> server of its address

    def plan(self, client: Client, root: Path) -> Plan:
        """Write tables and sentences; return tables, and films and wavs of the repository.

        Each call downloads the archive of the repository, and removes it after reading. A pointer
        that a clone without Git LFS has left in place of the same file is removed.

        Parameters
        ----------
        client
            Client of the hosts.
        root
            Folder of the corpus.

        Returns
        -------
        Plan
            One item per table, and per film and wav of the chosen actors. Addresses of what Git LFS
            stores are `ASKED_LATER`.

        Raises
        ------
        DownloadError
            If the archive cannot be read, or has no film and no wav of a chosen actor.
        """
        archive = root / _ARCHIVE
        try:
            with Progress("repository of CREMA-D", None) as progress:
                client.fetch_unstated(ARCHIVE, archive, progress, _MOST)
            items = self._read(archive, root)
        except (UnpackError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DownloadError(f"{error} It was removed. Run the same command again.") from None
        finally:
            archive.unlink(missing_ok=True)
        if lost := sorted(self.actors - {_actor(item.file.path) for item in items}):
            raise DownloadError(
                f"{ARCHIVE}: no film or wav of actor {listed(lost)} ({len(lost)} of "
                f"{len(self.actors)} chosen actors). No film or wav was requested. Compare with "
                f"{HOME}, update avfusion, then run the same command again."
            )
        write_sentences(root, SENTENCES)
        return Plan(tuple(items))

    def located(self, client: Client, items: tuple[Item, ...]) -> Iterator[Item]:
        """Yield items with their addresses, which a Git LFS server states 100 at a time.

        Raises
        ------
        DownloadError
            If neither server states them.
        """
        servers = list(SERVERS)
        waiting = iter(item for item in items if item.file.url == ASKED_LATER)
        yield from (item for item in items if item.file.url != ASKED_LATER)
        while some := list(islice(waiting, _TOGETHER)):  # itertools.batched needs Python 3.12
            files = self._asked(client, servers, some)
            for item in some:
                self._server[item.file.path] = servers[0]
                yield replace(item, file=files[item.file.path])

    def again(self, client: Client, item: Item) -> Item | None:
        """Return an item with its address at the next Git LFS server; None after the last one.

        Raises
        ------
        DownloadError
            If the remaining servers do not state it.
        """
        tried = self._server.get(item.file.path, SERVERS[-1])
        servers = list(SERVERS[SERVERS.index(tried) + 1 :])
        if not servers:
            return None
        files = self._asked(client, servers, [item])
        self._server[item.file.path] = servers[0]
        return replace(item, file=files[item.file.path])

    def _asked(
        self, client: Client, servers: list[str], items: list[Item]
    ) -> dict[str, RemoteFile]:
        """Return path -> file with its address; remove a server that does not answer."""
        pointers = {
            item.file.path: lfs.Pointer(item.file.digest.partition(":")[2], item.file.size)
            for item in items
        }
        while True:
            try:
                return lfs.located(client, servers[0], pointers)
            except DownloadError as error:
                if len(servers) == 1 or client.stopped.is_set():
                    raise
                log.warning("%s Asking the mirror instead: %s", error, servers[1])
                del servers[0]

    def _read(self, archive: Path, root: Path) -> list[Item]:
        """Write what the archive holds itself; return tables, films and wavs, also those of LFS."""
        items = []
        infos = members(archive)
        with zipfile.ZipFile(archive) as opened:
            for info in infos:
                path = str(PurePosixPath(*PurePosixPath(info.filename).parts[1:]))
                if not (_TABLE.fullmatch(path) or _actor(path) in self.actors):
                    continue
                small = info.file_size <= lfs.LARGEST
                pointer = lfs.read_pointer(opened.read(info)) if small else None
                if pointer is None:
                    items.append(_unpacked(opened, info, root, path))
                else:
                    _clear(root / path, pointer)
                    digest = f"sha256:{pointer.sha256}"
                    items.append(Item(RemoteFile(ASKED_LATER, path, pointer.size, digest)))
        return items


def _actor(path: str) -> int | None:
    """Return the actor of a film or wav; None for other paths."""
    match = _MEDIA.fullmatch(path)
    clip = clip_of(match[1] or match[2]) if match else None
    return clip.actor if clip else None


def _unpacked(opened: zipfile.ZipFile, info: zipfile.ZipInfo, root: Path, path: str) -> Item:
    """Write a file that the archive itself holds, and return its item."""
    digest = hashlib.sha256()
    with opened.open(info) as packed:
        while piece := packed.read(_CHUNK):
            digest.update(piece)
    if not ((root / path).is_file() and file_digest(root / path) == digest.digest()):
        with opened.open(info) as packed, replacing(root / path) as half, half.open("wb") as out:
            shutil.copyfileobj(packed, out, _CHUNK)
    url = f"{HOME}/raw/master/{path}"
    return Item(RemoteFile(url, path, info.file_size, f"sha256:{digest.hexdigest()}"))


def _clear(path: Path, pointer: lfs.Pointer) -> None:
    """Remove a pointer that stands in place of its file."""
    small = path.is_file() and path.stat().st_size <= lfs.LARGEST
    if small and lfs.read_pointer(path.read_bytes()) == pointer:
        path.unlink()
