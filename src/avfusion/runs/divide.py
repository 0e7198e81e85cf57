"""Divide the train partition: videos to train on, to choose the epoch on, and to leave out."""

import hashlib
import logging

import pandas as pd

from avfusion.config.jobs import RunSettings
from avfusion.errors import TrainError
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.registry import near
from avfusion.runs.inputs import Inputs

log = logging.getLogger(__name__)

SET_ASIDE, LEFT_OUT = "set aside", "left out"
"""Partitions of videos of the train partition that are not trained on."""


def divided(settings: RunSettings, data: Inputs, layout: Layout) -> Inputs:
    """Return the inputs of training, where videos that are not trained on leave `train`.

    Videos of `train.exclude` have the partition `LEFT_OUT`. With `train.select.on:
    train_subjects`, all videos of some subjects have the partition `SET_ASIDE`.

    Parameters
    ----------
    settings
        Settings of the run.
    data
        Features of all partitions.
    layout
        Paths of the study; the manifest is read.

    Raises
    ------
    TrainError
        If a name of `train.exclude` is no video of the train partition, if no video is left, or if
        there are too few subjects to set some aside.
    """
    train = settings.train
    if not train.exclude and train.select.on == "validation":
        return data
    path = layout.manifest(settings.corpus)
    manifest = read_table(path, columns=["video", "partition", "subject"])
    _check(train.exclude, manifest, settings)
    moved = dict.fromkeys(train.exclude, LEFT_OUT)
    if train.select.on == "train_subjects":
        rest = manifest[(manifest["partition"] == "train") & ~manifest["video"].isin(moved)]
        aside = _drawn(rest, train.select.share, settings)
        moved |= dict.fromkeys(aside, SET_ASIDE)
    table = data.videos
    partition = table["video"].map(moved).fillna(table["partition"])
    for name in (LEFT_OUT, SET_ASIDE):
        log.info("%s: %d train videos %s", settings.corpus, (partition == name).sum(), name)
    if not (partition == "train").any():
        raise TrainError(
            f"{settings.corpus}: `train.exclude` and `train.select` leave none of "
            f"{(table['partition'] == 'train').sum()} train videos with features to train on. "
            f"Shorten `train.exclude`, or lower `train.select.share`. {_again(settings)}"
        )
    return data.divided(partition)


def choosing(settings: RunSettings) -> str:
    """Return the partition of `divided` that the epoch is chosen on."""
    return "validation" if settings.train.select.on == "validation" else SET_ASIDE


def set_aside(divided_data: Inputs) -> list[str]:
    """Return the videos that the epoch is chosen on instead of the validation partition."""
    table = divided_data.videos
    return table["video"][table["partition"] == SET_ASIDE].tolist()


def _drawn(rest: pd.DataFrame, share: float, settings: RunSettings) -> list[str]:
    """Return the videos of the subjects that are set aside.

    The subjects follow from their names, in the order of the names' hashes. So they are the same
    for all fusions and seeds, and stay the same if videos are added. A video without a subject ID
    forms its own group, as in the statistics.
    """
    groups = [
        f"subject {subject}" if pd.notna(subject) else f"video {video}"
        for video, subject in zip(rest["video"], rest["subject"], strict=True)
    ]
    subjects = sorted(set(groups), key=lambda name: hashlib.sha256(name.encode()).digest())
    if len(subjects) < 2:
        raise TrainError(
            f"{settings.corpus}: `train.select.on: train_subjects` needs 2 subjects in the train "
            f"partition, found {len(subjects)}. Set `on: validation`. {_again(settings)}"
        )
    count = min(max(1, round(share * len(subjects))), len(subjects) - 1)
    aside = set(subjects[:count])
    return [v for v, group in zip(rest["video"], groups, strict=True) if group in aside]


def _check(excluded: list[str], manifest: pd.DataFrame, settings: RunSettings) -> None:
    """Refuse names of `train.exclude` that are no videos of the train partition."""
    partition = dict(zip(manifest["video"], manifest["partition"], strict=True))
    train = [video for video in partition if partition[video] == "train"]
    wrong = [name for name in excluded if partition.get(name) != "train"]
    lines = [
        f"{name!r} is in the {partition[name]} partition."
        if name in partition
        else f"{name!r} is not in the manifest.{near(name, train)}"
        for name in wrong
    ]
    if lines:
        raise TrainError(
            f"{settings.corpus}: `train.exclude` names {len(lines)} of {len(excluded)} videos that "
            f"are not in the train partition: {' '.join(lines)} Correct the names. "
            f"{_again(settings)}"
        )


def _again(settings: RunSettings) -> str:
    return f"Run: {settings.command}"
