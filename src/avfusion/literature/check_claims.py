"""Claims against the scores of a study: each becomes a row with one of four verdicts.

`supported` and `contradicted` need the corrected p and the interval to agree; anything less is
`cannot be told`; where a run is absent it is `not run`, and the row says which.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from avfusion.config import match
from avfusion.evaluation import inference, units
from avfusion.evaluation.paired import How
from avfusion.literature.claims import Better, Claim, Claims, Robust, Trend
from avfusion.literature.findings import Finding, better, equivalent, rising, robust

if TYPE_CHECKING:
    from avfusion.evaluation.estimates import Scored


def check_claims(
    scored: "Scored", study: dict[str, Any], claims: Claims, areas: pd.DataFrame
) -> pd.DataFrame:
    """A row a claim on one corpus; Holm's family is all claims with a p on it.

    scored: sums under the headline protocol. areas: paired differences of areas under robustness
    curves, `corpus, corruption, target, fusion, other, difference, low, high, p`; may be empty.
    """
    found = [_finding(claim, scored, study, claims, areas) for claim in claims.claims]
    place = {
        "corpus": scored.corpus,
        "protocol": scored.rule.name,
        "leaks": scored.rule.leaks,
        "partition": scored.partition,
        "videos": len(scored.videos),
        "units": scored.units,
    }
    return _table(claims, found, place, study["statistics"]["alpha"])


def not_run(corpus: str, study: dict[str, Any], claims: Claims, why: str = "") -> pd.DataFrame:
    """The rows of a corpus that was never scored, and why."""
    found = [Finding(missing=why or f"no scores of {corpus}")] * len(claims.claims)
    place = {"corpus": corpus, "protocol": study["headline"], "leaks": False}
    return _table(claims, found, {**place, "partition": "", "videos": 0, "units": 0}, 0.0)


def verdict(finding: Finding, p_holm: float, alpha: float) -> str:
    """`supported`, `contradicted`, `cannot be told` or `not run`."""
    if finding.missing:
        return "not run"
    if p_holm <= alpha and finding.sure_for:
        return "supported"
    if p_holm <= alpha and finding.sure_against:
        return "contradicted"
    return "cannot be told"


def _table(
    claims: Claims, found: list[Finding], place: dict[str, Any], alpha: float
) -> pd.DataFrame:
    corrected = inference.holm(np.array([finding.p for finding in found]))
    rows = []
    for claim, finding, p_holm in zip(claims.claims, found, corrected, strict=True):
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


def _lost(names: list[str], scored: "Scored") -> str:
    """That fusions have no scored run, and that their runs failed where they did."""
    notes = {name: [n for (f, _), n in scored.notes.items() if f == name] for name in names}
    said = [
        f"{name} ({len(failed)} failed)"
        if (failed := [n for n in notes[name] if n.startswith("failed")])
        else name
        for name in names
    ]
    return f"no scored run of {', '.join(said)}"


def _finding(
    claim: Claim, scored: "Scored", study: dict[str, Any], claims: Claims, areas: pd.DataFrame
) -> Finding:
    wanted = [claims.form(name) for name in claim.fusions()]
    lacking = [said for form in wanted if (said := match.lacking(form, study))]
    if lacking:
        return Finding(missing="; ".join(dict.fromkeys(lacking)))
    names = [str(match.find(form, study)) for form in wanted]
    unscored = [name for name in dict.fromkeys(names) if not scored.sums.get(name)]
    if unscored:
        return Finding(missing=_lost(unscored, scored))
    if isinstance(claim, Robust):
        return robust(names, scored.corpus, claim.corruption, areas)
    seeds = sorted(set.intersection(*(set(scored.sums[name]) for name in names)))
    if not seeds:
        return Finding(missing=f"no seed with a score of each of {', '.join(names)}")
    if scored.units < 2:
        said = units.word(study["statistics"])
        return Finding(missing=f"{scored.units} {said}s scored by all runs; 2 are needed")
    sums = {name: scored.stack(name, seeds) for name in names}
    own = {key: study["statistics"][key] for key in ("draws", "alpha", "seed")}
    how = How(pooling=scored.rule.pooling, unit=scored.unit, **own)
    if isinstance(claim, Better):
        return better(names, sums, how)
    if isinstance(claim, Trend):
        return rising(names, sums, how)
    return equivalent(names, sums, how, claim.margin or claims.margin)
