"""Runs on people: one embedding per video, trained to tell the people of the train partition apart.

The epoch is chosen by the equal error rate of the trials of the validation partition, whose people
are others. embeddings.parquet in the folder of a run has the columns

    name         video, or the person whose mean it is
    partition    of the video; the rows of `train` are means of the unit embeddings of a person
    kind         `video` or `person`
    condition    `clean`, or the modality that was removed: `no_audio`, `no_video`
    e0, e1, …    the embedding; NaN if the fusion's modalities are absent in the whole video
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from avfusion.config.jobs import RunSettings
from avfusion.config.sections import VerificationSettings
from avfusion.errors import TrainError
from avfusion.features.windows import Windows
from avfusion.io.shards import read_table
from avfusion.io.stamped import content_hash
from avfusion.layout import Layout
from avfusion.metrics.verification import cosines, eer
from avfusion.models.model import VerificationModel
from avfusion.models.speakers import Speakers, margin_at, margin_loss
from avfusion.runs.classes import CHUNK, ClassBatch, ClassJob, Utterances, gather
from avfusion.runs.divide import divided
from avfusion.runs.inputs import Inputs
from avfusion.runs.predictor import Trained, reads
from avfusion.runs.shared import ReadInputs
from avfusion.training import device
from avfusion.training.batches import Batches
from avfusion.training.loop import deterministic, epoch_of
from avfusion.training.precision import products

FILE = "embeddings.parquet"

CONDITIONS = {"clean": "", "no_audio": "audio", "no_video": "video"}
"""Condition of an embedding -> modality that is removed."""

MOST = 1_000
"""Most train videos whose pairs make the train score."""

MarginBatch = tuple[ClassBatch, Tensor]
"""The batch of a class run, and the margin of its epoch as a scalar."""


class VerificationJob(ClassJob):
    """One run on people (see `avfusion.runs.job.Job`)."""

    file = FILE

    def __init__(
        self, settings: RunSettings, layout: Layout, read: ReadInputs = Inputs.read
    ) -> None:
        if settings.train.select.on != "validation":
            raise TrainError(
                "`train.select.on: train_subjects` is not offered with `task: verification`, which "
                "chooses the epoch on people who are not trained on. Remove it."
            )
        people = people_of(settings.corpus, layout)
        data = read(settings, layout)
        self.divided = divided(settings, data, layout)
        train = self.divided.videos_in("train")
        unnamed = [video for video in train if pd.isna(people[video])]
        if unnamed:
            raise TrainError(
                f"{settings.corpus}: {len(unnamed)} train videos have no subject, such as "
                f"{unnamed[0]!r}. `task: verification` needs the person of each video."
            )
        names = tuple(sorted({str(people[video]) for video in train}))
        if len(names) < 2:
            raise TrainError(
                f"{settings.corpus}: train has {len(names)} people; at least 2 needed."
            )
        self.settings = settings.updated(classes=names)
        self.data = data
        self.train = gather(self.divided, "train", people, names)
        self.validation = gather(self.divided, "validation", {}, names)
        self.rows: Windows = self.train.windows
        trials = read_trials(settings.corpus, layout)
        self.pairs = {
            "train": pairs_of(self.train.label.numpy()),
            "validation": _rows_of(trials[trials["partition"] == "validation"], self.validation),
        }
        if not len(self.pairs["validation"]):
            raise TrainError(
                f"{layout.trials(settings.corpus)}: no trial of two validation videos with "
                f"features. Run: avf verify {settings.corpus}"
            )
        self.gold = self.train.label, torch.from_numpy(self.pairs["validation"])
        self.columns: dict[str, type] = dict.fromkeys(("name", "partition", "kind"), str)
        self.columns |= {"condition": str, "e0": float}

    @property
    def rule(self) -> VerificationSettings:
        """Sizes and margin of the run."""
        assert self.settings.verification is not None
        return self.settings.verification

    def batches(self, generator: torch.Generator) -> "Batches[MarginBatch]":  # type: ignore[override]
        """Return the train videos of an epoch, `train.batch` at a time, with its margin."""
        plain = super().batches(generator)
        epoch = epoch_of(generator, self.settings.seed)
        margin = torch.tensor(margin_at(epoch, self.rule.margin, self.rule.margin_epochs))
        return Batches(plain.chosen, lambda chosen: (plain.load(chosen), margin))

    def loss(self, model: VerificationModel, batch: MarginBatch) -> Tensor:  # type: ignore[override]
        """Return the AAM-softmax loss, the mean over the batch's videos, and the fusion's term."""
        (inputs, label), margin = batch
        head = model.head
        assert isinstance(head, Speakers)
        with products(label.device, self.settings.train.precision):
            embeddings = model.embeddings(*inputs)
            term = model.auxiliary_loss(*inputs[0])
        cosines = head.cosines(embeddings.float())
        return margin_loss(cosines, label, margin, self.rule.scale) + term

    def validate(self, model: VerificationModel) -> dict[str, float]:  # type: ignore[override]
        """Return 1 - EER of the validation trials as "score", and the EER."""
        return self.scores(model, "validation")

    def scores(self, model: VerificationModel, partition: str) -> dict[str, float]:
        """Return 1 - EER of the trials of train or validation as "score", and the EER."""
        utterances = self.train if partition == "train" else self.validation
        first, second, same = self.pairs[partition].T
        used, places = np.unique(np.concatenate([first, second]), return_inverse=True)
        embedded = unit(embeddings(model, utterances, reads(self.settings), torch.from_numpy(used)))
        first, second = places[: len(first)], places[len(first) :]
        scores = np.nan_to_num(cosines(embedded, first, second))
        error = float(eer(scores, same.astype(bool)))
        return {"score": 1 - error, "eer": error}

    def hashes(self) -> dict[str, object]:
        """Return hashes of what the run is fitted to, besides the features."""
        return {"gold": content_hash(*self.gold)}


def people_of(corpus: str, layout: Layout) -> dict[str, str]:
    """Return video -> person, as the manifest says."""
    manifest = read_table(layout.manifest(corpus), columns=["video", "subject"])
    return dict(zip(manifest["video"], manifest["subject"], strict=True))


def read_trials(corpus: str, layout: Layout) -> pd.DataFrame:
    """Read the trials of a corpus: list, partition, first, second, same.

    Raises
    ------
    TrainError
        If the corpus has none.
    """
    path = layout.trials(corpus)
    table = read_table(path) if path.is_file() else pd.DataFrame()
    if not len(table):
        raise TrainError(
            f"{corpus} has no trials. Remove `task: verification` from its entry, or run: "
            f"avf verify {corpus}"
        )
    return table


def pairs_of(label: np.ndarray) -> np.ndarray:
    """Return pairs of videos (M, 3): first, second and whether they are of one person.

    They are all pairs of all videos. Of more than `MOST`, two videos of each person are taken
    first, then two others of each.

    label: index of the person of each video (V,).
    """
    rank = pd.Series(label).groupby(label).cumcount().to_numpy()
    order = np.lexsort((rank, label, rank // 2 if len(label) > MOST else 0 * rank))[:MOST]
    first, second = np.triu_indices(len(order), 1)
    first, second = order[first], order[second]
    return np.stack([first, second, label[first] == label[second]], axis=1)


def _rows_of(trials: pd.DataFrame, utterances: Utterances) -> np.ndarray:
    """Return the trials as indices of the videos; those without features are left out."""
    place = {name: i for i, name in enumerate(utterances.names)}
    first, second = trials["first"].map(place), trials["second"].map(place)
    known = (first.notna() & second.notna()).to_numpy()
    columns = first[known], second[known], trials["same"][known]
    return np.stack([column.to_numpy(int) for column in columns], axis=1)


def embeddings(
    model: VerificationModel,
    utterances: Utterances,
    read: Sequence[str],
    which: Tensor | None = None,
    removed: str = "",
) -> np.ndarray:
    """Return embeddings (V, E) of the videos of index `which`; by default of all.

    They are NaN where none of the modalities of `read` is present. `removed` is a modality that is
    absent everywhere.
    """
    chosen = torch.arange(len(utterances.names)) if which is None else which
    utterances = without_modality(utterances, removed)
    with torch.no_grad():
        parts = [
            model.embeddings(*device.moved(utterances.inputs(part), device.of(model))).cpu()
            for part in chosen.split(CHUNK)
        ]
    result = torch.cat(parts).float()
    result[utterances.without(read)[chosen]] = torch.nan
    return result.numpy()


def without_modality(utterances: Utterances, removed: str) -> Utterances:
    """Return the videos with a modality absent everywhere; as they are if `removed` is empty."""
    if not removed:
        return utterances
    rows = getattr(utterances.windows, removed)
    windows = replace(utterances.windows, **{removed: torch.full_like(rows, torch.nan)})
    return utterances._replace(windows=windows)


def unit(rows: np.ndarray) -> np.ndarray:
    """Return the rows (V, E) divided by their lengths; a row without a length is 0."""
    return np.asarray(F.normalize(torch.tensor(rows), dim=1))


def predictions(trained: Trained, partitions: list[str], layout: Layout) -> pd.DataFrame:
    """Return embeddings.parquet: of each person of train, and of each video of other partitions."""
    model, settings = trained.model, trained.settings
    assert isinstance(model, VerificationModel)
    read = reads(settings)
    tables = []
    with deterministic(settings.seed):
        for partition in partitions:
            videos = gather(trained.data, partition, {}, (), keep=False)
            if partition == "train":
                embedded = embeddings(model, videos, read)
                people = people_of(settings.corpus, layout)
                tables.append(_of_people(embedded, [people[name] for name in videos.names]))
                continue
            for condition, removed in CONDITIONS.items():
                embedded = embeddings(model, videos, read, removed=removed)
                tables.append(_table(videos.names, partition, "video", condition, embedded))
    return pd.concat(tables, ignore_index=True)


def _of_people(embedded: np.ndarray, people: list[str]) -> pd.DataFrame:
    """Return the mean unit embedding of each person of train; people (V,) are of each video."""
    present = np.isfinite(embedded).all(axis=1)
    means = pd.DataFrame(unit(embedded)[present]).groupby(np.array(people)[present]).mean()
    return _table(list(means.index), "train", "person", "clean", means.to_numpy(np.float32))


def _table(
    names: list[str], partition: str, kind: str, condition: str, rows: np.ndarray
) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=[f"e{i}" for i in range(rows.shape[1])])
    for at, (column, value) in enumerate(
        {"name": names, "partition": partition, "kind": kind, "condition": condition}.items()
    ):
        table.insert(at, column, value)
    return table
