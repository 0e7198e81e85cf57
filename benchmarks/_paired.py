"""Compare the same fusion in two studies of the same videos, for benchmarks."""

from dataclasses import replace
from pathlib import Path

from avfusion.config.study import Study
from avfusion.evaluation.samples import Samples
from avfusion.evaluation.scored import Scored, read_rules, read_scored
from avfusion.layout import Layout
from avfusion.literature.findings import Effect, Tests

CORPUS = "demo"


def scored(study: Study) -> Scored:
    """Return the test scores of a study under its headline protocol."""
    layout = Layout(Path(study.results))
    rules = {rule.name: rule for rule in read_rules(CORPUS, study, layout)}
    return read_scored(CORPUS, study, layout, rules[study.headline], "test")


def compared(changed: Scored, base: Scored, fusion: str, study: Study) -> Effect:
    """Return the CCC of a fusion in one study minus that in another, with interval and p."""
    if changed.videos != base.videos:
        raise SystemExit(f"The studies scored other videos: {changed.videos}, {base.videos}.")
    both = {"changed": changed.sums[fusion], "base": base.sums[fusion]}
    samples = Samples(replace(base, sums=both), study.statistics)
    return Tests(samples, samples.grid(list(both)), 1).difference(*both)
