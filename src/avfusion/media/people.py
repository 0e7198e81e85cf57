"""Find the people of a video: who they are, who is followed, and who speaks.

The pictures are read once. Their faces wait in a spool until the complete video has been seen,
because only then is it known which of them belong together.
"""

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from avfusion.config.sections import SignalSettings
from avfusion.errors import MediaError
from avfusion.media import appearance, follow
from avfusion.media.follow import Seen, Switch
from avfusion.media.looks import Looks
from avfusion.media.person import Person
from avfusion.media.probe import Probe
from avfusion.media.speaking import Heard, speaking
from avfusion.media.spool import Spool
from avfusion.media.tracklets import pieces
from avfusion.media.tracks import people
from avfusion.media.video import Frames, every_frame

Progress = Callable[[int, int, str], None]  # frames done, frames expected, reader


_MOST_TIMES = 8  # a warning names the first few times


@dataclass
class Search:
    """All frames of a video and the faces in them.

    Attributes
    ----------
    spool
        The faces.
    times_s
        Times of all displayed frames.
    looked
        Numbers of the frames that were searched.
    cuts
        Numbers, among the searched frames, of those that begin a shot, without the first.
    reader
        The reader of the pictures.
    warnings
        What was odd about them.
    """

    spool: Spool
    times_s: array = field(default_factory=lambda: array("d"))
    looked: array = field(default_factory=lambda: array("i"))
    cuts: np.ndarray = field(default_factory=lambda: np.empty(0, int))
    reader: str = ""
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Cast:
    """Who the faces of a video are.

    Attributes
    ----------
    seen
        The faces, shots and people.
    chosen
        Whether each face is of the followed person, bool (n,).
    speaking
        How much each face speaks, 0 to 1, float32 (n,); NaN if unknown.
    switches
        Times at which the followed person may change.
    """

    seen: Seen
    chosen: np.ndarray
    speaking: np.ndarray
    switches: list[Switch]


def search(
    file: Probe,
    settings: SignalSettings,
    person: Person,
    spool: Spool,
    use_decord: bool,
    progress: Progress,
) -> Search:
    """Read the pictures of a video and search them for faces.

    Raises
    ------
    MediaError
        If no frame can be decoded.
    """
    appearance.of(settings.face_embedding)  # a wrong file is refused before a video is read
    pictures, looks = Search(spool), Looks(settings, spool)
    frames = Frames(file, use_decord, every_frame if looks.reads_all else looks.wanted)
    for index, time_s, picture in frames:
        pictures.times_s.append(time_s)
        wanted = picture is not None and looks.wanted(index, time_s)
        if picture is not None and wanted and looks.take(index, time_s, person.seen(picture)):
            pictures.looked.append(index)
        progress(index + 1, len(file.times_s), frames.reader)
    if not pictures.times_s:
        raise MediaError(f"{file.path}: no frame can be decoded. Copy or download it again.")
    pictures.cuts, pictures.reader, pictures.warnings = (
        looks.shots.close(),
        frames.reader,
        frames.warnings,
    )
    return pictures


def cast(pictures: Search, settings: SignalSettings, rule: str, heard: Heard) -> Cast:
    """Tell the people of a video apart, and choose who is followed.

    Parameters
    ----------
    pictures
        The faces.
    settings
        Settings of the signal.
    rule
        "largest", "left", "right", "speaker" or "all".
    heard
        The sound.
    """
    spool = pictures.spool
    rows = spool.rows()
    # A placed face lies between two searched pictures: it belongs to the earlier one.
    shots = np.searchsorted(pictures.cuts, rows["look"], side="right")
    looks = appearance.of(settings.face_embedding)
    numbers = pieces(spool, rows, shots, looks)
    who = people(spool, rows, shots, numbers, looks)
    seen = Seen(rows, shots, who)
    spoken, scores = speaking(spool, seen, heard)
    if rule == "speaker":
        chosen = follow.follow_shots(seen, lambda shot, person: scores.get((shot, person), 0.0))
    else:
        chosen = follow.follow(seen, rule)
    return Cast(seen, chosen, spoken, follow.switches(seen, chosen))


def described(pictures: Search, roles: Cast, settings: SignalSettings, rule: str) -> dict[str, Any]:
    """Return the entry `faces` of the record's meta."""
    followed = np.unique(roles.seen.people[roles.chosen])
    return {
        "rule": rule,
        "people": int(roles.seen.people.max(initial=-1)) + 1,
        "followed": followed.tolist(),
        "switches_s": [round(switch.time_s, 3) for switch in roles.switches],
        "shots": len(pictures.cuts) + 1,
        "face_hz": settings.face_hz or settings.read_hz,
        "looked": len(pictures.looked),
    }


def remarks(pictures: Search, roles: Cast) -> list[str]:
    """Return warnings about faces, for the record's meta."""
    counts = np.array(pictures.spool.counts, int)
    if not roles.chosen.any():
        return ["no face in any frame" if not counts.any() else "no face of the one to follow"]
    out = []
    if (counts > 1).any():
        out.append(
            f"more than one face in {(counts > 1).sum()} of {len(counts)} frames looked at (up to "
            f"{counts.max()}); one person is followed"
        )
    if roles.switches:
        first = roles.switches[:_MOST_TIMES]
        times = ", ".join(f"{s.time_s:.1f} s{' (cut)' if s.cut else ''}" for s in first)
        more = len(roles.switches) - len(first)
        out.append(
            f"the followed person may change at {times}" + (f" and {more} times more" * (more > 0))
        )
    return out
