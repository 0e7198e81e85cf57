"""Scores made of given sums, without runs."""

import numpy as np

from avfusion.evaluation.scored import Scored
from avfusion.protocols.protocol import Protocol


def scored_sums(sums: dict[str, np.ndarray], unit=None, pooling="pooled", fits=None) -> Scored:
    """Return scores of fusions with sums (S, K, V, 6); the seeds are 0 to S - 1."""
    first = next(iter(sums.values()))
    videos = [f"v{i:03d}" for i in range(first.shape[2])]
    rule = Protocol(name="pooled", description="", pooling=pooling, delay="none")
    return Scored(
        corpus="toy",
        rule=rule,
        partition="test",
        videos=videos,
        missing=[],
        missing_in_training=[],
        notes={},
        sums={name: dict(enumerate(each)) for name, each in sums.items()},
        names=tuple(f"t{k}" for k in range(first.shape[1])),
        subjects=tuple(videos if unit is None else map(str, unit)),
        unit=unit,
        fits=fits or {},
    )
