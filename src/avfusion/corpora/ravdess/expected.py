"""Expected contents of RAVDESS: clips per actor and emotion, and the form of the files."""

from dataclasses import dataclass
from typing import Any

from avfusion.corpora.expected import refuse_unknown
from avfusion.corpora.ravdess.tree import EMOTIONS, SILENT, SONG, SPEECH, SUNG, Clip, read_name
from avfusion.errors import ConfigError


def _counts(emotions: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    return tuple((emotion, 4 if emotion == "neutral" else 8) for emotion in emotions)


@dataclass(frozen=True)
class Expected:
    """Clips per actor of each emotion, number of stereo wav files, and size of the pictures."""

    speech: tuple[tuple[str, int], ...] = _counts(EMOTIONS)
    song: tuple[tuple[str, int], ...] = _counts(SUNG)
    stereo: int = 4
    picture_px: tuple[int, int] = (1280, 720)
    given: bool = False  # whether some of them come from the config

    def of_channel(self, channel: int) -> dict[str, int]:
        """Return emotion -> clips per actor of a vocal channel."""
        return dict(self.speech if channel == SPEECH else self.song)

    def of_actor(self, actor: int, channel: int) -> dict[str, int]:
        """Return emotion -> clips of an actor; all 0 for the songs of actor 18."""
        counts = self.of_channel(channel)
        silent = channel == SONG and actor == SILENT
        return dict.fromkeys(counts, 0) if silent else counts

    @classmethod
    def of(cls, given: dict[str, Any]) -> "Expected":
        """Return the counts of the release with those of the option `expect` replaced.

        Raises `ConfigError` for an unknown key or emotion.
        """
        refuse_unknown("ravdess", cls, given)
        values = {**given}
        for name in {"speech", "song"} & given.keys():
            if other := sorted(set(given[name]) - set(EMOTIONS)):
                raise ConfigError(
                    f"ravdess: expect.{name} has {other[0]!r}; expected only {', '.join(EMOTIONS)}."
                )
            values[name] = tuple(given[name].items())
        if "picture_px" in given:
            values["picture_px"] = tuple(given["picture_px"])
        return cls(**values, given=bool(given))


def release_clips(actor: int) -> list[Clip]:
    """Return every clip with sound that the release has of an actor."""
    numbers = [
        (1, channel, emotion, intensity, statement, repetition, actor)
        for channel in (SPEECH, SONG)
        for emotion in range(1, len(EMOTIONS) + 1)
        for intensity in (1, 2)
        for statement in (1, 2)
        for repetition in (1, 2)
        if not (channel == SONG and actor == SILENT)
    ]
    clips = [read_name(Clip(*row).name)[0] for row in numbers]
    return [clip for clip in clips if clip is not None]
