"""Write a record into a folder that appears only when it is complete."""

import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.errors import ConfigError
from avfusion.io.halves import half_name
from avfusion.media.audio import Piece
from avfusion.media.store import MediaRecord
from avfusion.media.voice import STEP_S
from avfusion.media.writer import FRAME_COLUMNS, RecordWriter


@contextmanager
def new_record(folder: Path) -> Iterator[RecordWriter]:
    """Yield a writer of a temporary folder, which is renamed to `folder` if the block succeeds.

    Raises
    ------
    ConfigError
        If somebody else removed the temporary folder meanwhile.
    """
    half = folder.with_name(half_name(folder.name))
    half.mkdir(parents=True)
    try:
        yield RecordWriter(half)
        take_name(half, folder)
    except OSError as error:
        if half.is_dir():
            raise
        raise ConfigError(
            f"{half}: removed by another process while it was written, so {folder.name} was not "
            f"stored. The recording is not at fault; run the same command again."
        ) from error
    finally:
        shutil.rmtree(half, ignore_errors=True)


def take_name(half: Path, folder: Path) -> None:
    """Rename `half` to `folder`; an identical record that another process wrote first stays."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        os.replace(half, folder)
    except OSError:
        if _key(folder) is None or _key(folder) != _key(half):
            raise


def _key(folder: Path) -> Any:
    try:
        return json.loads((folder / "meta.json").read_text()).get("key")
    except (OSError, ValueError):
        return None


def write_record(
    folder: Path,
    frames: pd.DataFrame,
    crops: dict[int, np.ndarray],
    sound: Iterable[Piece],
    meta: dict[str, Any],
    rate_hz: int = 16_000,
) -> MediaRecord:
    """Write a record from arrays in memory.

    Parameters
    ----------
    folder
        Folder of the record.
    frames
        One row per frame with `time_s`, `faces` and `score`; other columns are optional.
    crops
        Index of each frame with a score -> its face, RGB uint8 (face_px, face_px, 3).
    sound
        Pieces (first sample, samples float32 (n,)), ascending.
    meta
        At least face_px and duration_s.
    rate_hz
        Sampling rate of the sound.
    """
    table = frames.reindex(columns=FRAME_COLUMNS)
    with new_record(folder) as writer:
        for index, row in enumerate(table.itertuples(index=False)):
            writer.add_frame(row, crops.get(index))
        stored = writer.add_sound(sound, rate_hz)
        rows = math.ceil(meta["duration_s"] / STEP_S)
        writer.add_voice([np.full(rows, np.nan, np.float32)])
        writer.close({**meta, "sound": {"stored": stored}})
    return MediaRecord.open(folder)
