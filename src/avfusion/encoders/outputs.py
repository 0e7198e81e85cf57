"""Check what a network gives before it is written into rows of clips."""

import numpy as np

from avfusion.errors import AvfError

REMEDY = (
    "Set `gpu_precision` to float32 if it is lower, or correct the other options or the file of "
    "weights"
)


def finite(rows: np.ndarray, what: str = "the network", remedy: str = REMEDY) -> np.ndarray:
    """Return the output (B, ...) of a network for B inputs.

    A row that is NaN stands for an absent modality, so a network must not give one.

    Parameters
    ----------
    rows
        The output.
    what
        What gave it, for the message.
    remedy
        What to do, for the message.

    Raises
    ------
    AvfError
        If a value is not finite.
    """
    lost = int((~np.isfinite(rows)).reshape(len(rows), -1).any(1).sum()) if rows.size else 0
    if lost:
        raise AvfError(
            f"{what} gives values that are not finite for {lost} of {len(rows)} inputs. {remedy}; "
            f"a logarithm of silence is one cause."
        )
    return rows


def refuse_partial(rows: np.ndarray, ends_s: np.ndarray, name: str) -> None:
    """Refuse a row (D,) of an outside encoder that is NaN in part.

    Raises
    ------
    AvfError
        If there is one. A complete row of NaN means that the modality is absent in the clip.
    """
    absent = np.isnan(rows)
    partly = absent.any(1) & ~absent.all(1)
    if partly.any():
        at = int(np.argmax(partly))
        raise AvfError(
            f"{name} gave NaN as feature {int(np.argmax(absent[at]))} at {ends_s[at]:g} s, and "
            f"numbers as others ({int(partly.sum())} such clips). A row is NaN only as a whole, "
            f"where the modality is absent."
        )
