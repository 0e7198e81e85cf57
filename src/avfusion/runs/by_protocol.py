"""Score the predictions of an epoch under a protocol, as `avf score` scores a finished run."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from avfusion.config.jobs import RunSettings, TrainedSettings
from avfusion.errors import ConfigError, CorpusError, TrainError
from avfusion.io.shards import read_table
from avfusion.io.stamped import digest
from avfusion.layout import Layout
from avfusion.metrics.sums import point
from avfusion.protocols import protocol as protocols
from avfusion.protocols.protocol import Protocol
from avfusion.protocols.rated import RatedVideo
from avfusion.rating import Rating, in_unit

if TYPE_CHECKING:
    from torch import Tensor

    from avfusion.runs.inputs import Inputs


@dataclass(frozen=True)
class ProtocolScore:
    """What a protocol needs to score predictions of one partition.

    Attributes
    ----------
    rule
        The protocol.
    times
        Video -> times of its rows (R,), in the order of the predictions.
    gold
        Video -> its ratings, `time_s` and the targets, in the unit of the corpus; only videos with
        at least one rated instant.
    delay_s
        Annotation delay of each target in seconds.
    rating
        Targets that are scored, and their scale.
    """

    rule: Protocol
    times: dict[str, np.ndarray]
    gold: dict[str, pd.DataFrame]
    delay_s: dict[str, float]
    rating: Rating

    @classmethod
    def read(
        cls,
        settings: RunSettings,
        data: "Inputs",
        partition: str,
        layout: Layout,
        delay_s: dict[str, float],
    ) -> "ProtocolScore":
        """Read the protocol of `train.select` and the ratings of a partition of `data`."""
        if partition == "test":
            raise TrainError("Gold of the test partition is for scoring; training must not see it.")
        rule = _rule(settings)
        videos = data.videos["video"][data.videos["partition"] == partition].tolist()
        table = read_table(layout.gold(settings.corpus), filters=[("video", "in", videos)])
        names = list(settings.targets)
        gold = {
            str(video): rows.sort_values("time_s", ignore_index=True)
            for video, rows in table.groupby("video", sort=True)
            if rows[names].notna().to_numpy().any()
        }
        times = {video: data.times(video) for video in videos}
        return cls(rule, times, gold, delay_s, settings.rating)

    @cached_property
    def _rated(self) -> dict[str, RatedVideo]:
        """The gold of each video as the protocol scores it."""
        given = self.delay_s, self.rating
        return {video: RatedVideo(self.rule, gold, *given) for video, gold in self.gold.items()}

    def of(self, target: str) -> "ProtocolScore":
        """Return the score of one target; the videos stay the same."""
        return replace(self, rating=replace(self.rating, names=(target,)))

    def scores(self, prediction: "Tensor") -> dict[str, float]:
        """Return the CCC of each target and their mean as "score", from predictions (R, K)."""
        columns = in_unit(prediction, self.rating)
        ends = np.cumsum([len(time_s) for time_s in self.times.values()])
        sums = []
        for (video, time_s), end in zip(self.times.items(), ends, strict=True):
            if video not in self.gold:
                continue
            rows = {name: x[end - len(time_s) : end] for name, x in columns.items()}
            trace, rated = {"time_s": time_s, **rows}, self._rated[video]
            names = self.rating.names
            sums.append([rated.sums(rated.predicted(trace, name), name) for name in names])
        values = point(np.array(sums).swapaxes(0, 1)[None], self.rule.pooling)[0]
        by_target = zip(self.rating.names, values[:-1], strict=True)
        return {"score": float(values[-1])} | {f"ccc_{name}": float(x) for name, x in by_target}

    def hashes(self) -> dict[str, Any]:
        """Return a digest of the protocol's content and of the ratings that it uses."""
        rated = {
            video: rows[["time_s", *self.rating.names]].to_csv(index=False)
            for video, rows in self.gold.items()
        }
        return {"protocol": _digest(self.rule), "ratings": digest(rated)}


def refuse_other_protocol(record: TrainedSettings, folder: Path) -> None:
    """Check that the protocol that chose a run's epoch is as it was.

    Raises
    ------
    CorpusError
        If its content has changed since training.
    """
    name = record.train.select.protocol
    if name is None:
        return
    then, now = record.inputs.get("select", {}).get("protocol", ""), _digest(_rule(record))
    if then != now:
        raise CorpusError(
            f"{folder}: its epoch was chosen under protocol {name!r} with content {then[:12]}, but "
            f"config/protocols/{name}.yaml now has content {now[:12]}. Run `{record.command}`."
        )


def _rule(settings: RunSettings) -> Protocol:
    name = settings.train.select.protocol
    assert name is not None
    rule = protocols.load(name)
    if reason := protocols.unfit(rule):
        raise ConfigError(
            f"`train.select.protocol` is {name!r}, which cannot choose an epoch: {reason}. Name "
            f"another protocol, or remove it."
        )
    return rule


def _digest(rule: Protocol) -> str:
    """Return a digest of a rule without its description."""
    return digest(rule.model_dump(mode="json", exclude={"description"}))
