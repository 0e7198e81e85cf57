"""How much of a recording the newest rows of a bundle depend on, in rows of its grid."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from avfusion.config import contexts
from avfusion.config.contexts import Context
from avfusion.errors import BundleError, ConfigError
from avfusion.features.windows import last_of, stride_of
from avfusion.prediction.bundle import Bundle


class Reach(NamedTuple):
    """Numbers of rows, hop_s apart.

    Attributes
    ----------
    hop_s
        Time from one row to the next in seconds.
    step
        Rows from one update to the next.
    span
        Rows of a span, which an update reads: context of the encoders, a window and a step.
    late
        Rows at the end of a span that what follows may still change.
    """

    hop_s: float
    step: int
    span: int
    late: int

    @property
    def span_s(self) -> float:
        """Length of a span in seconds."""
        return self.span * self.hop_s


def reach_of(bundle: Bundle, update_s: float) -> Reach:
    """Return what an update of a bundle reads.

    Parameters
    ----------
    bundle
        The model.
    update_s
        Time between updates in seconds; it is rounded up to rows.

    Raises
    ------
    BundleError
        If the bundle needs the complete clip.
    ConfigError
        If `update_s` is not above 0.
    """
    if not update_s > 0:
        raise ConfigError(f"--update {update_s:g}: expected more than 0 seconds.")
    if bundle.document.needs_all:
        raise _refusal(bundle, bundle.document.needs_all)
    cuts = bundle.document.windows
    before_s, after_s = (max(side) for side in zip(*_contexts(bundle), strict=True))
    step, context = _rows(update_s, cuts.hop_s), _rows(before_s, cuts.hop_s)
    window = cuts.clips * stride_of(cuts)
    more = context + step
    if last_of(cuts) == "padded":  # the span ends with a complete window
        advance = (cuts.advance or cuts.clips) * stride_of(cuts)
        more = math.ceil(more / advance) * advance
    return Reach(cuts.hop_s, step, window + more, _rows(after_s, cuts.hop_s))


def _contexts(bundle: Bundle) -> Iterator[Context]:
    """Yield seconds before and after the end of a clip for each encoder that is read."""
    clip_s = bundle.document.windows.clip_s
    for name in bundle.read:
        entry = bundle.document.encoders[name]
        context = contexts.context_of(entry.settings.class_, entry.settings.options, clip_s)
        if context is None:
            raise _refusal(bundle, [name])
        yield context


def _rows(seconds: float, hop_s: float) -> int:
    """Return how many rows cover a time.

    >>> _rows(0.32, 0.16), _rows(0.33, 0.16), _rows(0.0, 0.16)
    (2, 3, 0)
    """
    return math.ceil(seconds / hop_s - contexts.EPSILON)


def _refusal(bundle: Bundle, needs: list[str]) -> BundleError:
    corpus = bundle.document.corpus.name
    return BundleError(
        f"{bundle.folder}: {', '.join(needs)} may need the complete clip before the first row, so "
        f"this bundle cannot predict live. In a study, choose encoders that need a few seconds "
        f"only, set `at_rest: false` for mel_cnn and face_cnn and `train.baseline: none`, and run "
        f"`avf bundle --best {corpus}`. Or record first, and predict the file without --live."
    )
