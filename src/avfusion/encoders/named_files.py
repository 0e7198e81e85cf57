"""Files that the options of an encoder name, and digests of them; no torch is imported.

The plan of a study needs the digests each time, so they are kept next to the results.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avfusion.io.atomic import file_digest, write_text


def named_files(options: Mapping[str, Any]) -> list[Path]:
    """Return the files that `path` and `vocabulary` name, and those in a folder of a model.

    Files that are missing are left out.
    """
    files: list[Path] = []
    for given in (options.get(key) for key in ("path", "vocabulary")):
        path = Path(os.path.expanduser(given or ""))
        inside = sorted(path.iterdir()) if given and path.is_dir() else [path]
        files += [file for file in inside if file.is_file()]
    return files


def digest_of(files: list[Path], cache: Path) -> str:
    """Return a digest of the contents of some files; "" if there are none. See `digests`."""
    contents = list(digests(files, cache).values())
    return hashlib.sha256(repr(contents).encode()).hexdigest()[:16] if contents else ""


def digests(files: list[Path], cache: Path) -> dict[Path, str]:
    """Return file -> SHA-256 of its content.

    Parameters
    ----------
    files
        The files.
    cache
        JSON file with the digests of files that were read before. A file is read again if its size
        or a time of change is another one.
    """
    try:
        kept = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = {}
    current = dict(kept)
    for file in files:
        status, name = file.stat(), str(file.absolute())
        state = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        if current.get(name, [])[:3] != state:
            current[name] = [*state, file_digest(file).hex()]
    if current != kept:
        write_text(cache, json.dumps(current, indent=1, sort_keys=True) + "\n")
    return {file: current[str(file.absolute())][3] for file in files}
