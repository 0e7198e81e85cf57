"""Write a video's sound and its voice activity into a record, and describe them."""

import math
from dataclasses import dataclass
from typing import Any

from avfusion.config.sections import SignalSettings
from avfusion.media import voice
from avfusion.media.audio import Sound
from avfusion.media.probe import Probe
from avfusion.media.sound_track import choose
from avfusion.media.waveform import MARGIN_S, StoredSound, within
from avfusion.media.writer import NATIVE, SOUND, RecordWriter

_CLIPPED = 0.001  # share of samples at full scale from which it is a warning


@dataclass(frozen=True)
class WrittenSound:
    """The sound of a record.

    Attributes
    ----------
    meta
        Entry `sound` of the record's meta.
    start_s, end_s
        First and last instant of the track in seconds of the video's time; NaN without a track.
    warnings
        What may surprise a user.
    """

    meta: dict[str, Any]
    start_s: float
    end_s: float
    warnings: tuple[str, ...]

    @property
    def exists(self) -> bool:
        """Whether the record holds sound: a track that is not digital silence, at its time."""
        return bool(self.meta["stored"]["spans"])


def write_sound(
    writer: RecordWriter, source: Probe, duration_s: float, settings: SignalSettings
) -> WrittenSound:
    """Write sound.npy, voice.npy and, if the study asks, native.npy; memory is constant.

    Parameters
    ----------
    writer
        Writer of the record.
    source
        The file with the sound, on the timeline of the video.
    duration_s
        Length of the video.
    settings
        Settings of the media.

    Raises
    ------
    MediaError
        If the file with the sound cannot be opened.
    """
    track = choose(source.path, source.sounds)
    sound = Sound(source, settings.sample_rate_hz, track)
    stored = _store(writer, sound, duration_s, SOUND)
    rows = math.ceil(duration_s / voice.STEP_S)
    if settings.sample_rate_hz == voice.RATE_HZ:
        heard = StoredSound(writer.folder, stored).pieces()
    else:
        heard = iter(Sound(source, voice.RATE_HZ, track))
    speech = writer.add_voice(voice.voice(heard, rows))
    meta: dict[str, Any] = {
        "track": track.index,
        "tracks": track.tracks,
        "why": track.why,
        "channels": track.channels or None,
        "mixed": track.mixed or None,
        "rate_hz": track.rate_hz or None,
        "voiced_share": speech["share"],
        **{key: stored.pop(key) for key in ("peak_db", "rms_db", "clipped_share")},
        "stored": stored,
    }
    if settings.native_sound:
        native = Sound(source, track.rate_hz or settings.sample_rate_hz, track)
        meta["native"] = _store(writer, native, duration_s, NATIVE)
    warnings = (*track.warnings, *sound.warnings, *_remarks(meta, speech))
    return WrittenSound(meta, sound.start_s, sound.end_s, warnings)


def _store(writer: RecordWriter, sound: Sound, duration_s: float, name: str) -> dict[str, Any]:
    begin = -round(MARGIN_S * sound.rate_hz)
    end = math.ceil((duration_s + MARGIN_S) * sound.rate_hz)
    pieces = within(sound, begin, end)
    return writer.add_sound(pieces, sound.rate_hz, sound.track.scale, name)


def _remarks(meta: dict[str, Any], speech: dict[str, Any]) -> list[str]:
    remarks = []
    if not meta["tracks"]:
        remarks.append("no sound track")
    elif meta["track"] is not None and not meta["stored"]["spans"]:
        remarks.append("no sound during the pictures")
    if meta["clipped_share"] > _CLIPPED:
        share = 100 * meta["clipped_share"]
        remarks.append(f"the sound is clipped: {share:.1f} % of its samples are at full scale")
    if speech["known"] and speech["share"] == 0:
        remarks.append("no speech in the sound")
    return remarks
