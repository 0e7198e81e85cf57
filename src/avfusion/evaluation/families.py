"""Declared families of comparisons between fusions.

A study declares its comparisons before the test partition is scored:

1. claims: each claim of a paper, with the published difference where there is one;
2. baselines: each fusion against the better single modality and against concatenation, both chosen
   on validation;
3. pairs: all pairs of fusions, exploratory.

`avfusion.evaluation.decisions` tests the comparisons of a family and corrects them together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from avfusion.config.study import Study
from avfusion.errors import AvfError
from avfusion.metrics.sums import MEAN


@dataclass(frozen=True)
class Comparison:
    """A declared comparison of two fusions: the score of `first` minus that of `second`.

    Parameters
    ----------
    first, second
        Names of the fusions.
    target
        Target, or the mean over targets.
    published
        Published difference, or None.
    """

    first: str
    second: str
    target: str = MEAN
    published: float | None = None


@dataclass(frozen=True)
class Family:
    """Comparisons that are corrected together; an exploratory family supports no claim."""

    name: str
    comparisons: tuple[Comparison, ...]
    exploratory: bool = False


def best(candidates: Sequence[str], validation: Mapping[str, float]) -> str:
    """Return the candidate with the highest validation score; of equals the first by name.

    Parameters
    ----------
    candidates
        Names of fusions.
    validation
        Score of each fusion on the validation partition.

    Returns
    -------
    str
        Name of the best candidate.

    Raises
    ------
    AvfError
        If no candidate has a validation score.

    Examples
    --------
    >>> best(["video", "audio"], {"audio": 0.4, "video": 0.5, "jca": 0.6})
    'video'
    """
    scored = [name for name in sorted(candidates) if np.isfinite(validation.get(name, np.nan))]
    if not scored:
        raise AvfError(f"No validation score of {', '.join(candidates)}. Run: avf score")
    return max(scored, key=lambda name: validation[name])


def claims(comparisons: Sequence[Comparison]) -> Family:
    """Return the family of claims."""
    return Family("claims", tuple(comparisons))


def baselines(
    fusions: Sequence[str],
    singles: Sequence[str],
    concatenations: Sequence[str],
    validation: Mapping[str, float],
    targets: Sequence[str] = (MEAN,),
) -> Family:
    """Compare each fusion with the better single modality and with concatenation.

    Parameters
    ----------
    fusions
        Names of all fusions; baselines among them are not compared with themselves.
    singles, concatenations
        Candidates for the two baselines; without candidates a baseline is left out.
    validation
        Score of each fusion on the validation partition, which chooses the baselines.
    targets
        Targets that are compared.

    Returns
    -------
    Family
        Concatenation is compared with the single modality; single modalities are not compared.
    """
    chosen = [best(of, validation) for of in (singles, concatenations) if of]
    pairs = [
        (fusion, baseline)
        for fusion in fusions
        for baseline in chosen
        if fusion not in singles and fusion != baseline
    ]
    return Family("baselines", tuple(Comparison(*pair, t) for pair in pairs for t in targets))


def of_study(study: Study, validation: Mapping[str, float]) -> Family:
    """Return the baselines family of a study; empty without a scored baseline.

    Single modalities are the fusions that read one, and concatenation is any form of `concat`.
    """
    read = study.read_by()
    scored = [name for name in study.fusions if np.isfinite(validation.get(name, np.nan))]
    singles = [name for name in scored if len(read.get(name, ())) == 1]
    concatenations = [name for name in scored if study.fusion_class(name) == "concat"]
    return baselines(list(study.fusions), singles, concatenations, validation)


def pairs(fusions: Sequence[str], targets: Sequence[str] = (MEAN,)) -> Family:
    """Compare all pairs of fusions; the family is exploratory."""
    every = combinations(fusions, 2)
    return Family("pairs", tuple(Comparison(*pair, t) for pair in every for t in targets), True)
