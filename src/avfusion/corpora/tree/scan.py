"""List and hash a folder in threads; a stopped run resumes from its cached digests.

Files whose names begin with a dot, such as `.DS_Store`, are counted but not read.
"""

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pyarrow as pa

from avfusion.corpora.tree.digest import (
    LOG_EVERY_S,
    NOTHING,
    SIZE,
    DigestCache,
    Progress,
    Reader,
    batches,
    keys,
    workers,
)
from avfusion.corpora.tree.links import Identity, Links, is_text
from avfusion.corpora.tree.tree import Folder, Tree

log = logging.getLogger(__name__)

Batch = tuple[Folder, np.ndarray, list[str]]
"""A folder, the rows of some of its files, and their paths."""


def read_tree(
    root: Path,
    cache: Path,
    wanted: Callable[[str], bool] = lambda folder: True,
    outside: bool = False,
) -> Tree:
    """List and hash all files below a folder.

    Parameters
    ----------
    root
        The folder.
    cache
        File that keeps digests between runs.
    wanted
        Whether files of a folder (relative path) are hashed, or only listed.
    outside
        Whether links that lead out of `root` are followed; else `outside` of the tree lists them.

    Returns
    -------
    Tree
        Folders by path, ascending; then those behind links of the corpus to its own folders.
        Unreadable files are listed in `unread`.

    Raises
    ------
    CorpusError
        If there are more links to folders than `MOST_LINKS`.
    """
    tree = _list_all(root, outside)
    names = {folder.source or path for path, folder in tree.folders.items() if wanted(path)}
    hashed = [folder for folder in tree.real if folder.path in names]
    digests = DigestCache(cache)
    try:
        _hash(tree, hashed, digests)
    finally:
        digests.close()
    return tree


def _list_all(root: Path, outside: bool) -> Tree:
    """List all folders, several at a time: file servers answer slowly but in parallel."""
    tree, logged_s = Tree(root, {}), time.monotonic()
    links = Links(Path(os.path.realpath(root)), outside, tree.outside)
    with ThreadPoolExecutor(workers()) as pool:
        open_jobs = {pool.submit(_list, root, "", frozenset(), links)}
        while open_jobs:
            done, open_jobs = wait(open_jobs, return_when=FIRST_COMPLETED)
            for job in done:
                folder, below, within, unread, hidden = job.result()
                tree.unread |= unread
                tree.hidden += hidden
                if folder is not None:
                    tree.folders[folder.path] = folder
                open_jobs |= {pool.submit(_list, root, path, within, links) for path in below}
            if time.monotonic() - logged_s > LOG_EVERY_S:
                logged_s = time.monotonic()
                log.info(f"listing files: {len(tree):,} in {len(tree.folders):,} folders")
    aliases, lost = links.aliases(tree.folders)
    tree.folders = dict(sorted(tree.folders.items())) | aliases
    tree.unread |= lost
    return tree


def _list(
    root: Path, path: str, above: frozenset[Identity], links: Links
) -> tuple[Folder | None, list[str], frozenset[Identity], dict[str, str], int]:
    """List one folder; `above` are the folders that it is in.

    Returns the folder's files, its subfolders, the folders that those are in, unreadable entries
    with the reason, and the number of hidden entries.
    """
    rows: list[tuple[str, int, int]] = []
    below: list[str] = []
    unread: dict[str, str] = {}
    hidden = 0
    try:
        state = (root / path).stat()
        within = above | {(state.st_dev, state.st_ino)}
        with os.scandir(root / path) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        return None, [], above, {path or ".": f"{type(error).__name__}: {error.strerror}"}, 0
    for entry in ordered:
        entry_path = f"{path}/{entry.name}" if path else entry.name
        if entry.name.startswith("."):
            hidden += 1
            continue
        if not is_text(entry.name):
            unread[os.fsencode(entry_path).decode("utf-8", "replace")] = "its name is not UTF-8"
            continue
        try:
            state = entry.stat()
            if entry.is_symlink() and not links.followed(entry, entry_path):
                continue
            if entry.is_dir():
                below += [entry_path] if (state.st_dev, state.st_ino) not in within else []
            elif entry.is_file():
                rows.append((entry.name, state.st_size, state.st_mtime_ns))
        except OSError as error:  # a link to nowhere, or no permission
            unread[entry_path] = f"{type(error).__name__}: {error.strerror}"
    names, sizes, changed = zip(*rows, strict=True) if rows else ((), (), ())
    empty = np.zeros((len(rows), SIZE), np.uint8), np.zeros(len(rows), bool)
    numbers = np.array(sizes, np.int64), np.array(changed, np.int64)
    listed = Folder(path, pa.array(names, pa.string()), *numbers, *empty)
    return listed, below, within, unread, hidden


def _hash(tree: Tree, folders: list[Folder], cache: DigestCache) -> None:
    """Fill in digests, cached ones first, so that the progress counts only files left to read."""
    todo = []
    for folder in folders:
        empty = folder.sizes == 0
        folder.digests[empty] = np.frombuffer(NOTHING, np.uint8)
        digests, known = cache.find(keys(folder.paths, folder.sizes, folder.changed_ns))
        folder.digests[known] = digests[known]
        folder.read |= known | empty
        if not folder.read.all():
            todo.append(folder)
    left = [np.flatnonzero(~folder.read) for folder in todo]
    size = sum(int(f.sizes[rows].sum()) for f, rows in zip(todo, left, strict=True))
    progress = Progress("reading files", sum(map(len, left)), size)
    with Reader[Batch](tree.root) as reader:
        for folder, rows in zip(todo, left, strict=True):
            paths = folder.paths
            for part in batches(folder.sizes[rows]):
                names = [paths[row] for row in rows[part]]
                for batch, results in reader.put(names, (folder, rows[part], names)):
                    _keep(tree, cache, progress, batch, results)
        for batch, results in reader.rest():
            _keep(tree, cache, progress, batch, results)


def _keep(
    tree: Tree, cache: DigestCache, progress: Progress, batch: Batch, results: list[bytes | str]
) -> None:
    """Store the digests of a batch in the tree and in the cache, and note unreadable files."""
    folder, rows, paths = batch
    digests = {at: result for at, result in enumerate(results) if isinstance(result, bytes)}
    tree.unread |= {
        paths[at]: result for at, result in enumerate(results) if isinstance(result, str)
    }
    kept = rows[list(digests)]
    table = np.frombuffer(b"".join(digests.values()), np.uint8).reshape(-1, SIZE)
    folder.digests[kept], folder.read[kept] = table, True
    names = [paths[at] for at in digests]
    cache.add(keys(names, folder.sizes[kept], folder.changed_ns[kept]), table)
    progress.step(len(rows), int(folder.sizes[rows].sum()))
