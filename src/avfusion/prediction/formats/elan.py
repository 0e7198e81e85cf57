"""Write predictions as an annotation file of ELAN (archive.mpi.nl/tla/elan), linked to the clip."""

import mimetypes
import os
from pathlib import Path

from avfusion.io.atomic import replacing
from avfusion.prediction.formats.names import as_text
from avfusion.prediction.formats.player import media_of
from avfusion.prediction.formats.steps import (
    changes,
    doubts_of,
    label,
    means,
    printed,
    separate,
    tracks,
)
from avfusion.prediction.prediction import Prediction


def write_eaf(prediction: Prediction, path: Path, embed: bool) -> None:
    """Write a tier per target and person with the mean of each second, and a tier of doubts.

    A tier `track` has the first steps after times at which the followed person may change.
    Seconds without a prediction have no annotation. ELAN finds the clip by its absolute path, or by
    its path relative to the file if both were moved.
    """
    del embed
    import pympi

    clip = Path(prediction.clip["path"])
    media = media_of(clip, prediction.time_zero)
    document = pympi.Eaf(author="avfusion")
    document.remove_tier("default")
    kind = mimetypes.guess_type(clip.name)[0] or ("video/*" if media.pictures else "audio/*")
    relative = os.path.relpath(clip, path.parent.resolve())
    document.add_linked_file(clip.as_uri(), as_text(Path(relative).as_posix()), kind)
    for remark in prediction.remarks:
        document.properties.append(("avfusion.remark", as_text(remark)))
    several = len(list(tracks(prediction))) > 1
    for track_id, rows in tracks(prediction):
        who = f", {label(track_id)}" if several else ""
        pieces = means(prediction, rows)
        for target in prediction.targets:
            tier = as_text(f"{target.name}{who}")
            document.add_tier(tier, part=label(track_id), ann="avfusion")
            for start_s, end_s, values in pieces:
                if values[target.name] == values[target.name]:
                    text = printed(values[target.name], target)
                    _annotate(document, tier, start_s + media.shift_s, end_s + media.shift_s, text)
        tier = f"doubts{who}"
        document.add_tier(tier, part=label(track_id), ann="avfusion")
        for span in separate(doubts_of(prediction, track_id)):
            times_s = span.start_s + media.shift_s, span.end_s + media.shift_s
            _annotate(document, tier, *times_s, as_text("; ".join(span.reasons)))
    if changes(prediction):
        document.add_tier("track", ann="avfusion")
    for at_s in changes(prediction):
        begin_s = at_s + media.shift_s
        _annotate(document, "track", begin_s, begin_s + prediction.step_s, "person may change")
    with replacing(path) as half:
        half.unlink()  # pympi keeps a copy of a file that exists
        document.to_file(str(half))


def _annotate(document: object, tier: str, start_s: float, end_s: float, text: str) -> None:
    """Add an annotation; ELAN counts in milliseconds."""
    start_ms, end_ms = max(0, round(1000 * start_s)), round(1000 * end_s)
    if end_ms > start_ms:
        document.add_annotation(tier, start_ms, end_ms, text)  # type: ignore[attr-defined]
