"""Corruptions of the input by name, with their modality, unit and valid levels.

There are two kinds. Corruptions of features (avfusion.features.corrupt) change the rows of an
encoder. Corruptions of the signal (avfusion.encoders.corrupt) change audio or video, which is then
encoded again. Missing input is both: rows become absent, and encoders whose other rows depend on
what is missing encode the rest again (`avfusion.config.contexts`). This module imports nothing
heavy, so a config can be checked quickly.
"""

import math
from dataclasses import dataclass
from typing import Protocol

from avfusion.errors import ConfigError
from avfusion.registry import encoders, near

Case = tuple[str, float]
"""A corruption and its level."""

CLEAN: Case = ("whole", 0.0)
"""The case of clean input, at which every curve starts."""

MODALITIES = ("audio", "video")

OFF_GRID = 1e-4
"""How far a delay in hops may be from a whole number: a hop of 1/30 s is rounded in a file."""


class HasRobustness(Protocol):
    """Settings with the corruptions of a study: `Study` or `RobustSettings`."""

    @property
    def robustness(self) -> dict[str, list[float]]:
        """Corruption -> levels."""


@dataclass(frozen=True)
class Kind:
    """A way to corrupt one modality.

    Parameters
    ----------
    unit
        Unit of the levels: "share", "s", "px", "db" (signal-to-noise ratio) or "noise" (share of
        the noise in the variance).
    words
        What the corruption does; `{}` stands for the modality.
    signal
        Whether it changes audio or video before encoding, instead of features.
    missing
        Whether it removes input.
    """

    unit: str
    words: str
    signal: bool = False
    missing: bool = False

    @property
    def clean(self) -> float:
        """The level of clean input: infinite for dB, else 0."""
        return math.inf if self.unit == "db" else 0.0

    def place(self, level: float) -> float:
        """Return the place of a level on a curve that starts at 0 with clean input.

        This is the level itself, or for dB the share of the noise in the sum of both root mean
        squares.

        >>> [Kind("db", "").place(snr) for snr in (math.inf, 0.0)], Kind("px", "").place(2.0)
        ([0.0, 0.5], 2.0)
        """
        return 1 / (1 + 10 ** (level / 20)) if self.unit == "db" else level

    def text(self, level: float) -> str:
        """Return a level as tables print it: a share, seconds, pixels or a signal-to-noise ratio.

        >>> [Kind(unit, "").text(0.5) for unit in ("share", "s", "noise", "px")]
        ['50%', '0.5 s', '0 dB', '0.5 px']
        >>> [Kind("db", "").text(snr) for snr in (math.inf, -5.0)]
        ['clean', '−5 dB']
        """
        if level == self.clean:
            return "clean"
        if self.unit == "noise":
            return f"{10 * math.log10((1 - level) / level):.0f} dB".replace("-", "−")
        if self.unit == "share":
            return f"{100 * level:g}%"
        return f"{level:g} {'dB' if self.unit == 'db' else self.unit}".replace("-", "−")


FEATURE_KINDS = {
    "missing": Kind("share", "random stretches of {} absent", missing=True),
    "missing_block": Kind("share", "one run of {} absent", missing=True),
    "late": Kind("s", "{} late"),
    "feature_noise": Kind("noise", "noise in the {} features"),
}
"""Name -> kind, for both modalities; applied by `avfusion.features.corrupt`."""

SIGNAL_KINDS = {
    "audio": {
        "noise_db": Kind("db", "white noise in the sound", signal=True),
        "babble_db": Kind("db", "other voices of the corpus in the sound", signal=True),
        "shift_s": Kind("s", "sound late against the pictures", signal=True),
    },
    "video": {
        "blur_px": Kind("px", "faces blurred", signal=True),
        "occlusion": Kind("share", "a square of the face hidden", signal=True),
    },
}
"""Modality -> name -> kind; applied by `avfusion.encoders.corrupt`."""


def names() -> list[str]:
    """Return the names of all corruptions, as `modality_kind`."""
    return [f"{modality}_{kind}" for modality in MODALITIES for kind in _kinds(modality)]


