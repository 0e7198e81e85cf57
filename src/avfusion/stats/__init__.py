"""Intervals, tests and decisions about fusions, for predictions that any program made.

Functions on tables take a DataFrame with a row per frame:

| column | meaning |
|---|---|
| `fusion` | name of the model |
| `video` | name of the recording |
| `predicted`, `gold` | values in the same unit; a frame is unrated where gold is NaN |
| `seed` | optional: number of the training; models with several trainings have several |
| `subject` | optional: person of the video; people are the units if one is in several videos |
| `target` | optional: what is predicted, such as valence; results also have the mean over targets |
| `fit` | optional: number of the encoder fit that a seed used, the same for all fusions |
| `time_s` | optional: time of the frame; no frame may occur twice |

Functions on arrays take the sums of each video, from `sums`. Both are those of a study's report;
the page on statistics explains them.
"""

from avfusion.evaluation.crossed import Estimate
from avfusion.evaluation.difference import Difference
from avfusion.evaluation.significance import holm
from avfusion.stats.arrays import bootstrap, exchange_test, sums
from avfusion.stats.tables import Options, compare, comparisons, scores

__all__ = [
    "Difference",
    "Estimate",
    "Options",
    "bootstrap",
    "compare",
    "comparisons",
    "exchange_test",
    "holm",
    "scores",
    "sums",
]
