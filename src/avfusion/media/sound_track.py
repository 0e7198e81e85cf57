"""Choose the sound track of a file that is read, and how its channels are mixed.

The container's default track is read if it can be decoded, is no commentary and is not digital
silence. Otherwise the first track that meets these conditions is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from avfusion.errors import MediaError
from avfusion.media.bounds import opened
from avfusion.media.channels import rule, unnamed
from avfusion.media.levels import Levels, measure

_LOUD = 1.25  # decoders overshoot 1.0 a little; a larger peak was stored so, in floating point


_SPECIAL = (
    av.stream.Disposition.comment
    | av.stream.Disposition.hearing_impaired
    | av.stream.Disposition.visual_impaired
    | av.stream.Disposition.descriptions
    | av.stream.Disposition.karaoke
    | av.stream.Disposition.clean_effects
    | av.stream.Disposition.dependent
)


@dataclass(frozen=True)
class SoundTrack:
    """The track that is read.

    Attributes
    ----------
    index
        Number of the track among the sound tracks; None if nothing is read.
    tracks
        Number of sound tracks.
    why
        Why this track was chosen.
    channels
        Layout of the channels, such as "stereo".
    mixed
        How the channels become one.
    only
        The channel of a stereo sound that is read; None for their mix.
    rate_hz
        Sampling rate of the track in Hz.
    scale
        Largest value that is stored; more than 1 only for floating-point sound that exceeds it.
    warnings
        What may surprise a user.
    """

    index: int | None = None
    tracks: int = 0
    why: str = "no sound track"
    channels: str = ""
    mixed: str = ""
    only: int | None = None
    rate_hz: int = 0
    scale: float = 1.0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class SoundStream:
    """One sound track as the container describes it."""

    index: int
    decodable: bool
    special: bool
    best: bool
    name: str


def choose(path: Path, streams: Sequence[SoundStream] | None = None) -> SoundTrack:
    """Choose the sound track of a file.

    Parameters
    ----------
    path
        The file.
    streams
        What `sound_streams` returns, if it is known.

    Raises
    ------
    MediaError
        If the file cannot be opened.
    """
    try:
        return _choose(path, _streams(path) if streams is None else streams)
    except av.FFmpegError as error:
        raise MediaError(
            f"{path}: the sound cannot be read ({error.strerror}). Copy or download it again."
        ) from None


def _choose(path: Path, streams: Sequence[SoundStream]) -> SoundTrack:
    refused: dict[int, str] = {}
    if not streams:
        return SoundTrack()
    for stream in sorted(streams, key=lambda s: (s.special, not s.best, s.index)):
        levels = measure(path, stream.index) if stream.decodable else None
        if levels is None or not levels.count:
            refused[stream.index] = "cannot be decoded"
        elif levels.silent:
            refused[stream.index] = "is digital silence"
        else:
            special = {s.index: f"is {s.name}" for s in streams if s.special and s.best}
            return _chosen(stream, streams, {**special, **refused}, levels)
    return SoundTrack(tracks=len(streams), why=_nothing(refused), warnings=(_nothing(refused),))


def _chosen(
    stream: SoundStream, streams: Sequence[SoundStream], refused: dict[int, str], levels: Levels
) -> SoundTrack:
    """Describe the track that is read, with what may surprise about it."""
    only, inverted = levels.stereo()
    names, channels = next(iter(levels.forms.items()))
    channels = {1: "mono", 2: "stereo"}.get(len(names), channels)
    left_out = " and ".join(f"track {i + 1} {text}" for i, text in sorted(refused.items()))
    why = "only track" if len(streams) == 1 else "the container's default"
    warnings = []
    if not stream.best:
        why = left_out or "the container names no default"
        warnings.append(f"sound of track {stream.index + 1} of {len(streams)} is read: {why}")
    mixed = rule(names, only, inverted)
    side = ("left", "right")[only or 0]
    if inverted:
        warnings.append(f"the phases of the stereo sound are inverted; only {side} is read")
    elif only is not None:
        warnings.append(f"the sound is only in the {side} channel; it is read without the other")
    if any(map(unnamed, levels.forms)):
        warnings.append(f"the {len(names)} channels have no names; they are read as {mixed}")
    if len(levels.forms) > 1:
        layouts = ", ".join(levels.forms.values())
        warnings.append(f"the layout of the channels changes inside the track: {layouts}")
    peak = levels.mixed if only is None else levels.loud
    scale = 2.0 ** np.ceil(np.log2(peak)) if peak > _LOUD else 1.0
    if scale > 1:
        warnings.append(f"the sound exceeds full scale: its peak is {peak:.3g}")
    form = (channels, mixed, only, levels.rate_hz, float(scale), tuple(warnings))
    return SoundTrack(stream.index, len(streams), why, *form)


def _nothing(refused: dict[int, str]) -> str:
    if set(refused.values()) == {"is digital silence"}:
        return "the sound is digital silence"
    if "is digital silence" not in refused.values():
        return f"no sound track that can be decoded (tracks: {len(refused)})"
    listed = ", ".join(f"track {i + 1} {text}" for i, text in sorted(refused.items()))
    return f"no sound track to read: {listed}"


def sound_streams(
    container: av.container.InputContainer, pictures: av.VideoStream | None = None
) -> tuple[SoundStream, ...]:
    """Return the sound tracks as an open file describes them.

    The best one is of the same program as `pictures`, where a broadcast holds several programs.
    """
    best = container.streams.best("audio", pictures)
    return tuple(
        SoundStream(
            number,
            stream.codec_context is not None,
            bool(stream.disposition & _SPECIAL),
            best is not None and stream.index == best.index,
            _kind(stream.disposition),
        )
        for number, stream in enumerate(container.streams.audio)
    )


def _streams(path: Path) -> tuple[SoundStream, ...]:
    av.logging.set_level(av.logging.PANIC)
    with opened(path) as container:
        return sound_streams(container)


def _kind(disposition: Any) -> str:
    return "a commentary" if disposition & av.stream.Disposition.comment else "a special track"
