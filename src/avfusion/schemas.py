"""Columns of the tables that stages hand to each other."""

MANIFEST = ("video", "path", "partition", "subject", "voice", "transcript")


# Whose face to follow, where faces lie ready, a sound recording beside the video; what part of
# the file and of its picture is meant; which row of arrays it is, there being no media.
EXTRA = (
    *("side", "crops", "crops_sha256", "sound", "sound_sha256"),
    *("start_s", "end_s", "half", "row"),
)


GOLD = ("video", "time_s")  # and the corpus' targets


LABELS = ("video", "label")


TRUTH = ("video", "start_s", "end_s", "modality", "kind")


PARTITIONS = ("train", "validation", "test")


INDEX = ("video", "status", "reason", "rows", "dim", "missing_share", "sha256")


SLACK_S = 1e-6
"""Times closer than this are the same instant: hop_s is rarely a binary fraction."""


SEES = ("train", "validation")
"""Partitions whose videos a grid point is given."""


PREDICTS = ("validation",)
"""Partitions that a grid point writes predictions of."""
