"""Hashes of the features and the split that a run reads, which tell whether it is out of date."""

from collections.abc import Iterable
from typing import Any

from avfusion.io.stamped import listing_digest
from avfusion.runs.inputs import Inputs
from avfusion.schemas import SEES


def trained_on(data: Inputs) -> dict[str, Any]:
    """Return hashes of what training reads: features and split of train and validation.

    Videos that are only predicted are left out, so that more of them train nothing again.
    """
    seen = data.videos[data.videos["partition"].isin(SEES)]
    split = dict(zip(seen["video"], seen["partition"], strict=True))
    return {
        "features": _digests(data, split),
        "widths": {name: store.dim for name, store in data.stores.items()},
        "partitions": listing_digest(split),
    }


def predicted(data: Inputs) -> dict[str, str]:
    """Return encoder -> hash of the features of all videos, also of those only predicted."""
    return _digests(data, data.videos["video"])


def _digests(data: Inputs, videos: Iterable[str]) -> dict[str, str]:
    """Return encoder -> hash of the features of some videos, in their order."""
    names, digests = list(videos), {}
    for encoder, store in data.stores.items():
        of_video = store.index["sha256"].to_dict()
        digests[encoder] = listing_digest({video: of_video[video] for video in names})
    return digests
