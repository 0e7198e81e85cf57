"""Units of resampling: each video, or each subject with all their videos."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from avfusion.config.sections import StatisticsSettings
from avfusion.errors import AvfError
from avfusion.layout import Layout


def subjects(
    corpus: str,
    videos: Sequence[str],
    layout: Layout,
    statistics: StatisticsSettings | None = None,
) -> list[str]:
    """Return the subject of each video from the manifest.

    A video without a subject ID forms its own group.

    Parameters
    ----------
    corpus
        Name of the corpus.
    videos
        Videos, V of them.
    layout
        Paths of the results.
    statistics
        If its unit is `subject`, at least one video must have a subject ID.

    Returns
    -------
    list of V str
        Subject IDs.

    Raises
    ------
    AvfError
        If there is no manifest, or no subject ID although subjects are the units.
    """
    path = layout.manifest(corpus)
    if not path.is_file():
        raise AvfError(f"File not found: {path}. Run: avf verify {corpus}")
    table = pd.read_parquet(path, columns=["video", "subject"]).set_index("video")
    names = table["subject"].reindex(list(videos))
    if statistics is not None and statistics.unit == "subject" and names.isna().all():
        raise AvfError(
            f"{corpus}: statistics.unit is `subject`, and no subject is named in {path}. "
            f"Set `unit: video`."
        )
    return [str(n) if pd.notna(n) else f"{v} alone" for v, n in names.items()]


def numbers(names: Sequence[str], statistics: StatisticsSettings) -> np.ndarray | None:
    """Number the units of V videos for `avfusion.evaluation.inference`.

    Parameters
    ----------
    names
        Subject of each video, V of them.
    statistics
        Settings with the unit; `auto` takes subjects if one of them is in several videos.

    Returns
    -------
    ndarray of shape (V,) or None
        Number of the subject of each video; None if each video is a unit.

    >>> numbers(["ann", "bob", "ann"], StatisticsSettings()).tolist()
    [0, 1, 0]
    >>> numbers(["ann", "bob"], StatisticsSettings()) is None
    True
    """
    alone = len(set(names)) == len(names)
    if statistics.unit == "video" or (statistics.unit == "auto" and alone):
        return None
    return np.unique(np.asarray(names, dtype=str), return_inverse=True)[1].reshape(-1)


def word(unit: np.ndarray | None) -> str:
    """Return the word for a unit in sentences: `video` or `subject`."""
    return "video" if unit is None else "subject"
