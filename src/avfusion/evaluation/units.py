"""What intervals and tests take as independent: each video, or each subject with all its videos."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from avfusion.errors import AvfError
from avfusion.layout import Layout


def subjects(
    corpus: str, videos: Sequence[str], layout: Layout, statistics: dict[str, Any] | None = None
) -> list[str]:
    """Who is seen in each video, as the manifest says; a video of nobody named is its own.

    Refuses `unit: subject` where nobody at all is named.
    """
    path = layout.manifest(corpus)
    if not path.is_file():
        raise AvfError(f"{path}: no such file. Run `avf verify {corpus}`.")
    table = pd.read_parquet(path, columns=["video", "subject"]).set_index("video")
    names = table["subject"].reindex(list(videos))
    if by_subject(statistics or {}) and names.isna().all():
        raise AvfError(
            f"{corpus}: statistics.unit is `subject`, and no subject is named in {path}. "
            f"Set `unit: video`."
        )
    return [str(n) if pd.notna(n) else f"{v} alone" for v, n in names.items()]


def numbers(names: Sequence[str], statistics: dict[str, Any]) -> np.ndarray | None:
    """The unit (V,) of each video from its subject's name, as `avfusion.evaluation.inference` takes it.

    statistics: `study["statistics"]`. None where each video is a unit.

    >>> numbers(["ann", "bob", "ann"], {"unit": "subject"}).tolist()
    [0, 1, 0]
    """
    if not by_subject(statistics):
        return None
    return np.unique(np.asarray(names, dtype=str), return_inverse=True)[1].reshape(-1)


def by_subject(statistics: dict[str, Any]) -> bool:
    """Whether `statistics.unit` asks for subjects."""
    return statistics.get("unit", "video") == "subject"


def word(statistics: dict[str, Any]) -> str:
    """What is drawn, as sentences name it: `video` or `subject`."""
    return "subject" if by_subject(statistics) else "video"
