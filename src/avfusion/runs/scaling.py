"""Record how a run's features fit the scale of the train partition.

scaling.csv in the folder of a run has a row per encoder and partition. No gold is read.

    encoder, partition
    videos         videos of the partition
    values         features times rows in which the modality is present
    limited        values that are further from the center than `train.limit` times the scale of
                   `train.standardise: robust`; other kinds of scaling pass them on as they are
    missing        values that are NaN
    share          (limited + missing) / values
    features       width of the encoder
    constant       features that are constant on the train partition, or missing in all of it, and
                   therefore contribute 0
    dead           features that fire in less than 0.5 % of the train rows
    worst_feature  index within the encoder of the feature with the greatest share
    worst_share    its share
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor

from avfusion.config.training import TrainSettings
from avfusion.errors import TrainError
from avfusion.features.windows import is_present
from avfusion.io.atomic import write_text
from avfusion.models.model import Model
from avfusion.models.standardise import Standardise
from avfusion.runs.files import SCALING
from avfusion.runs.inputs import Inputs
from avfusion.runs.job import Job
from avfusion.runs.predictor import reads

log = logging.getLogger(__name__)

SHARE = 0.01
"""Greatest share of limited or missing values, of an encoder and partition, without a warning."""

MOST = 0.5
"""Greatest share of one feature without a warning."""

AT_ONCE = 10_000
"""Rows counted at once, so that the memory needed does not grow with the corpus."""


class Columns(NamedTuple):
    """The features of one encoder within the features of its modality."""

    encoder: str
    modality: str
    columns: slice


def columns(data: Inputs) -> Iterator[Columns]:
    """Yield the encoders of a run and where their features are."""
    for modality, encoders in data.features.by_modality.items():
        first = 0
        for encoder in encoders:
            width = data.stores[encoder].dim
            yield Columns(encoder, modality, slice(first, first + width))
            first += width


def measure(model: Model, job: Job) -> None:
    """Fit the standardisation of a model to the rows of the train partition.

    Raises
    ------
    TrainError
        If a feature is missing in every present row, while others are not, or if the fusion reads
        a modality that no train video has.
    """
    _check_present(job)
    _check_missing(job)
    for modality in job.settings.features.by_modality:
        getattr(model, modality).measure(getattr(job.rows, modality))


def _check_present(job: Job) -> None:
    """Refuse a run whose fusion reads sound or pictures that no train video has."""
    settings, words = job.settings, {"audio": "sound", "video": "a face"}
    for modality, encoders in settings.features.by_modality.items():
        rows = getattr(job.rows, modality)
        if modality not in words or modality not in reads(settings) or is_present(rows).any():
            continue
        other = "video" if modality == "audio" else "audio"
        raise TrainError(
            f"{settings.corpus}: no train video has {words[modality]} that {', '.join(encoders)} "
            f"can read, and {settings.fusion} needs it. Set `{modality}: []` under features and "
            f"keep only fusions that read {other}, such as `{other}`."
        )


def _check_missing(job: Job) -> None:
    """Warn about features that are missing in some present train rows; refuse those without any."""
    for encoder, modality, part in columns(job.data):
        rows = getattr(job.rows, modality)
        rows = rows[is_present(rows)][:, part]
        corpus, path = job.settings.corpus, job.data.stores[encoder].path
        count = int((job.divided.videos["partition"] == "train").sum())
        if not len(rows):
            log.warning(
                "%s: the %s of encoder %r is absent in every row of %d train videos, so nothing is "
                "learnt from it",
                *(corpus, modality, encoder, count),
            )
            continue
        share = rows.isnan().float().mean(0)  # (D,)
        absent, some = (share == 1).nonzero()[:, 0], (share > SHARE).nonzero()[:, 0]
        if len(absent):
            raise TrainError(
                f"{path}: feature {int(absent[0])} of encoder {encoder!r} is NaN in every row of "
                f"{count} train videos in which others are numbers ({len(absent)} of "
                f"{rows.shape[1]} features). Correct the encoder and run "
                f"`avf encode {corpus} {encoder}`."
            )
        if len(some):
            log.warning(
                "%s: feature %d of encoder %r is NaN in %.1f%% of the train rows (%d such "
                "features); it counts as its mean there",
                *(corpus, int(some[0]), encoder, 100 * float(share[some[0]]), len(some)),
            )


def write(model: Model, job: Job, folder: Path) -> None:
    """Write scaling.csv of all partitions of a run and warn about shares above 1 %."""
    scales = {name: _robust(model, job, name) for name in job.settings.features.by_modality}
    table = record(job.data, scales)
    write_text(folder / SCALING, table.to_csv(index=False))
    warn(folder)


def warn(folder: Path) -> None:
    """Log the encoders and partitions in a run's scaling.csv with shares that are too large."""
    path = folder / SCALING
    for row in pd.read_csv(path).to_dict("records") if path.is_file() else []:
        if row["share"] > SHARE or row["worst_share"] > MOST:
            log.warning("%s: %s", "/".join(folder.parts[-3:]), _remark(row))


