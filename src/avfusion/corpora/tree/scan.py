"""From a folder to its `Tree`: listed and read in threads, going on where a stopped run was.

Names that begin with a dot are what desktops leave behind (`.DS_Store`, `._…`): counted, not read.
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
    NOTHING,
    SIZE,
    Progress,
    Reader,
    Remembered,
    batches,
    keys,
    workers,
)
from avfusion.corpora.tree.tree import Folder, Tree

log = logging.getLogger(__name__)


Identity = tuple[int, int]
"""Device and inode: what a folder is, by whatever name."""


def read_tree(root: Path, cache: Path, wanted: Callable[[str], bool] = lambda folder: True) -> Tree:
    """List and hash what lies below `root`; `cache` remembers digests from run to run.

    `wanted` says of a folder whether its files are read, or listed alone.
    """
    tree = _listed(root)
    read = [folder for folder in tree.folders.values() if wanted(folder.path)]
    remembered = Remembered(cache)
    try:
        _hash(tree, read, remembered)
    finally:
        remembered.close()
    return tree


def _listed(root: Path) -> Tree:
    """All folders, several at a time: a file server answers slowly, but many questions at once."""
    tree, said = Tree(root, {}), time.monotonic()
    with ThreadPoolExecutor(workers()) as pool:
        open_jobs = {pool.submit(_list, root, "", frozenset())}
        while open_jobs:
            done, open_jobs = wait(open_jobs, return_when=FIRST_COMPLETED)
            for job in done:
                folder, below, within, unread, hidden = job.result()
                tree.unread |= unread
                tree.hidden += hidden
                if folder is not None:
                    tree.folders[folder.path] = folder
                open_jobs |= {pool.submit(_list, root, path, within) for path in below}
            if time.monotonic() - said > 5:
                said = time.monotonic()
                log.info(f"listing files: {len(tree):,} in {len(tree.folders):,} folders")
    tree.folders = dict(sorted(tree.folders.items()))
    return tree


def _list(
    root: Path, path: str, above: frozenset[Identity]
) -> tuple[Folder | None, list[str], frozenset[Identity], dict[str, str], int]:
    """One folder's files, its folders and what they lie within, what cannot be looked at, and how
    many are hidden. above: the folders that this one lies within.

    A link that leads back up would be followed for ever, and is not; two links to one folder are
    two folders, whichever is listed first.
    """
    rows, below, unread, hidden = [], [], {}, 0
    try:
        state = (root / path).stat()
        within = above | {(state.st_dev, state.st_ino)}
        with os.scandir(root / path) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        return None, [], above, {path or ".": f"{type(error).__name__}: {error.strerror}"}, 0
    for entry in found:
        own = f"{path}/{entry.name}" if path else entry.name
        if entry.name.startswith("."):
            hidden += 1
            continue
        try:
            state = entry.stat()
            if entry.is_dir():
                below += [own] if (state.st_dev, state.st_ino) not in within else []
            elif entry.is_file():
                rows.append((entry.name, state.st_size, state.st_mtime_ns))
        except OSError as error:  # a link to nowhere, or no permission
            unread[own] = f"{type(error).__name__}: {error.strerror}"
    names, sizes, changed = zip(*rows, strict=True) if rows else ((), (), ())
    empty = np.zeros((len(rows), SIZE), np.uint8), np.zeros(len(rows), bool)
    numbers = np.array(sizes, np.int64), np.array(changed, np.int64)
    listed = Folder(path, pa.array(names, pa.string()), *numbers, *empty)
    return listed, below, within, unread, hidden


def _hash(tree: Tree, folders: list[Folder], remembered: Remembered) -> None:
    """Fill in digests: known ones first, so that the progress speaks of what is left to read."""
    todo = []
    for folder in folders:
        hollow = folder.sizes == 0
        folder.digests[hollow] = np.frombuffer(NOTHING, np.uint8)
        found, known = remembered.find(keys(folder.paths, folder.sizes, folder.changed_ns))
        folder.digests[known] = found[known]
        folder.read |= known | hollow
        if not folder.read.all():
            todo.append(folder)
    left = [np.flatnonzero(~folder.read) for folder in todo]
    size = sum(int(f.sizes[rows].sum()) for f, rows in zip(todo, left, strict=True))
    progress = Progress("reading files", sum(map(len, left)), size)
    with Reader(tree.root) as reader:
        for folder, rows in zip(todo, left, strict=True):
            paths = folder.paths
            for part in batches(folder.sizes[rows]):
                own = [paths[row] for row in rows[part]]
                for done in reader.put(own, (folder, rows[part], own)):
                    _keep(tree, remembered, progress, *done)
        for done in reader.rest():
            _keep(tree, remembered, progress, *done)


def _keep(
    tree: Tree,
    remembered: Remembered,
    progress: Progress,
    tag: tuple[Folder, np.ndarray, list[str]],
    said: list[bytes | str],
) -> None:
    folder, rows, paths = tag
    good = [at for at, digest in enumerate(said) if isinstance(digest, bytes)]
    tree.unread |= {paths[at]: said[at] for at in set(range(len(said))) - set(good)}
    kept = rows[good]
    digests = np.frombuffer(b"".join(said[at] for at in good), np.uint8).reshape(-1, SIZE)
    folder.digests[kept], folder.read[kept] = digests, True
    own = [paths[at] for at in good]
    remembered.add(keys(own, folder.sizes[kept], folder.changed_ns[kept]), digests)
    progress.step(len(rows), int(folder.sizes[rows].sum()))
