"""What the processes of the server do with a clip: check it, and predict it."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from avfusion.errors import MediaError
from avfusion.prediction.app.apart import Report, Work
from avfusion.prediction.formats.player import Media, media_of
from avfusion.prediction.prediction import Prediction
from avfusion.prediction.request import Request


class Check(NamedTuple):
    """A clip to check, and its greatest length in seconds."""

    path: Path
    most_s: float


class Order(NamedTuple):
    """A clip to predict; `work` is a folder for temporary files."""

    path: Path
    request: Request
    work: Path


class Predicted(NamedTuple):
    """The predictions for a clip, and what a player needs to know of it."""

    prediction: Prediction
    media: Media


def checking() -> Work:
    """Return a function that refuses a file that is no clip, or is too long."""
    import av

    from avfusion.prediction.container import is_sound, longer_than

    av.logging.set_level(av.logging.PANIC)

    def check(job: Check, report: Report) -> None:
        if not job.path.stat().st_size:
            raise MediaError(f"{job.path}: the file is empty (0 bytes). Copy or download it again.")
        is_sound(job.path)
        length_s = longer_than(job.path, job.most_s)
        if length_s is not None:
            raise MediaError(
                f"{job.path}: lasts {length_s / 60:.1f} minutes or more, and this server takes "
                f"{job.most_s / 60:g}. Cut the clip, or start the server with --most-minutes."
            )

    return check


def predicting(model: Path, files: Mapping[str, Path], threads: int, trust_code: bool) -> Work:
    """Open the bundle and return a function that predicts."""
    import torch

    from avfusion.prediction.bundle import Bundle
    from avfusion.prediction.clip import predict_clip

    torch.set_num_threads(threads)
    logging.getLogger("avfusion").setLevel(logging.ERROR)  # names of clips stay out of the log
    bundle = Bundle.open(model, files, trust_code)
    _ = bundle.members, bundle.encoders, bundle.outlooks

    def predict(job: Order, report: Report) -> Predicted:
        prediction = predict_clip(job.path, bundle, job.request, job.work, report=report)
        return Predicted(prediction, media_of(job.path, prediction.time_zero))

    return predict
