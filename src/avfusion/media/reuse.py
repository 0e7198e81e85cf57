"""What instances of one corpus have alike is made once: the second has a hard link to the first's.

Equal keys name equal content, settings and code, so whatever lies under an equal key is what would
be made. Nothing of ours changes a file in place: who makes its own anew leaves the other's alone,
and who removes its own leaves the other's there.
"""

import contextlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from glob import escape
from pathlib import Path
from typing import Any

from avfusion.errors import MediaError
from avfusion.io.atomic import second_name
from avfusion.media.store import MediaRecord, take_name

_GONE = (OSError, ValueError, TypeError, AttributeError, MediaError, zipfile.BadZipFile)
"""The other may go, change or be damaged meanwhile; then there is nothing to share."""


def share_record(folder: Path, key: str) -> dict[str, Any] | None:
    """Make media record `folder` of another corpus' with this key; its meta, None without any."""
    for stamp in _others(folder.parent, f"{escape(folder.name)}/meta.json"):
        half = folder.with_name(f"{folder.name}.half{os.getpid()}")
        with contextlib.suppress(*_GONE):
            if json.loads(stamp.read_text()).get("key") != key:
                continue
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir(parents=True)
            files = [file for file in stamp.parent.iterdir() if file != stamp]
            for file in [*files, stamp]:  # the stamp last: it speaks for all that came before it
                second_name(file, half / file.name)
            record = MediaRecord.open(half)
            if record.meta.get("key") == key and _sound(record):
                take_name(half, folder)
                return record.meta
        shutil.rmtree(half, ignore_errors=True)
    return None


def _sound(record: MediaRecord) -> bool:
    """Whether its files can be read to their ends: damage must not spread, it is read anew."""
    rows, mel = len(record.frames), record.logmel
    with zipfile.ZipFile(record.folder / "faces.zip") as faces:
        return faces.testzip() is None and bool(rows) and mel.ndim == 2


def _others(corpus: Path, pattern: str) -> Iterator[Path]:
    """Files of that pattern below the corpora that stand beside this one."""
    for found in sorted(corpus.parent.glob(f"*/{pattern}")):
        if corpus not in found.parents:
            yield found
