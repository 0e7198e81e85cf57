"""Share identical media records between corpus entries with hard links.

Equal keys mean equal content, settings and code, so a record with an equal key is identical to the
one that would be made. avfusion never changes a file in place, so making or removing the files of
one entry does not affect those of another.
"""

import contextlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np

from avfusion.errors import MediaError
from avfusion.io.atomic import link_or_copy
from avfusion.io.halves import half_name
from avfusion.media.new_record import take_name
from avfusion.media.store import MediaRecord
from avfusion.media.waveform import StoredSound

GONE = (OSError, ValueError, TypeError, AttributeError, MediaError, zipfile.BadZipFile)
"""Errors when the other files are removed, changed or damaged meanwhile; nothing is shared."""


def share_record(folder: Path, key: str) -> dict[str, Any] | None:
    """Link another entry's record with this key to `folder`; return its meta, or None."""
    for stamp in entries_of_others(folder.parent, f"{escape(folder.name)}/meta.json"):
        half = folder.with_name(half_name(folder.name))
        with contextlib.suppress(*GONE):
            if json.loads(stamp.read_text()).get("key") != key:
                continue
            half.mkdir(parents=True)
            files = [file for file in stamp.parent.iterdir() if file != stamp]
            for file in [*files, stamp]:  # the stamp last, because it marks the record as complete
                link_or_copy(file, half / file.name)
            record = MediaRecord.open(half)
            if record.meta.get("key") == key and _intact(record):
                take_name(half, folder)
                return record.meta
        shutil.rmtree(half, ignore_errors=True)
    return None


def _intact(record: MediaRecord) -> bool:
    """Return whether all files can be read, so that damage is not shared."""
    if len(record.frames) != record.meta.get("frames"):
        return False
    if record.meta.get("people") is not None:  # not written for the crops of a corpus
        _ = record.people, record.tracks
    _, sound = record.sound_hz, record.meta["sound"]
    _ = [
        StoredSound(record.folder, sound[name]).samples
        for name in ("stored", "native")
        if name in sound
    ]
    record.voiced(np.zeros(0))
    with zipfile.ZipFile(record.folder / "faces.zip") as faces:
        return faces.testzip() is None


def entries_of_others(corpus: Path, pattern: str) -> Iterator[Path]:
    """Yield the files of that pattern below the other corpus entries of the study."""
    for path in sorted(corpus.parent.glob(f"*/{pattern}")):
        if corpus not in path.parents:
            yield path
