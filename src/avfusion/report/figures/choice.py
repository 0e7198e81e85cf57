"""Which videos the figures of predictions over time show: the best, the median and the worst."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from avfusion.metrics.sums import SUMS, pooled_ccc
from avfusion.report.inputs import CorpusFiles


@dataclass(frozen=True)
class Choice:
    """A video, and why it was chosen.

    Attributes
    ----------
    video
        Name of the video.
    place
        `best`, `median` or `worst`; `only` if there is one video.
    ccc
        CCC of the fusion in this video, mean over targets and trainings.
    videos
        Number of videos from which it was chosen.
    """

    video: str
    place: str
    ccc: float
    videos: int

    def words(self, partition: str) -> str:
        """Return the choice in words.

        >>> Choice("v1", "median", 0.5, 60).words("test")
        'Video v1, the median of 60 test videos'
        """
        if self.videos == 1:
            return f"Video {self.video}, the only {partition} video with a CCC,"
        return f"Video {self.video}, the {self.place} of {self.videos} {partition} videos"


def by_ccc(files: CorpusFiles, fusion: str, videos: Iterable[str]) -> list[Choice]:
    """Return the best, the median and the worst video of a fusion under the headline protocol.

    Parameters
    ----------
    files
        Files of the corpus.
    fusion
        Name of the fusion.
    videos
        Videos to choose from. One without gold, or with constant gold, has no CCC and is left out.
        A target that is constant in every video is left out, too.

    Returns
    -------
    list of Choice
        Fewer than three if fewer videos have a CCC. Of an even number, the median is the better of
        the two in the middle; equal videos are sorted by name.
    """
    table = files.sums()
    if not len(table):
        return []
    table = table[(table["fusion"] == fusion) & table["video"].isin(list(videos))]
    sums = table[list(SUMS)].to_numpy(float)
    n, gold, squares = sums[:, SUMS.index("n")], sums[:, SUMS.index("g")], sums[:, SUMS.index("gg")]
    varies = n * squares - gold**2 > 1e-12 * n * squares
    scores = table.assign(ccc=np.where(varies, pooled_ccc(sums), np.nan))
    table = scores.pivot_table("ccc", "video", ["target", "seed"]).dropna(axis=1, how="all")
    means = table.dropna().mean(axis=1)
    ranked = sorted(means.items(), key=lambda item: (-item[1], str(item[0])))
    last = len(ranked) - 1
    at = {"best": 0, "median": last // 2, "worst": last, "only": 0}
    places = {0: ["only"], 1: ["best", "worst"]}.get(last, ["best", "median", "worst"])
    return [
        Choice(str(ranked[at[place]][0]), place, float(ranked[at[place]][1]), len(ranked))
        for place in (places if ranked else [])
    ]
