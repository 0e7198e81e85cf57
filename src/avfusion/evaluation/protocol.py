"""A protocol is a file that says how predictions become the pairs behind a score.

The same predictions score differently under different published rules, so each rule has a name, a
file in `config/protocols` and its source. The way of one video, in this order:

    1. the trace moves onto the gold's time line: predicted(t) meets gold(t + delay), linear in
       between, the first and last value held at the edges;
    2. predictions are clipped;
    3. unrated frames become the pair (0, 0), or stay NaN until step 5;
    4. predictions are smoothed;
    5. frames between the instants of `step_s` and unrated frames are dropped.

With `postprocess`, predictions go through a chain fitted on train (postprocess.py) after step 1.

Rescaling comes last and looks at all videos of a partition at once. Numbers of a rule (the ends of
`clip`, zeros) are on [-1, 1] and moved onto the corpus' scale: 0 is its middle.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from avfusion.errors import ConfigError
from avfusion.evaluation.series import instants, shift, smooth
from avfusion.io.yaml import read_mapping
from avfusion.metrics.sums import CLASS_SUMS, SUMS
from avfusion.rating import Rating
from avfusion.registry import near

Pair = tuple[np.ndarray, np.ndarray]


Post = Mapping[str, Callable[[np.ndarray, float], np.ndarray]]


VALENCE_AROUSAL = Rating()


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Smoothing(_Settings):
    """A box filter over the gold's frames; `zero` edges pull the ends towards 0."""

    valence: Annotated[int, Field(ge=1)] = Field(description="Frames of the box.")
    arousal: Annotated[int, Field(ge=1)] = Field(description="Frames of the box.")
    others: Annotated[int, Field(ge=1)] = Field(1, description="Frames for any other target.")
    edges: Literal["zero", "nearest"] = "nearest"

    def width(self, target: str) -> int:
        """Frames of the box for a target; 1 leaves it as it is."""
        return {"valence": self.valence, "arousal": self.arousal}.get(target, self.others)


class Protocol(_Settings):
    """One scoring rule; the file's name is the rule's name."""

    name: str
    description: str = Field(description="One sentence, shown above tables.")
    pooling: Literal["pooled", "per_video_mean", "recall"] = "pooled"
    unrated: Literal["drop", "zero"] = "drop"
    delay: Literal["corpus", "none"] = "corpus"
    clip: tuple[float, float] | None = None
    smoothing: Smoothing | None = None
    rescale: Literal["gold_minmax_mean"] | None = None
    postprocess: Literal["avec"] | None = None
    step_s: Annotated[float, Field(gt=0)] | None = None
    leaks: bool = Field(False, description="The rule uses the gold it is scored on.")

    @property
    def metric(self) -> str:
        """What the rule measures, as tables name it."""
        return "recall" if self.pooling == "recall" else "CCC"

    @property
    def sums(self) -> tuple[str, ...]:
        """Columns of sums.parquet that its scores are functions of."""
        return CLASS_SUMS if self.pooling == "recall" else SUMS

    @property
    def stamp(self) -> str:
        """The name as tables print it; a rule that uses the gold says so wherever it appears."""
        return f"{self.name} (LEAKS GOLD)" if self.leaks else self.name


def load(name: str, folder: Path = Path("config/protocols")) -> Protocol:
    """The protocol of that name; refuses unknown names and keys with the nearest known one."""
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = sorted(p.stem for p in folder.glob("*.yaml"))
        raise ConfigError(
            f"{path}: no such protocol.{near(name, known)} Known: {', '.join(known) or 'none'}."
        )
    try:
        protocol = Protocol.model_validate(read_mapping(path))
    except ValidationError as error:
        raise ConfigError("\n".join(_sentence(path, f) for f in error.errors())) from None
    if protocol.name != name:
        raise ConfigError(f"{path}: names itself {protocol.name!r}. Set `name: {name}`.")
    if protocol.rescale and not protocol.leaks:
        raise ConfigError(f"{path}: rescale uses the gold it is scored on. Add `leaks: true`.")
    return protocol


