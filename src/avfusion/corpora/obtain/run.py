"""Download a corpus: several files at once, resumed, checked, unpacked, with a receipt at the end.

Receipts lie in `.obtained` below the root, one for each archive, and are written after it was
unpacked. `obtained.json` is written last, so it exists only if everything is there.
"""

import json
import logging
import shutil
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from avfusion.corpora.obtain.client import Client
from avfusion.corpora.obtain.progress import Progress
from avfusion.corpora.obtain.remote import DownloadError, fault_of
from avfusion.corpora.obtain.source import Item, Plan, Source
from avfusion.corpora.obtain.unpack import crc_of, unpack
from avfusion.errors import of_place
from avfusion.io.atomic import locked, write_text

log = logging.getLogger(__name__)


WHOLE = "obtained.json"
"""Name of the file that says that everything was obtained."""


_RECEIPTS = ".obtained"
_AT_ONCE = 4  # files
_SPARE = 200_000_000  # bytes that stay free
_RATE = 5e6  # bytes per second of a common connection


def obtain(
    source: Source,
    root: Path,
    *,
    licence: str,
    mirror: str = "",
    keep_archives: bool = False,
    pause_s: float = 1.0,
) -> Path:
    """Download the files of a source that are not there yet.

    Parameters
    ----------
    source
        The source.
    root
        Folder of the corpus.
    licence
        Licence, for the receipt.
    mirror
        Address of a copy of the source (`Client`).
    keep_archives
        Whether archives stay after they were unpacked.
    pause_s
        Seconds before the first retry.

    Returns
    -------
    Path
        `obtained.json`: source, licence, and each file with size and digest.

    Raises
    ------
    DownloadError
        If the source does not answer, a file differs from what it states, or the disk is too small.
    """
    client = Client(source.hosts, mirror, pause_s)
    with _disk_named(root), locked(root, _RECEIPTS):
        plan = source.plan(client, root)
        if not plan.items:
            raise DownloadError(f"{source.name}: nothing to download for these options.")
        (root / WHOLE).unlink(missing_ok=True)
        missing = tuple(item for item in plan.items if not _is_here(item, root, keep_archives))
        needed = _needed(missing, root, keep_archives)
        log.info("%s", _stated(plan, missing, needed, source))
        _check_disk(needed, root)
        _download(source, client, missing, root, keep_archives)
        if not keep_archives:
            for item in plan.items:  # of a process that was killed after unpacking
                if item.archive:
                    (root / item.file.path).unlink(missing_ok=True)
        files = {
            item.file.path: {"bytes": item.file.size, "digest": item.file.digest}
            for item in plan.items
        }
        receipt = {"source": source.name, "licence": licence, "files": files}
        write_text(root / WHOLE, json.dumps(receipt, indent=2) + "\n")
    return root / WHOLE


def _download(
    source: Source, client: Client, items: tuple[Item, ...], root: Path, keep_archives: bool
) -> None:
    """Download several files at once; the first failure stops the others."""
    size = sum(item.file.size for item in items)
    with Progress(root.name, size) as progress, ThreadPoolExecutor(_AT_ONCE) as pool:
        running: set[Future[None]] = set()
        try:
            for item in source.located(client, items):
                if len(running) >= 2 * _AT_ONCE:
                    running = _some_done(running)
                running.add(
                    pool.submit(_obtain_one, source, client, item, root, progress, keep_archives)
                )
            while running:
                running = _some_done(running)
        except BaseException:
            client.stopped.set()
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def _disk_named(root: Path) -> Iterator[None]:
    """Report a full or read-only disk with the next step."""
    try:
        yield
    except OSError as error:
        if not of_place(error):
            raise
        raise DownloadError(
            f"{root}: {error.strerror}. What was received is kept. Free some space, then run the "
            "same command again."
        ) from None


def _some_done(running: set[Future[None]]) -> set[Future[None]]:
    """Wait until at least one has ended; raise its failure, or return those that still run."""
    done, left = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
    return left


def _obtain_one(
    source: Source,
    client: Client,
    item: Item,
    root: Path,
    progress: Progress,
    keep_archives: bool,
) -> None:
    """Download one file; unpack an archive, and write its receipt."""
    try:
        path = client.fetch(item.file, root, progress)
    except DownloadError as error:
        other = None if client.stopped.is_set() else source.again(client, item)
        if other is None:
            raise
        log.warning("%s Asking %s instead.", error, other.file.url)
        path = client.fetch(other.file, root, progress)
    if not item.archive:
        return
    members = unpack(path, root, lambda member: source.path_of(item, member))
    if not members:
        raise DownloadError(
            f"{path}: holds no file of the corpus. It is kept; look into it, then update "
            "avfusion or report it."
        )
    content = {"digest": item.file.digest, "members": members}
    write_text(_receipt(item, root), json.dumps(content, indent=2) + "\n")
    if not keep_archives:
        path.unlink()


def _receipt(item: Item, root: Path) -> Path:
    return root / _RECEIPTS / f"{item.file.path.replace('/', '.')}.json"


def _is_here(item: Item, root: Path, keep_archives: bool) -> bool:
    """Return whether a file, or what was unpacked from it, is there with its content."""
    receipt, path = _receipt(item, root), root / item.file.path
    if not item.archive:
        return path.is_file() and not fault_of(item.file, path)
    if not receipt.is_file():
        return False
    content: dict[str, Any] = json.loads(receipt.read_text(encoding="utf-8"))
    if content["digest"] != item.file.digest:
        return False
    kept = path.is_file() or not keep_archives
    return kept and all(
        (root / name).is_file() and crc_of(root / name) == crc
        for name, crc in content["members"].items()
    )


def _needed(missing: tuple[Item, ...], root: Path, keep_archives: bool) -> int:
    """Return the bytes of disk that the missing files need; content is as large as its archive."""
    archives = sorted((item.file.size for item in missing if item.archive), reverse=True)
    at_once = archives if keep_archives else archives[:_AT_ONCE]
    here = [
        path.stat().st_size
        for item in missing
        for path in (root / item.file.path, root / f"{item.file.path}.part")
        if path.is_file()
    ]
    return max(0, sum(item.file.size for item in missing) + sum(at_once) - sum(here))


def _stated(plan: Plan, missing: tuple[Item, ...], needed: int, source: Source) -> str:
    """Return size, disk and time of what will be downloaded, in one sentence each."""
    size = sum(item.file.size for item in missing)
    there = len(plan.items) - len(missing)
    if not missing:
        return f"{source.name}: {_files(there)}, here already. Nothing to download."
    here = f", {there} more here already" if there else ""
    return (
        f"{source.name}: {_files(len(missing))}, {size / 1e9:.2f} GB to download{here}. About "
        f"{max(1, round(size / _RATE / 60))} min at {_RATE / 1e6:.0f} MB/s. It needs "
        f"{needed / 1e9:.2f} GB of disk on the way, and {plan.bytes / 1e9:.2f} GB stay."
    )


def _files(count: int) -> str:
    return f"{count:,} file" if count == 1 else f"{count:,} files"


def _check_disk(needed: int, root: Path) -> None:
    """Raise if the disk has too little space."""
    free = shutil.disk_usage(root).free
    if needed + _SPARE > free:
        raise DownloadError(
            f"{root}: {free / 1e9:.2f} GB are free and {(needed + _SPARE) / 1e9:.2f} GB are "
            "needed. Free some space, or choose another `root`; then run the same command again."
        )
