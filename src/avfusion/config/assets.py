"""Digest of the data files that the code of a corpus reads: the `assets` folder of its package."""

import hashlib

from avfusion.io.source import lineage, module_file
from avfusion.registry import corpora


def digest(kind: str) -> str:
    """Return a digest of names and contents of the files in `assets` next to a corpus' module.

    Parameters
    ----------
    kind
        Name of a corpus in the registry. The assets of its base classes count too.

    Returns
    -------
    str
        16 hexadecimal digits; empty if there are no assets. README.md explains files and does not
        count.
    """
    modules = (module_file(module) for module, _ in lineage(*corpora.entry(kind)))
    folders = {path.parent / "assets" for path in modules if path}
    files = sorted(
        (path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.name != "README.md"
    )
    return hashlib.sha256(repr(files).encode()).hexdigest()[:16] if files else ""