def apply(
    protocol: Protocol,
    trace: pd.DataFrame,
    gold: pd.DataFrame,
    delay_s: dict[str, float],
    rating: Rating = VALENCE_AROUSAL,
    post: Post | None = None,
) -> dict[str, Pair]:
    """Predictions and gold of one video as scored: {target: ((N,), (N,))}, N frames.

    trace: `time_s` and the targets in stimulus time. gold: the same columns in rating time,
    NaN = unrated, both sorted by time. post: what `postprocess` was fitted to. Rescaling is left to
    `rescale`.
    """
    if protocol.postprocess and post is None:
        name = f"Protocol {protocol.name!r} is fitted to traces of train, which are not here."
        raise ConfigError(f"{name} Score it with `avf score` or `avf robust`, which fit it.")
    pairs = {}
    zero = rating.outward(0.0)
    time_s = gold["time_s"].to_numpy(float)
    kept = instants(time_s, protocol.step_s)
    for dimension, (p, g) in aligned(protocol, trace, gold, delay_s, rating).items():
        rated = ~np.isnan(g)
        if post:
            p = post[dimension](p, float(np.median(np.diff(time_s))) if len(g) > 1 else 1.0)
        p = np.clip(p, *map(rating.outward, protocol.clip)) if protocol.clip else p
        if protocol.unrated == "zero":
            p, g = np.where(rated, p, zero), np.where(rated, g, zero)
        if protocol.smoothing:
            width = protocol.smoothing.width(dimension)
            p = smooth(p, width, protocol.smoothing.edges, zero)
        used = kept & rated if protocol.unrated == "drop" else kept
        pairs[dimension] = p[used], g[used]
    return pairs


def aligned(
    protocol: Protocol,
    trace: pd.DataFrame,
    gold: pd.DataFrame,
    delay_s: dict[str, float],
    rating: Rating,
) -> dict[str, Pair]:
    """Step 1: predictions and gold of one video on the gold's time line, NaN = unrated."""
    found = {}
    for name in rating.names:
        lag_s = delay_s.get(name, 0.0) if protocol.delay == "corpus" else 0.0
        p = shift(trace, name, gold["time_s"].to_numpy(float), lag_s)
        found[name] = p, gold[name].to_numpy(float)
    return found


def rescale(protocol: Protocol, pairs: list[Pair]) -> list[Pair]:
    """All videos of a partition after `gold_minmax_mean`; unchanged under any other rule.

    Predictions and gold are each scaled to [0, 1] by their own extremes over all videos, then
    predictions move to the gold's mean: whatever offset and size the predictions had is lost.
    """
    if protocol.rescale is None or not sum(len(g) for _, g in pairs):
        return pairs
    all_p, all_g = (_unit(np.concatenate(side)) for side in zip(*pairs, strict=True))
    all_p = all_p - all_p.mean() + all_g.mean()
    cuts = np.cumsum([len(g) for _, g in pairs])[:-1]
    return list(zip(np.split(all_p, cuts), np.split(all_g, cuts), strict=True))


def _unit(x: np.ndarray) -> np.ndarray:
    """Scaled to [0, 1] by its own extremes; a constant becomes 0."""
    low, high = x.min(), x.max()
    return (x - low) / (high - low) if high > low else np.zeros_like(x)


def _sentence(path: Path, fault: dict) -> str:
    where = ".".join(str(part) for part in fault["loc"]) or "the file"
    if fault["type"] == "extra_forbidden":
        model = Smoothing if len(fault["loc"]) > 1 else Protocol
        known = list(model.model_fields)
        hint = near(str(fault["loc"][-1]), known)
        return f"{path}: unknown key {where!r}.{hint} Known: {', '.join(known)}."
    if fault["type"] == "missing":
        return f"{path}: key {where!r} is missing. Add it (config/protocols/README.md lists all)."
    return (
        f"{path}: {where}: {fault['msg'][0].lower()}{fault['msg'][1:]}; found {fault['input']!r}."
    )
