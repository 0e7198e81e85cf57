"""Every corruption by name: which modality it spoils, what its levels are, and what they may be.

Two sorts. Those of features (avfusion.features.corrupt) change an encoder's rows after encoding; those of
the signal (avfusion.encoders.corrupt) change sound or pictures, which are then encoded anew.
Nothing heavy is imported, so that a config can be checked by the names alone.
"""

import math
from dataclasses import dataclass
from typing import Any

from avfusion.errors import ConfigError
from avfusion.registry import encoders, near

WHOLE = ("whole", 0.0)
"""The undisturbed input among the corruptions and levels; every curve starts there."""


Case = tuple[str, float]


MODALITIES = ("audio", "video")


@dataclass(frozen=True)
class Kind:
    """A way to corrupt one modality: its level's unit, what it does, and to what."""

    unit: str  # "share", "s", "px", "db" (signal to noise) or "noise" (share of the variance)
    says: str
    signal: bool = False

    @property
    def whole(self) -> float:
        """The level of input that nothing was done to: 0, or no noise at all, infinite dB."""
        return math.inf if self.unit == "db" else 0.0

    def place(self, level: float) -> float:
        """Where a level lies on a curve that begins at 0 with whole input.

        The level itself; for dB the share of the noise in the sum of both root mean squares.

        >>> [Kind("db", "").place(snr) for snr in (math.inf, 0.0)], Kind("px", "").place(2.0)
        ([0.0, 0.5], 2.0)
        """
        return 1 / (1 + 10 ** (level / 20)) if self.unit == "db" else level

    def text(self, level: float) -> str:
        """A level as a table prints it: a share, seconds, pixels, or a signal-to-noise ratio.

        >>> [Kind(unit, "").text(0.5) for unit in ("share", "s", "noise", "px")]
        ['50%', '0.5 s', '0 dB', '0.5 px']
        >>> [Kind("db", "").text(snr) for snr in (math.inf, -5.0)]
        ['whole', '−5 dB']
        """
        if level == self.whole:
            return "whole"
        if self.unit == "noise":
            return f"{10 * math.log10((1 - level) / level):.0f} dB".replace("-", "−")
        if self.unit == "share":
            return f"{100 * level:g}%"
        return f"{level:g} {'dB' if self.unit == 'db' else self.unit}".replace("-", "−")


FEATURE_KINDS = {
    "missing": Kind("share", "random stretches of {} absent"),
    "missing_block": Kind("share", "one run of {} absent"),
    "late": Kind("s", "{} late"),
    "feature_noise": Kind("noise", "noise in the {} features"),
}
"""Name -> kind, of either modality; done by `avfusion.features.corrupt`."""


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
"""Modality -> name -> kind; done by `avfusion.encoders.corrupt`."""


def names() -> list[str]:
    """Every corruption, as `modality_kind`."""
    return [f"{modality}_{kind}" for modality in MODALITIES for kind in _kinds(modality)]


def find(name: str) -> tuple[str, Kind]:
    """Modality and kind of a corruption; refuses an unknown name with the nearest known one."""
    modality, _, kind = name.partition("_")
    if modality not in MODALITIES or kind not in _kinds(modality):
        known = names()
        raise ConfigError(
            f"No corruption named {name!r}.{near(name, known)} Known: {', '.join(known)}."
        )
    return modality, _kinds(modality)[kind]


def signal_of(name: str, encoder: str) -> Kind:
    """A corruption of the signal that `encoder` reads; refuses one that it does not read."""
    modality, kind = find(name)
    if not kind.signal:
        raise ConfigError(f"{name} changes features, not what is encoded: run `avf robust` alone.")
    own = encoders.constant(encoder, "modality")
    if own != modality:
        raise ConfigError(f"{name} changes {modality}; {encoder!r} encodes {own}.")
    return kind


def describe(name: str) -> str:
    """A corruption in words.

    >>> describe("audio_missing")
    'random stretches of audio absent'
    """
    modality, kind = find(name)
    return kind.says.format(modality)


def faults(name: str, levels: list[float], hop_s: float) -> list[str]:
    """What is wrong with a corruption of a config, a sentence a fault."""
    try:
        kind = find(name)[1]
    except ConfigError as error:
        return [f"robustness: {error}"]
    return [f"robustness.{name}: {fault}." for fault in _level_faults(kind, levels, hop_s)]


def trainable(asked: dict[str, float]) -> dict[str, float]:
    """`train.corrupt` as given; refuses with ValueError what windows of features cannot undergo."""
    for name, greatest in asked.items():
        try:
            kind = find(name)[1]
        except ConfigError as error:
            raise ValueError(str(error)) from None
        if kind.signal or kind.unit == "s":
            raise ValueError(f"{name} is for test time alone; missing, missing_block and "
                             f"feature_noise of a modality can be trained on")  # fmt: skip
        if not 0 < greatest <= 1 or (kind.unit == "noise" and greatest == 1):
            raise ValueError(f"{name}: the greatest level is a share above 0, at most 1 (of noise, "
                             f"less)")  # fmt: skip
    return asked


def _kinds(modality: str) -> dict[str, Kind]:
    return FEATURE_KINDS | SIGNAL_KINDS.get(modality, {})


def _level_faults(kind: Kind, levels: list[float], hop_s: float) -> list[str]:
    if not levels or not all(math.isfinite(level) for level in levels):
        return [f"levels must be numbers; found {levels}"]
    if kind.unit == "db":
        falls = levels == sorted(set(levels), reverse=True)
        return [] if falls else [f"levels are dB that fall, the least noise first; found {levels}"]
    found = []
    if levels != sorted(set(levels)) or levels[0] <= 0:
        found.append(f"levels must rise from above 0 (0, whole input, is always there); {levels}")
    if kind.unit in ("share", "noise") and levels[-1] > 1:
        found.append(f"levels are shares, at most 1; found {max(levels):g}")
    if kind.unit == "noise" and 1 in levels:
        found.append("level 1 is noise alone; set less")
    off = max(abs(level / hop_s - round(level / hop_s)) for level in levels)
    if kind.unit == "s" and not kind.signal and off > 1e-6:
        found.append(f"levels are seconds, multiples of windows.hop_s ({hop_s:g}); found {levels}")
    return found


def cases(study: dict[str, Any]) -> list[Case]:
    """Whole input, then every corruption at every level."""
    grid = study["robustness"].items()
    return [WHOLE, *((name, float(level)) for name, levels in grid for level in levels)]
