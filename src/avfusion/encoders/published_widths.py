"""Widths of pretrained encoders for their options; no torch is imported (see `config.widths`).

`width` is the share of the published channels.
"""

from typing import Any

Options = dict[str, Any]


def scaled(channels: int, width: float) -> int:
    """Return a number of channels times `width`, at least 1.

    >>> scaled(64, 0.25), scaled(45, 1.0)
    (16, 45)
    """
    return max(1, round(channels * width))


def inception_i3d(options: Options) -> int:
    """Return the channels of the last module, 1024: the sum of its four branches."""
    return sum(scaled(channels, options["width"]) for channels in (384, 384, 128, 128))


def last_512(options: Options) -> int:
    """Return the width of networks whose last layer has 512 channels."""
    return scaled(512, options["width"])


def r2plus1d(options: Options) -> int:
    """Return 512, or 25,088 for the map of 7 x 7 places."""
    return last_512(options) * (1 if options["pooled"] else 49)


def vggish(options: Options) -> int:
    """Return 128."""
    return scaled(128, options["width"])


def ecapa_tdnn(options: Options) -> int:
    """Return 192."""
    return scaled(192, options["width"])


def vgg_face(options: Options) -> int:
    """Return 4096."""
    return scaled(4096, options["width"])


def spectrogram_cnn(options: Options) -> int:
    """Return 1024."""
    return scaled(1024, options["width"])


def face_expression(options: Options) -> int:
    """Return 256, and 7 more with `posteriors`."""
    return 256 + 7 * bool(options["posteriors"])