def _robust(model: Model, job: Job, modality: str) -> Standardise:
    """Return the robust scale of a modality; a model that is scaled otherwise has none."""
    scale: Standardise = getattr(model, modality)
    if scale.kind == "robust":
        return scale
    robust = Standardise(len(scale.mean), TrainSettings(limit=scale.limit))
    robust.measure(getattr(job.rows, modality))
    return robust


def record(data: Inputs, scales: dict[str, Standardise]) -> pd.DataFrame:
    """Count limited and missing values per encoder and partition.

    Parameters
    ----------
    data
        Features of all partitions.
    scales
        Modality -> its robust scale.

    Returns
    -------
    pandas.DataFrame
        The content of scaling.csv.
    """
    rows = []
    for partition in dict.fromkeys(data.videos["partition"]):
        videos, windows = data.videos_in(partition), data.joined(partition)
        counts = {name: _counts(getattr(windows, name), scale) for name, scale in scales.items()}
        for encoder, modality, part in columns(data):
            scale, (present, limited, missing) = scales[modality], counts[modality]
            about = {"encoder": encoder, "partition": partition, "videos": len(videos)}
            rows.append(about | _row(scale, part, present, limited[part], missing[part]))
    return pd.DataFrame(rows).sort_values("encoder", kind="stable", ignore_index=True)


def _counts(rows: Tensor, scale: Standardise) -> tuple[int, np.ndarray, np.ndarray]:
    """Return the number of present rows, and per feature limited and missing values (D,)."""
    limited, missing = (np.zeros(len(scale.mean), int) for _ in range(2))
    present = 0
    for part in rows.split(AT_ONCE):
        x = part.float()
        x = x[is_present(x)]
        present += len(x)
        limited += scale.beyond(x).sum(0).numpy()
        missing += x.isnan().sum(0).numpy()
    return present, limited, missing


def _row(
    scale: Standardise, part: slice, present: int, limited: np.ndarray, missing: np.ndarray
) -> dict[str, Any]:
    values, both = present * len(limited), limited + missing
    worst = int(both.argmax())
    return {
        "values": values,
        "limited": int(limited.sum()),
        "missing": int(missing.sum()),
        "share": float(both.sum()) / max(values, 1),
        "features": len(limited),
        "constant": int(scale.scale[part].isinf().sum()),
        "dead": int(scale.dead[part].sum()),
        "worst_feature": worst,
        "worst_share": float(both[worst]) / max(present, 1),
    }


def _remark(row: dict[str, Any]) -> str:
    """Return a row of scaling.csv in words."""
    return (
        f"{row['share']:.1%} of the values of encoder {row['encoder']} are missing or far from the "
        f"train partition's in {row['partition']} ({row['videos']} videos), most in feature "
        f"{row['worst_feature']} ({row['worst_share']:.1%} of its values)"
    )
