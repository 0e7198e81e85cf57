"""Predict one clip: read it, encode it, let every member of a bundle predict, and combine them.

The steps are those of a study, so a video of the corpus has the predictions of its runs: the media
stage, the encoders with features rounded to float16, and the windows of the fusion.
"""

import logging
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from avfusion.config.fits import split as fit_of
from avfusion.encoders.records import Record
from avfusion.errors import MediaError
from avfusion.io.atomic import file_digest
from avfusion.layout import Layout
from avfusion.media.clips import clip_ends
from avfusion.media.isolate import read_apart
from avfusion.media.probe import probe
from avfusion.media.sound_only import probe_sound
from avfusion.media.store import MediaRecord
from avfusion.media.transcript import Transcript
from avfusion.prediction import doubts, signs
from avfusion.prediction.bundle import Bundle
from avfusion.prediction.container import is_sound
from avfusion.prediction.members import combined, encoded, unread
from avfusion.prediction.prediction import Doubt, Prediction, Target
from avfusion.prediction.request import Request
from avfusion.prediction.steps import averaged

log = logging.getLogger(__name__)

BRIEF_S = 1.0
"""With `face: all`, a person who is seen for less has no rows."""

_DIGITS = 6  # of seconds: microseconds

Report = Callable[[str, float], None]
"""Takes the phase, `reading` or `encoding`, and the share of it that is done, 0 to 1."""


class _Person(NamedTuple):
    """A record in which one person is followed, and the rows (R,) that are this person's."""

    track: int | None
    record: MediaRecord
    rows: np.ndarray


def predict_clip(
    path: Path,
    bundle: Bundle,
    request: Request | None = None,
    work: Path | None = None,
    transcript: Path | None = None,
    report: Report | None = None,
) -> Prediction:
    """Predict a video, or a recording of sound.

    Parameters
    ----------
    path
        The file.
    bundle
        The model.
    request
        Person, span and step; by default the complete clip as the bundle was trained.
    work
        Folder for temporary files: faces and sound of the clip. They are removed at the end.
    transcript
        Words with times, for fusions that read text (`media.transcript`).
    report
        Called with the progress; by default it is logged.

    Returns
    -------
    Prediction
        Rows in ascending order of person and time.

    Raises
    ------
    MediaError
        If the file cannot be read, or the span has nothing in it.
    """
    request = request or Request()
    path = Path(path)
    if work is not None:
        work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=temporary_prefix(), dir=work) as temporary:
        folder = Path(temporary)
        record, remarks = _read(path, bundle, request, folder / "record", report)
        sha256 = file_digest(path).hex()
        for name in bundle.encoders:
            bundle.note(name, Layout(folder))
        table = _table(path, bundle, request, record, transcript, report)
        everyone = request.everyone(bundle.document.media.face)
        doubted = doubts.find(table, record, bundle, request.begin_s, everyone)
        remarks += doubts.far(table)
        duration_s = record.duration_s
    table["time_s"] += request.begin_s
    place = _place(path, sha256, request.begin_s, duration_s)
    return _described(table, bundle, request, place, doubted, remarks)


def _described(
    table: pd.DataFrame,
    bundle: Bundle,
    request: Request,
    place: dict[str, Any],
    doubted: list[Doubt],
    remarks: list[str],
) -> Prediction:
    """Return a prediction with its rows averaged as asked, and what describes them."""
    document = bundle.document
    step_s = document.windows.hop_s
    everyone = request.everyone(document.media.face)
    if request.every_s is not None:
        table, step_s = averaged(table, step_s, request.every_s), request.every_s
    return Prediction(
        table=table,
        targets=tuple(Target(name, *document.range) for name in document.targets),
        step_s=step_s,
        level=document.calibration.level,
        clip=place,
        bundle=bundle.summary(),
        columns=signs.columns(document, [*map(str, table.columns)], request.every_s, everyone),
        doubts=doubted,
        remarks=remarks,
        options=request.document(),
        time_zero=document.media.time_zero,
        everyone=everyone,
    )


def _place(path: Path, sha256: str, begin_s: float, duration_s: float) -> dict[str, Any]:
    """Return which file and span was predicted; see `Prediction.clip`."""
    return {
        "name": path.name,
        "path": str(path.absolute()),
        "sha256": sha256,
        "duration_s": round(duration_s, _DIGITS),
        "start_s": begin_s,
        "end_s": round(begin_s + duration_s, _DIGITS),
    }


def temporary_prefix() -> str:
    """Return how the names of this process' temporary folders begin: `<process>@<machine>-`."""
    return f"{os.getpid()}@{os.uname().nodename}-"


