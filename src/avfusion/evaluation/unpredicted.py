"""Recordings without a prediction, such as silent ones under a fusion that reads only sound.

They stay in the score as the middle of the scale, so that a fusion does not gain by leaving out
what it cannot predict.
"""

import pandas as pd

from avfusion.rating import Rating


def unpredicted(traces: pd.DataFrame, rating: Rating) -> list[str]:
    """Return the videos of which every prediction is NaN; traces have `video` and the targets."""
    empty = traces[list(rating.names)].isna().all(axis=1)
    return sorted(empty.groupby(traces["video"].to_numpy()).all().loc[lambda all_: all_].index)


def filled(traces: pd.DataFrame, rating: Rating) -> pd.DataFrame:
    """Return the traces with the middle of the scale in videos without a prediction.

    A video with some predictions is not changed.

    >>> traces = pd.DataFrame({"video": ["a", "b"], "pain": [float("nan"), 3.0]})
    >>> filled(traces, Rating(("pain",), 0, 10))["pain"].tolist()
    [5.0, 3.0]
    """
    videos = unpredicted(traces, rating)
    if not videos:
        return traces
    traces = traces.copy()
    traces.loc[traces["video"].isin(videos), list(rating.names)] = rating.outward(0.0)
    return traces
