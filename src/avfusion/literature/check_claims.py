"""Check claims against the scores of a study: a row per claim with one of four verdicts.

`supported` and `contradicted` require that the corrected p and the interval agree. Otherwise the
verdict is `undecided`, or `not run` if a run is missing, with its name in the row.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from avfusion.config import match
from avfusion.config.study import Study
from avfusion.evaluation import significance, units
from avfusion.evaluation.paired import Resampling
from avfusion.literature.claims import Better, Claim, Claims, Robust, Trend
from avfusion.literature.findings import Finding, better, equivalent, rising, robust

if TYPE_CHECKING:
    from avfusion.evaluation.scored import Scored


def check_claims(
    scored: "Scored", study: Study, claims: Claims, areas: pd.DataFrame
) -> pd.DataFrame:
    """Check all claims on one corpus.

    Parameters
    ----------
    scored
        Sums under the headline protocol.
    study
        Its fusions and statistics are read.
    claims
        The claims.
    areas
        Paired differences of areas under robustness curves, `corpus, corruption, target, fusion,
        other, difference, low, high, p, area, area_low, area_high`; may be empty.

    Returns
    -------
    DataFrame
        A row per claim. Holm's family is all claims with a p on this corpus.
    """
    findings = [_finding(claim, scored, study, claims, areas) for claim in claims.claims]
    place = {
        "corpus": scored.corpus,
        "protocol": scored.rule.name,
        "leaks": scored.rule.leaks,
        "partition": scored.partition,
        "videos": len(scored.videos),
        "units": scored.units,
    }
    return _table(claims, findings, place, study.statistics.alpha)


def not_run(corpus: str, study: Study, claims: Claims, why: str = "") -> pd.DataFrame:
    """Return the rows of a corpus that was never scored, with the reason."""
    findings = [Finding(missing=why or f"no scores of {corpus}")] * len(claims.claims)
    place = {"corpus": corpus, "protocol": study.headline, "leaks": False}
    return _table(claims, findings, {**place, "partition": "", "videos": 0, "units": 0}, 0.0)


def verdict(finding: Finding, p_holm: float, alpha: float) -> str:
    """Return `supported`, `contradicted`, `undecided` or `not run`."""
    if finding.missing:
        return "not run"
    if p_holm <= alpha and finding.sure_for:
        return "supported"
    if p_holm <= alpha and finding.sure_against:
        return "contradicted"
    return "undecided"


def _table(
    claims: Claims, findings: list[Finding], place: dict[str, Any], alpha: float
) -> pd.DataFrame:
    corrected = significance.holm(np.array([finding.p for finding in findings]))
    rows = []
    for claim, finding, p_holm in zip(claims.claims, findings, corrected, strict=True):
        words = claim.model_dump(include={"name", "kind", "says", "source"})
        rows.append(
            {
                **place,
                "claim": words.pop("name"),
                **words,
                "claimed_on": ", ".join(claim.corpora),
                "verdict": verdict(finding, p_holm, alpha),
                **asdict(finding),
                "p_holm": p_holm,
            }
        )
    return pd.DataFrame(rows).drop(columns=["sure_for", "sure_against"])


def _unscored(names: list[str], scored: "Scored") -> str:
    """Name fusions without a scored run, with the number of failed runs."""
    notes = {name: [n for (f, _), n in scored.notes.items() if f == name] for name in names}
    listed = [
        f"{name} ({len(failed)} failed)"
        if (failed := [n for n in notes[name] if n.startswith("failed")])
        else name
        for name in names
    ]
    return f"no scored run of {', '.join(listed)}"


def _finding(
    claim: Claim, scored: "Scored", study: Study, claims: Claims, areas: pd.DataFrame
) -> Finding:
    wanted = [claims.form(name) for name in claim.fusions()]
    lacking = [reason for form in wanted if (reason := match.lacking(form, study))]
    if lacking:
        return Finding(missing="; ".join(dict.fromkeys(lacking)))
    names = [str(match.find(form, study)) for form in wanted]
    unscored = [name for name in dict.fromkeys(names) if not scored.sums.get(name)]
    if unscored:
        return Finding(missing=_unscored(unscored, scored))
    if isinstance(claim, Robust):
        return robust(names, scored.corpus, claim.corruption, areas)
    seeds = sorted(set.intersection(*(set(scored.sums[name]) for name in names)))
    if not seeds:
        return Finding(missing=f"no seed with a score of each of {', '.join(names)}")
    if scored.units < 2:
        word = units.word(study.statistics)
        return Finding(missing=f"{scored.units} {word}s scored by all runs; 2 are needed")
    sums = {name: scored.stack(name, seeds) for name in names}
    statistics, pooling = study.statistics, scored.rule.pooling
    resampling = Resampling(
        pooling, statistics.draws, statistics.alpha, statistics.seed, scored.unit
    )
    if isinstance(claim, Better):
        return better(names, sums, resampling)
    if isinstance(claim, Trend):
        return rising(names, sums, resampling)
    return equivalent(names, sums, resampling, claim.margin or claims.margin)