def _read(
    path: Path, bundle: Bundle, request: Request, folder: Path, report: Report | None
) -> tuple[MediaRecord, list[str]]:
    """Read the clip into a record at `folder`; return it with the remarks about it."""
    person = request.person(path if is_sound(path) else None)
    meta, reason = read_apart(
        *(path, folder, bundle.document.media, "", person), report=_of_frames(report)
    )
    if reason:
        raise MediaError(reason)
    record = MediaRecord.open(folder)
    log.info("%s: read %.1f s", path.name, record.duration_s)
    return record, doubts.remarks(record, bundle, meta)


def _of_frames(report: Report | None) -> Callable[[int, int], None] | None:
    """Return what the media stage reports frames to."""
    if report is None:
        return None
    return lambda done, total: report("reading", min(1.0, done / max(1, total)))


def _table(
    path: Path,
    bundle: Bundle,
    request: Request,
    record: MediaRecord,
    transcript: Path | None,
    report: Report | None,
) -> pd.DataFrame:
    """Return the rows of every person, in the steps of the bundle."""
    hop_s = bundle.document.windows.hop_s
    ends_s = clip_ends(record.duration_s, hop_s)
    if not len(ends_s):
        raise MediaError(
            f"{path}: lasts {record.duration_s:.3f} s, less than one step of the model "
            f"({hop_s:g} s). Use a longer clip or span."
        )
    words = Transcript.none(record.duration_s)
    if transcript is not None:
        words = _words(path, bundle, request, record, transcript)
    shared = unread(bundle, len(ends_s))
    tables = []
    people = list(_people(record, ends_s, request, bundle))
    steps = len(people) * len(bundle.read)
    _say_encoders(bundle, record)
    for number, person in enumerate(people):
        records: dict[str, Record] = {"audio": record, "video": person.record, "text": words}
        features = dict(shared)
        for index, name in enumerate(bundle.read):
            if report is not None:
                report("encoding", (number * len(bundle.read) + index) / steps)
            modality = bundle.document.encoders[name].modality
            if name not in features:
                features[name] = encoded(bundle, name, records[modality], ends_s)
            if modality != "video":
                shared[name] = features[name]
        table = signs.table(person.record, ends_s, bundle.document, person.track)
        predicted = combined(path.name, bundle, features)
        table = pd.concat([table, predicted], axis=1)[signs.order(bundle.document, predicted)]
        tables.append(table[person.rows])
    return pd.concat(tables, ignore_index=True)


def _say_encoders(bundle: Bundle, record: MediaRecord) -> None:
    """Log the encoders that have something to encode, once for all fits of one."""
    absent = {"video"} if record.frames.empty else set()
    if not record.meta.get("audio"):
        absent.add("audio")
    modality = {name: bundle.document.encoders[name].modality for name in bundle.read}
    fits = Counter(fit_of(name)[0] for name in bundle.read if modality[name] not in absent)
    for name, count in fits.items():
        log.info("encoding with %s", name if count == 1 else f"{name}, {count} fits")


def _words(
    path: Path, bundle: Bundle, request: Request, record: MediaRecord, transcript: Path
) -> Transcript:
    """Return the words of the record; a transcript has the times of the complete clip."""
    if request.person(None).cut_s is None:
        return Transcript.read(transcript, record.duration_s, path.stem)
    file = probe_sound(path) if is_sound(path) else probe(path, bundle.document.media.time_zero)
    every = Transcript.read(transcript, file.duration_s, path.stem)
    return replace(
        every,
        start_s=every.start_s - request.begin_s,
        end_s=every.end_s - request.begin_s,
        duration_s=record.duration_s,
    )


def _people(
    record: MediaRecord, ends_s: np.ndarray, request: Request, bundle: Bundle
) -> Iterator[_Person]:
    """Yield the followed person; with `all`, everyone who is seen long enough, by first sight."""
    every = np.ones(len(ends_s), bool)
    if not request.everyone(bundle.document.media.face) or record.frames.empty:
        yield _Person(None, record, every)
        return
    seen = record.people.groupby("person")["time_s"].agg(["min", "max"])
    clip_s = bundle.document.windows.clip_s
    long = seen[seen["max"] - seen["min"] >= min(BRIEF_S, record.duration_s / 2)]
    for person, first_s, last_s in zip(long.index, long["min"], long["max"], strict=True):
        rows = (ends_s > first_s) & (ends_s - clip_s < last_s)
        yield _Person(int(person), record.of_person(int(person)), rows)
    if long.empty:
        yield _Person(None, record, every)
