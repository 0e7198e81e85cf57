"""Findings about the media stage: what it will write next to the free disk, and its own files."""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from avfusion.config.availability import holds_files
from avfusion.config.study import Study
from avfusion.doctor.finding import Finding
from avfusion.errors import ConfigError, MediaError
from avfusion.io.endings import SOUNDS, VIDEOS, ending
from avfusion.layout import Layout
from avfusion.media.feature_files import without_media

GIB, HOUR_S = 1 << 30, 3600

FACE_BYTES = 6_000
"""Size of a stored face of 112 px, measured."""


FRAME_BYTES, FRAMES_HZ = 80, 30
"""Row of frames.parquet, and frames per second of a usual video."""


NATIVE_HZ = 48_000


_OPENED = 100  # the length of so many files is read; that of others follows from their size


class Hours(NamedTuple):
    """Hours of recordings with pictures and without."""

    shown: float = 0.0
    heard: float = 0.0

    @property
    def total(self) -> float:
        """Hours of both."""
        return self.shown + self.heard


class Recordings(NamedTuple):
    """Recordings of a corpus.

    Parameters
    ----------
    files
        A path per recording; two may be of one file.
    unmeasured
        Those of them whose length only the file tells.
    shown_s, heard_s
        Length of the others, with pictures and without, in seconds.
    """

    files: list[Path]
    unmeasured: list[Path]
    shown_s: float = 0.0
    heard_s: float = 0.0

    def hours(self) -> Hours:
        """Return hours; files whose length is not known are opened, if they are there."""
        places = [path for path in self.unmeasured if path.is_file()]
        sounds = [path for path in places if ending(path.name) in SOUNDS]
        videos = [path for path in places if ending(path.name) not in SOUNDS]
        shown_s, heard_s = self.shown_s + _seconds(videos), self.heard_s + _seconds(sounds)
        return Hours(shown_s / HOUR_S, heard_s / HOUR_S)


def hours_here(study: Study) -> dict[str, Hours]:
    """Return folder of a corpus -> hours of recordings, of the corpora that are here."""
    layout = Layout(Path(study.results))
    return {root: hours_of(study, name, layout) for root, name in _one_per_root(study).items()}


def findings(study: Study, hours: dict[str, Hours] | None = None) -> Iterator[Finding]:
    """Yield whether `media.face_embedding` can be read, and the expected size of the stage.

    hours: what `hours_here` returns, if it was computed before.
    """
    if study.media.face_embedding is not None:
        from avfusion.media.appearance import of

        try:
            of(study.media.face_embedding)
        except ConfigError as error:
            text, _, remedy = str(error).partition(". ")
            yield Finding("MISSING", "media", text, remedy)
        else:
            yield Finding("OK", "media", f"{study.media.face_embedding.path} tells faces apart")
    yield from _size(study, hours_here(study) if hours is None else hours)


def _size(study: Study, hours: dict[str, Hours]) -> Iterator[Finding]:
    """Yield the expected size of the media stage, if recordings are here."""
    shown = sum(each.shown for each in hours.values())
    heard = sum(each.heard for each in hours.values())
    if not shown + heard:
        return
    sound, faces = (per_hour / GIB for per_hour in bytes_per_hour(study))
    sound, faces = sound * (shown + heard), faces * shown
    free = shutil.disk_usage(existing(Path(study.results))).free
    text = (
        f"{shown + heard:.2g} h of recordings need about {sound + faces:.2g} GiB "
        f"(sound {sound:.2g}, faces up to {faces:.2g}); {free / GIB:.0f} GiB free"
    )
    short = (sound + faces) * GIB > free
    remedy = "free some space, or set results to a folder on a larger disk" if short else ""
    yield Finding("WARN" if short else "OK", "media size", text, remedy)


def bytes_per_hour(study: Study) -> tuple[float, float]:
    """Return how many bytes of sound and of faces the media stage writes per hour of video."""
    media = study.media
    rate_hz = media.sample_rate_hz + (NATIVE_HZ if media.native_sound else 0)
    faces_hz = media.read_hz or study.read_hz() or FRAMES_HZ
    face_bytes = FACE_BYTES * (media.face_px / 112) ** 2
    faces = faces_hz * face_bytes + FRAMES_HZ * FRAME_BYTES
    return 2.0 * rate_hz * HOUR_S, faces * HOUR_S


def _one_per_root(study: Study) -> dict[str, str]:
    """Return folder -> one of its entries, because entries of one folder share their records."""
    first: dict[str, str] = {}
    for name, entry in study.corpora.items():
        if holds_files(Path(entry.root)):
            first.setdefault(entry.root.rstrip("/"), name)
    return first


def hours_of(study: Study, corpus: str, layout: Layout) -> Hours:
    """Return the hours of a corpus, estimated from file sizes where there are many."""
    return recordings(Path(study.corpora[corpus].root), layout.manifest(corpus)).hours()


def recordings(root: Path, manifest: Path) -> Recordings:
    """Return the recordings that a manifest lists; without one, those below a folder."""
    if manifest.is_file():
        return listed(root, manifest)
    kinds = VIDEOS | SOUNDS
    named = sorted(path for path in root.rglob("*") if ending(path.name) in kinds)
    files = [path for path in named if path.is_file()]
    # Sound next to videos most likely is theirs.
    files = [path for path in files if ending(path.name) in VIDEOS] or files
    return Recordings(files, files)


def listed(root: Path, manifest: Path) -> Recordings:
    """Return the recordings that a manifest lists; no file of the corpus is looked for."""
    table = pd.read_parquet(manifest)
    if "row" in table:
        return Recordings([], [])
    table = table[[not without_media(row) for row in table.itertuples(index=False)]]
    files = [root / path for path in table["path"]]
    if not {"start_s", "end_s"} <= set(table.columns):
        return Recordings(files, files)
    lengths_s = pd.to_numeric(table["end_s"]) - pd.to_numeric(table["start_s"])
    is_sound = table["path"].map(ending).isin(SOUNDS)
    shown_s, heard_s = (float(lengths_s[is_sound == kind].sum()) for kind in (False, True))
    unmeasured = [path for path, gone in zip(files, lengths_s.isna(), strict=True) if gone]
    return Recordings(files, unmeasured, shown_s, heard_s)


def _seconds(files: list[Path]) -> float:
    """Return the length of files; one that is listed twice, such as left and right, counts twice.

    A record is written for each row. `_OPENED` different files are opened.
    """
    rows = Counter(files)
    lengths_s = {path: _length_s(path) for path in sorted(rows)[:: -(-len(rows) // _OPENED) or 1]}
    sizes = {path: rows[path] * path.stat().st_size for path in rows}
    read = sum(sizes[path] for path, length_s in lengths_s.items() if length_s)
    length_s = sum(rows[path] * length_s for path, length_s in lengths_s.items())
    return length_s * sum(sizes.values()) / read if read else 0.0


def _length_s(path: Path) -> float:
    """Return the length that the header of a file promises; 0 if there is none."""
    import av  # a check of the settings imports no decoder

    from avfusion.media.bounds import opened

    av.logging.set_level(av.logging.PANIC)
    try:
        with opened(path) as container:
            return (container.duration or 0) / av.time_base
    except (av.FFmpegError, MediaError, OSError):
        return 0.0


def existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    path = path.resolve()
    return path if path.exists() else existing(path.parent)
