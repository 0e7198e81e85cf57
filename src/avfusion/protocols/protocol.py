"""Scoring protocols: how predictions and gold become the pairs of values behind a score.

The same predictions score differently under different published rules, so each rule has a name, a
file in `config/protocols` and a source. One video is processed in this order:

    1. the trace is interpolated at the instants of the gold: predicted(t) is compared with
       gold(t + delay), linear in between, the first and last value held at the edges;
    2. predictions are clipped;
    3. unrated frames become the pair (0, 0), or stay NaN until step 5; with `hold`, a frame takes
       the ratings of the newest frame that is rated in all targets, if that is at most
       `hold_frames` frames back, and only other unrated frames become (0, 0);
    4. predictions are smoothed;
    5. frames between the instants of `step_s` and unrated frames are dropped.

With `postprocess`, a chain fitted on the training partition (postprocess.py) follows step 1.

Rescaling comes last and uses all videos of a partition. Numbers of a rule (the ends of `clip`,
zeros) are on [-1, 1] and are mapped onto the corpus' scale, where 0 is its middle.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from avfusion.errors import ConfigError
from avfusion.io.yaml import read_mapping
from avfusion.protocols.rated import Columns, Pair, Post, RatedVideo
from avfusion.protocols.rule import Protocol as Protocol
from avfusion.protocols.rule import Smoothing as Smoothing
from avfusion.protocols.series import shift
from avfusion.protocols.series import smooth as smooth
from avfusion.rating import Rating
from avfusion.registry import near

VALENCE_AROUSAL = Rating()


def unfit(rule: Protocol) -> str:
    """Return why training cannot choose its epoch under a protocol; "" if it can."""
    if rule.leaks:
        return "it uses the gold that it is scored on"
    if rule.postprocess:
        return "its `postprocess` is fitted on a finished run"
    return "it scores classes" if rule.pooling == "recall" else ""


def load(name: str, folder: Path = Path("config/protocols")) -> Protocol:
    """Read a protocol.

    Parameters
    ----------
    name
        Name of the protocol.
    folder
        Folder of the protocol files.

    Raises
    ------
    ConfigError
        If there is no such file, or its content is not a protocol; the message suggests the
        nearest known name or key.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = sorted(p.stem for p in folder.glob("*.yaml"))
        raise ConfigError(
            f"Protocol not found: {path}.{near(name, known)} Known: {', '.join(known) or 'none'}."
        )
    try:
        protocol = Protocol.model_validate(read_mapping(path))
    except ValidationError as error:
        raise ConfigError("\n".join(_sentence(path, f) for f in error.errors())) from None
    if protocol.name != name:
        raise ConfigError(f"{path}: its name is {protocol.name!r}. Set `name: {name}`.")
    if protocol.rescale and not protocol.leaks:
        raise ConfigError(f"{path}: rescale uses the gold it is scored on. Add `leaks: true`.")
    if (protocol.unrated == "hold") != (protocol.hold_frames is not None):
        raise ConfigError(
            f"{path}: unrated is {protocol.unrated!r} and hold_frames is {protocol.hold_frames}. "
            f"Give both `unrated: hold` and `hold_frames`, such as 31, or neither."
        )
    return protocol


def apply(
    protocol: Protocol,
    trace: Columns,
    gold: Columns,
    delay_s: dict[str, float],
    rating: Rating = VALENCE_AROUSAL,
    post: Post | None = None,
) -> dict[str, Pair]:
    """Return the predictions and gold of one video as they are scored, before `rescale`.

    Parameters
    ----------
    protocol
        The scoring rule.
    trace
        `time_s` in stimulus time and the targets, sorted by time.
    gold
        `time_s` in rating time and the targets, sorted by time; NaN = unrated.
    delay_s
        Annotation delay of each target in seconds.
    rating
        Targets and their scale.
    post
        Chains fitted for `postprocess`.

    Returns
    -------
    dict of str to pair of ndarray
        Target -> predictions and gold of N frames, (N,) each, in the corpus' unit.

    Raises
    ------
    ConfigError
        If the protocol has `postprocess` and `post` is missing.
    """
    if protocol.postprocess and post is None:
        raise ConfigError(
            f"Protocol {protocol.name!r} is fitted on training traces, which were not given. "
            f"Score it with `avf score CORPUS` or `avf robust CORPUS`, which fit it."
        )
    return RatedVideo(protocol, gold, delay_s, rating).pairs(trace, post)


def aligned(
    protocol: Protocol,
    trace: Columns,
    gold: Columns,
    delay_s: dict[str, float],
    rating: Rating,
) -> dict[str, Pair]:
    """Interpolate predictions at the instants of the gold (step 1); parameters as in `apply`.

    Returns
    -------
    dict of str to pair of ndarray
        Target -> predictions and gold, (N,) each; NaN = unrated.
    """
    pairs, at_s = {}, np.asarray(gold["time_s"], float)
    for name in rating.names:
        lag_s = delay_s.get(name, 0.0) if protocol.delay == "corpus" else 0.0
        pairs[name] = shift(trace, name, at_s, lag_s), np.asarray(gold[name], float)
    return pairs


def rescale(protocol: Protocol, pairs: list[Pair]) -> list[Pair]:
    """Rescale all videos of a partition if the protocol asks for it.

    `gold_minmax_mean` scales predictions and gold to [0, 1] by their extremes over all videos and
    then shifts predictions to the mean of the gold. The offset and size of the predictions are
    lost.

    Parameters
    ----------
    protocol
        The scoring rule.
    pairs
        Predictions and gold of each video, (N,) each.

    Returns
    -------
    list of pair of ndarray
        Pairs of the same shapes; `pairs` itself under other rules.
    """
    if protocol.rescale is None or not sum(len(g) for _, g in pairs):
        return pairs
    all_p, all_g = (_unit(np.concatenate(side)) for side in zip(*pairs, strict=True))
    all_p = all_p - all_p.mean() + all_g.mean()
    cuts = np.cumsum([len(g) for _, g in pairs])[:-1]
    return list(zip(np.split(all_p, cuts), np.split(all_g, cuts), strict=True))


def _unit(x: np.ndarray) -> np.ndarray:
    """Scale (N,) to [0, 1] by its extremes; a constant becomes 0."""
    low, high = x.min(), x.max()
    return (x - low) / (high - low) if high > low else np.zeros_like(x)


def _sentence(path: Path, fault: Mapping[str, Any]) -> str:
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
