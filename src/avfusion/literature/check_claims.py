"""Check claims against the scores of a study: a row per claim with one of four verdicts.

`supported` and `contradicted` require that the corrected p and the interval agree. A gain that is
surely smaller than the published one is `smaller than published`. Otherwise the verdict is
`undecided`, or `not run` if a run is missing, with its name in the row.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from avfusion.config import match
from avfusion.config.study import Study
from avfusion.evaluation import significance
from avfusion.evaluation.samples import Samples
from avfusion.literature.claims import Better, Claim, Claims, Robust, Trend
from avfusion.literature.findings import Finding, Tests, better, equivalent, rising, robust
from avfusion.literature.gains import published_gain
from avfusion.literature.published import Published

if TYPE_CHECKING:
    from avfusion.evaluation.scored import Scored


def check_claims(
    scored: "Scored",
    study: Study,
    claims: Claims,
    areas: pd.DataFrame,
    published: Sequence[Published] = (),
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
    published
        Published numbers, for gains.

    Returns
    -------
    DataFrame
        A row per claim. Holm's family is all claims with a p on this corpus.
    """
    samples, kind = Samples(scored, study.statistics), scored.corpus
    kind = study.corpus_class(kind) if kind in study.corpora else kind
    gains = {
        claim.name: published_gain(claim, claims, published, kind)
        for claim in claims.claims
        if isinstance(claim, Better)
    }
    findings = [
        _finding(claim, samples, study, claims, areas, gains.get(claim.name))
        for claim in claims.claims
    ]
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


def verdict(finding: Finding, p_holm: float, p_smaller: float, alpha: float) -> str:
    """Return the verdict from p and p of a smaller gain, both corrected."""
    if finding.missing:
        return "not run"
    if p_holm <= alpha and finding.sure_for:
        return "supported"
    if p_holm <= alpha and finding.sure_against:
        return "contradicted"
    return "smaller than published" if p_smaller <= alpha else "undecided"


def _table(
    claims: Claims, findings: list[Finding], place: dict[str, Any], alpha: float
) -> pd.DataFrame:
    corrected = significance.holm(np.array([finding.p for finding in findings]))
    smaller = significance.holm(np.array([finding.p_smaller for finding in findings]))
    rows = []
    for claim, finding, p_holm, p_smaller in zip(
        claims.claims, findings, corrected, smaller, strict=True
    ):
        words = claim.model_dump(include={"name", "kind", "says", "source"})
        rows.append(
            {
                **place,
                "claim": words.pop("name"),
                **words,
                "claimed_on": ", ".join(claim.corpora),
                "verdict": verdict(finding, p_holm, p_smaller, alpha),
                **asdict(finding),
                "p_smaller": p_smaller,
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
    claim: Claim,
    samples: Samples,
    study: Study,
    claims: Claims,
    areas: pd.DataFrame,
    gain: float | None,
) -> Finding:
    scored = samples.scored
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
    grid = samples.grid(names)
    if not grid:
        return Finding(missing=f"no seed with a score of each of {', '.join(names)}")
    if scored.units < 2:
        word = scored.unit_word
        return Finding(missing=f"{scored.units} {word}s scored by all runs; 2 are needed")
    tests = Tests(samples, grid, len(claims.claims))
    if isinstance(claim, Better):
        return better(names, tests, gain)
    if isinstance(claim, Trend):
        return rising(names, tests)
    margin = claim.margin or study.statistics.margins[scored.rule.pooling]
    return equivalent(names, tests, margin)
