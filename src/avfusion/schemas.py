"""Columns of the tables that stages exchange."""

MANIFEST = ("video", "path", "partition", "subject", "voice", "transcript")


EXTRA = (
    *("side", "crops", "crops_sha256", "sound", "sound_sha256"),
    *("start_s", "end_s", "half", "row", "face", "features", "features_sha256"),
    *("track", "track_sha256"),
)
"""Optional columns of a manifest.

They give the side of the face to follow, folders of existing crops, a separate sound recording,
the span and half of the picture, the row of shared arrays if there are no media, which face is
followed (`config.sections.Rule`), and files of features (JSON: column of the manifest -> path) with
their digest, and a folder of face pictures that are spread over the sound.
"""


GOLD = ("video", "time_s")  # and the corpus' targets


LABELS = ("video", "label")


TRUTH = ("video", "start_s", "end_s", "modality", "kind")


TRIALS = ("list", "partition", "first", "second", "same")
"""Columns of trials: name of the list, partition of both videos, the videos, and whether they show
one person."""


VOTES = ("clip", "modality", "emotion", "responses", "right", "level")
"""Columns of human votes, a row per video and modality.

They are the name of the video, what the raters were given (`JUDGED`), the intended class, the
number of responses, the number that name the intended class, and the mean intensity or NaN.
"""


JUDGED = ("audio", "video", "both")
"""Modalities that raters judge."""


PARTITIONS = ("train", "validation", "test")


INDEX = ("video", "status", "reason", "rows", "dim", "missing_share", "sha256")


SLACK_S = 1e-6
"""Times closer than this are equal, because hop_s is rarely a binary fraction."""


SEES = ("train", "validation")
"""Partitions whose videos the run of a grid point reads."""


PREDICTS = ("validation",)
"""Partitions that the run of a grid point predicts."""
