"""Statistics and scores by their plain formulas: each pair and video computes all it needs."""

import numpy as np
import pandas as pd
from scipy.special import stdtr

from avfusion.evaluation.components import variance
from avfusion.evaluation.crossed import Estimate, Sample
from avfusion.evaluation.unpredicted import filled
from avfusion.metrics.sums import absolute_error, video_sums
from avfusion.protocols.protocol import Pair, Protocol, rescale
from avfusion.protocols.series import held, instants, smooth
from avfusion.rating import Rating

TAIL, CHUNK = 20, 10_000


def swap_p(
    first: Sample, second: Sample, estimate: Estimate, k: int, draws: int, seed: int
) -> float:
    """Return the two-sided p of target k; see `avfusion.evaluation.exchanged`."""
    unit = (first.parts.unit[..., k, :] - second.parts.unit[..., k, :]).mean(axis=(0, 1))
    spread, value = estimate.variance, abs(estimate.value[k])
    people, trainings, freedom = spread.people[k], spread.trainings[k], spread.freedom[k]
    total = people + trainings
    if not np.isfinite(total) or not np.isfinite(unit).all():
        return np.nan
    if total == 0:
        return float(value == 0)
    null = []
    size = np.sort(np.abs(unit))[::-1] / max(np.linalg.norm(unit), 1e-300)
    for number, start in enumerate(range(0, draws, CHUNK)):
        rng = np.random.default_rng([seed, number] if number else seed)
        count = min(CHUNK, draws - start)
        signs = 2.0 * rng.integers(0, 2, size=(count, len(size)), dtype=np.int8) - 1
        shift = np.sqrt(people) * (signs @ size) + np.sqrt(trainings) * rng.normal(size=count)
        null.append(np.abs(shift * np.sqrt(freedom / rng.chisquare(freedom, count))))
    every, t = np.concatenate(null) / np.sqrt(total), value / np.sqrt(total)
    student, larger = 2 * stdtr(freedom, -t), int((every >= t).sum())
    if larger >= TAIL or draws <= TAIL:
        return max(student, (1 + larger) / (1 + draws))
    tail = stdtr(freedom, -t) / stdtr(freedom, -np.sort(every)[-TAIL])
    return max(student, (1 + TAIL) / (1 + draws) * tail)


def estimate(first: Sample, second: Sample | None, alpha: float, seed: int) -> Estimate:
    """Return a score, or a difference, with an interval from draws of its own."""
    value, drawn = first.value, first.draws
    if second is not None:
        value, drawn = value - second.value, drawn - second.draws
    deviation = drawn - value[:, None]
    finite = np.isfinite(deviation)
    with np.errstate(invalid="ignore", divide="ignore"):
        expansion = first.count / (first.count - 1)
        kept, number = np.where(finite, deviation, 0.0), finite.sum(axis=-1)
        moment = (kept**2).sum(axis=-1) / number - (kept.sum(axis=-1) / number) ** 2
        people = expansion * np.where(first.count > 1, moment, np.nan)
        spread = variance(first.parts, second and second.parts, people, first.count)
        rng = np.random.default_rng(seed)
        added = np.sqrt(spread.trainings)[:, None] * rng.normal(size=drawn.shape[-1])
        freedom = np.where(np.isfinite(spread.freedom), spread.freedom, 1)[:, None]
        scale = np.sqrt(freedom / rng.chisquare(freedom, size=drawn.shape))
        samples = value[:, None] + scale * (np.sqrt(expansion)[:, None] * deviation + added)
    ends = np.full((2, len(value)), np.nan)
    for k, row in enumerate(samples):
        if first.count[k] > 1 and finite[k].any():
            ends[:, k] = np.quantile(row[finite[k]], [alpha / 2, 1 - alpha / 2])
    return Estimate(value, ends[0], ends[1], samples, spread)


def pairs(
    rule: Protocol,
    trace: pd.DataFrame,
    gold: pd.DataFrame,
    delay_s: dict[str, float],
    scale: Rating,
) -> dict[str, Pair]:
    """Return predictions and gold of one video as a rule scores them, before `rescale`."""
    time_s, found = gold["time_s"].to_numpy(float), {}
    names = [name for name in gold.columns if name not in ("video", "time_s")]
    if rule.hold_frames:
        gold = gold.assign(**dict(zip(names, held(gold[names], rule.hold_frames), strict=True)))
    for name in scale.names:
        late_s = delay_s.get(name, 0.0) if rule.delay == "corpus" else 0.0
        p = np.interp(time_s, trace["time_s"].to_numpy(float) + late_s, trace[name].to_numpy(float))
        g = gold[name].to_numpy(float)
        used = instants(time_s, rule.step_s)
        if rule.clip:
            p = np.clip(p, *map(scale.outward, rule.clip))
        if rule.unrated == "drop":
            used = used & ~np.isnan(g)
        else:
            p, g = (np.where(np.isnan(g), scale.outward(0.0), x) for x in (p, g))
        if rule.smoothing:
            width, edges = rule.smoothing.width(name), rule.smoothing.edges
            p = smooth(p, width, edges, scale.outward(0.0))
        found[name] = p[used], g[used]
    return found


def sums(
    rule: Protocol,
    table: pd.DataFrame,
    gold: dict[str, pd.DataFrame],
    delay_s: dict[str, float],
    scale: Rating,
) -> dict[tuple[str, str], list[float]]:
    """Return (target, video) -> six sums and absolute error of the videos of a table of traces."""
    traces = {str(v): rows for v, rows in filled(table, scale).groupby("video") if v in gold}
    each = {v: pairs(rule, rows, gold[v], delay_s, scale) for v, rows in traces.items()}
    return {
        (name, video): [*video_sums(*pair), absolute_error(*pair)]
        for name in scale.names
        for video, pair in zip(each, rescale(rule, [x[name] for x in each.values()]), strict=True)
    }