def find(name: str) -> tuple[str, Kind]:
    """Return the modality and the kind of a corruption.

    Raises
    ------
    ConfigError
        If there is no such corruption; the message names the nearest one.
    """
    modality, _, kind = name.partition("_")
    if modality not in MODALITIES or kind not in _kinds(modality):
        known = names()
        raise ConfigError(
            f"No corruption named {name!r}.{near(name, known)} Known: {', '.join(known)}."
        )
    return modality, _kinds(modality)[kind]


def signal_of(name: str, encoder: str, modality: str | None = None) -> Kind:
    """Return the kind of a corruption of the signal that an encoder reads.

    Parameters
    ----------
    name
        A corruption.
    encoder
        Name of an encoder in the registry.
    modality
        What it encodes, if its class leaves that to the study.

    Raises
    ------
    ConfigError
        If the corruption changes features, or another modality than the encoder reads.
    """
    changed, kind = find(name)
    if not (kind.signal or kind.missing):
        raise ConfigError(
            f"{name} changes features after encoding, so nothing is to encode. "
            f"Run: avf robust CORPUS"
        )
    read = encoders.constant(encoder, "modality") or modality
    if read != changed:
        raise ConfigError(f"{name} changes {changed}, but {encoder!r} encodes {read}.")
    if encoders.constant(encoder, "reads") is not None:
        raise ConfigError(f"{name} changes recordings, but {encoder!r} reads none.")
    return kind


def describe(name: str) -> str:
    """Return a corruption in words.

    >>> describe("audio_missing")
    'random stretches of audio absent'
    """
    modality, kind = find(name)
    return kind.words.format(modality)


def faults(name: str, levels: list[float], hop_s: float) -> list[str]:
    """Return one message per fault of a corruption and its levels in a config."""
    try:
        kind = find(name)[1]
    except ConfigError as error:
        return [f"robustness: {error}"]
    return [f"robustness.{name}: {fault}." for fault in _level_faults(kind, levels, hop_s)]


def trainable(corrupt: dict[str, float]) -> dict[str, float]:
    """Return `train.corrupt` unchanged if windows of features can be corrupted so in training.

    Raises
    ------
    ValueError
        If a corruption is unknown or only for evaluation, or its greatest level is out of range.
    """
    for name, greatest in corrupt.items():
        try:
            kind = find(name)[1]
        except ConfigError as error:
            raise ValueError(str(error)) from None
        if kind.signal or kind.unit == "s":
            raise ValueError(
                f"{name} is only for evaluation; missing, missing_block and feature_noise of a "
                f"modality can be used in training"
            )
        if not 0 < greatest <= 1 or (kind.unit == "noise" and greatest == 1):
            raise ValueError(
                f"{name}: the greatest level is a share above 0 and at most 1 (for noise below 1)"
            )
    return corrupt


def _kinds(modality: str) -> dict[str, Kind]:
    return FEATURE_KINDS | SIGNAL_KINDS.get(modality, {})


def _level_faults(kind: Kind, levels: list[float], hop_s: float) -> list[str]:
    if not levels or not all(math.isfinite(level) for level in levels):
        return [f"levels must be numbers; found {levels}"]
    if kind.unit == "db":
        falling = levels == sorted(set(levels), reverse=True)
        return [] if falling else [f"levels in dB must fall, the least noise first; found {levels}"]
    messages = []
    if levels != sorted(set(levels)) or levels[0] <= 0:
        messages.append(
            f"levels must rise and start above 0 (0, clean input, is always included); "
            f"found {levels}"
        )
    if kind.unit in ("share", "noise") and levels[-1] > 1:
        messages.append(f"levels are shares, at most 1; found {max(levels):g}")
    if kind.unit == "noise" and 1 in levels:
        messages.append("level 1 is noise only; set less")
    off = max(abs(level / hop_s - round(level / hop_s)) for level in levels)
    if kind.unit == "s" and not kind.signal and off > OFF_GRID:
        messages.append(
            f"levels are seconds, multiples of windows.hop_s ({hop_s:g}); found {levels}"
        )
    return messages


def cases(settings: HasRobustness) -> list[Case]:
    """Return clean input, then every corruption at every level."""
    levels = settings.robustness.items()
    return [CLEAN, *((name, float(level)) for name, values in levels for level in values)]
