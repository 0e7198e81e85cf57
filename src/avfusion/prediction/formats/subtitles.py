"""Write predictions as WebVTT subtitles (w3.org/TR/webvtt1): one cue for each second."""

from collections.abc import Iterator
from pathlib import Path

from avfusion.io.atomic import write_text
from avfusion.prediction.formats.describe import interval_meaning
from avfusion.prediction.formats.names import as_text
from avfusion.prediction.formats.player import media_of
from avfusion.prediction.formats.steps import (
    changes,
    doubts_of,
    label,
    means,
    printed,
    scale,
    separate,
    tracks,
)
from avfusion.prediction.prediction import Prediction, Target


def write_vtt(prediction: Prediction, path: Path, embed: bool) -> None:
    """Write a cue for each second with a line per person; doubts are notes and marked in cues."""
    del embed
    shift_s = media_of(Path(prediction.clip["path"]), prediction.time_zero).shift_s
    blocks = ["WEBVTT", *_notes(prediction), *_cues(prediction, shift_s)]
    write_text(path, "\n\n".join(blocks) + "\n")


def _notes(prediction: Prediction) -> Iterator[str]:
    scales = "; ".join(f"{target.name} from {scale(target)}" for target in prediction.targets)
    yield _note(f"{prediction.clip['name']}: means of one second. Scales: {scales}.")
    yield _note(f"The CSV file has all rows. {interval_meaning(prediction)}")
    for remark in prediction.remarks:
        yield _note(f"remark: {remark}")
    for at_s in changes(prediction):
        yield _note(f"the followed person may change: {at_s:.3f} s")
    for doubt in prediction.doubts:
        who = "" if doubt.track_id is None else f", {label(doubt.track_id)}"
        yield _note(f"doubt: {doubt.start_s:.3f} to {doubt.end_s:.3f} s{who}: {doubt.reason}")


def _note(text: str) -> str:
    """Return a comment block; it must not contain an arrow or an empty line."""
    return "NOTE\n" + as_text(text).replace("-->", "->").strip()


def _cues(prediction: Prediction, shift_s: float) -> Iterator[str]:
    """Yield cues in order of time; the lines of several persons share a cue."""
    several = len(list(tracks(prediction))) > 1
    lines: dict[tuple[int, int], list[str]] = {}
    for track_id, rows in tracks(prediction):
        spans = separate(doubts_of(prediction, track_id))
        for mean in means(prediction, rows):
            times_ms = round(1000 * (mean.start_s + shift_s)), round(1000 * (mean.end_s + shift_s))
            text = _values(mean.values, prediction.targets)
            if any(span.start_s < mean.end_s and span.end_s > mean.start_s for span in spans):
                text += "  (in doubt)"
            who = f"{label(track_id)}: " if several else ""
            lines.setdefault(times_ms, []).append(_escaped(f"{who}{text}"))
    for (start_ms, end_ms), texts in sorted(lines.items()):
        if end_ms > start_ms:
            yield "\n".join([f"{_time(start_ms)} --> {_time(end_ms)}", *texts])


def _values(values: dict[str, float], targets: tuple[Target, ...]) -> str:
    return "  ".join(f"{target.name} {printed(values[target.name], target)}" for target in targets)


def _escaped(text: str) -> str:
    return as_text(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(ms: int) -> str:
    """Return a time of WebVTT.

    >>> _time(3_723_004)
    '01:02:03.004'
    """
    rest_s, ms = divmod(ms, 1000)
    return f"{rest_s // 3600:02d}:{rest_s // 60 % 60:02d}:{rest_s % 60:02d}.{ms:03d}"
