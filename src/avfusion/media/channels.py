"""Mix the channels of a sound into one.

Mono is kept. Stereo is averaged, so that mono stored as stereo keeps its loudness. More channels
are mixed by ITU-R BS.775 for one output channel: front left and right by 0.7071, centre by 1,
surrounds by 0.5; the low-frequency channel is left out. The sum is attenuated by
1 / (1 + 0.7071 per centre and per pair of surrounds + 0.5 per centre of the back), as FFmpeg does
for two channels. A voice in the centre of 5.1 is then 7.66 dB below the same voice in mono. Without
a centre, the sum is attenuated by 3 dB more, as that of stereo is.
"""

from collections.abc import Sequence

import av
import numpy as np

Q = 0.5**0.5


SURROUND = "BS.775"
"""Rule of three and more channels."""


_GAINS = {
    **{"FL": Q, "FR": Q, "FC": 1.0, "FLC": Q, "FRC": Q, "WL": Q, "WR": Q, "DL": Q, "DR": Q},
    **{"BC": Q, "TBC": Q, "LFE": 0.0, "LFE2": 0.0},
}


_USUAL = {
    3: ("FL", "FR", "LFE"),
    4: ("FL", "FR", "FC", "BC"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
"""FFmpeg's default layouts, for channels without a name."""


_BACK = {"BC", "TBC"}
_FRONT = {"FL", "FR", "FLC", "FRC", "WL", "WR", "DL", "DR"}


def channel_names(frame: av.AudioFrame) -> tuple[str, ...]:
    """Return the names of the channels as FFmpeg abbreviates them."""
    return tuple(channel.name for channel in frame.layout.channels)


def unnamed(names: Sequence[str]) -> bool:
    """Return whether three or more channels do not say what they are."""
    return len(names) > 2 and any(name in ("NONE", "UNK", "UNSD", "") for name in names)


def weights(names: Sequence[str], only: int | None = None) -> np.ndarray:
    """Return the weight of each channel in the mono sum, float32 (C,).

    Parameters
    ----------
    names
        Names of the channels as FFmpeg abbreviates them.
    only
        Channel of a stereo sound to use instead of the mean.

    Examples
    --------
    >>> weights(["FL", "FR"]).tolist(), weights(["FL", "FR"], only=1).tolist()
    ([0.5, 0.5], [0.0, 1.0])
    >>> weights(["FL", "FR", "FC", "LFE", "BL", "BR"]).astype(float).round(4).tolist()
    [0.2929, 0.2929, 0.4142, 0.0, 0.2071, 0.2071]
    """
    count = len(names)
    if count <= 2:
        if only is not None and count == 2:
            return np.eye(2, dtype=np.float32)[only]
        return np.full(count, 1 / count, np.float32)
    if names[0].startswith("AMB"):  # ambisonics: the first channel has no direction
        return np.eye(count, dtype=np.float32)[0]
    if unnamed(names):
        if count not in _USUAL:
            return np.full(count, 1 / count, np.float32)
        names = _USUAL[count]
    gains = np.array([_GAINS.get(name, 0.5) for name in names], np.float32)
    centre = "FC" in names
    sides = sum(gain > 0 and name not in _FRONT for name, gain in zip(names, gains, strict=True))
    backs = sum(name in _BACK for name in names)
    pairs = centre + -(-(sides - centre - backs) // 2)
    return gains / np.float32(1 + Q * pairs + 0.5 * backs) * np.float32(1 if centre else Q)


def rule(names: Sequence[str], only: int | None = None, inverted: bool = False) -> str:
    """Return in words how `weights` mixes the channels."""
    if len(names) == 1:
        return "mono"
    if len(names) == 2:
        if only is None:
            return "mean"
        return "one channel, phases inverted" if inverted else f"{('left', 'right')[only]} only"
    if names[0].startswith("AMB"):
        return "first channel"
    return "mean" if unnamed(names) and len(names) not in _USUAL else SURROUND
