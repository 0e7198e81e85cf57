"""The papers' claims beside what this study says of them: results/tables/claims.{csv,md,tex}."""

from typing import Any

import pandas as pd

from avfusion.config.availability import Absence
from avfusion.errors import AvfError
from avfusion.evaluation import units
from avfusion.evaluation.inference import least_p
from avfusion.layout import Layout
from avfusion.literature import claims
from avfusion.literature.check_claims import check_claims, not_run
from avfusion.report import format
from avfusion.report.format import estimate, latex, markdown, number
from avfusion.report.tables.part import Part

AREAS = ["corpus", "corruption", "target", "fusion", "other", "difference", "low", "high", "p"]


HEAD = ["claim", "quantity", "effect", "p (Holm)", "verdict"]


def write_claims(
    parts: list[Part], absent: list[Absence], study: dict[str, Any], layout: Layout
) -> None:
    """Write the verdict on every claim on every corpus; one that was never scored says so."""
    read = claims.load()
    areas = read_areas(layout)
    tables = {p.scored.corpus: check_claims(p.scored, study, read, areas) for p in parts}
    shown, typeset = [_preface(study)], []
    for corpus, table in tables.items():
        said = header(table, corpus)
        cells = [_cells(row) for row in table.itertuples() if row.verdict != "not run"]
        shown += [f"## {corpus}", said, *caveats(table, study)]
        if cells:
            shown.append(markdown(HEAD, cells))
            typeset.append(latex(HEAD, cells, said, f"claims-{corpus}"))
        shown.append("\n".join(_line(row) for row in table.itertuples()))
    for gone in absent:
        tables |= {name: not_run(name, study, read, gone.why) for name in gone.names}
        shown += [f"## {gone.title}", f"All {len(read.claims)} claims not run: {gone.why}."]
    format.write_csv(layout.tables / "claims.csv", pd.concat(tables.values(), ignore_index=True))
    format.write_page(layout.tables / "claims.md", "Claims of the papers", shown)
    format.write_text(layout.tables / "claims.tex", "\n".join(typeset))


def read_areas(layout: Layout) -> pd.DataFrame:
    """Paired areas under robustness curves; empty where robustness was not run."""
    path = layout.tables / "areas.csv"
    if not path.is_file():
        return pd.DataFrame(columns=AREAS)
    table = pd.read_csv(path)
    lost = [name for name in AREAS if name not in table]
    if lost:
        raise AvfError(f"{path}: no column {', '.join(lost)}. Remove it and make it again.")
    return table


def header(table: pd.DataFrame, corpus: str) -> str:
    """How many claims were checked on a corpus, under what, and what came out."""
    counts = table["verdict"].value_counts()
    parts = [f"{n} {said}" for said, n in counts.items()]
    first = table.iloc[0]
    leaks = " (LEAKS GOLD)" if first.leaks else ""
    where = f"protocol {first.protocol}{leaks}"
    if first.videos:
        where += f", {first.partition} partition, {first.videos} videos"
    return f"{corpus}, {where}: {len(table)} claims, of them {', '.join(parts)}."


def caveats(table: pd.DataFrame, study: dict[str, Any]) -> list[str]:
    """That no verdict is possible where the units are too few for so many claims."""
    how, count = study["statistics"], int(table["units"].iloc[0])
    compared = int((table["p"].notna() & table["kind"].eq("better")).sum())
    least = least_p(count, how["draws"]) if count > 1 else 1.0
    family = int(table["p"].notna().sum())
    if not compared or least * family <= how["alpha"]:
        return []
    return [
        f"{count} {units.word(how)}s are few for {family} claims at once: the smallest possible p "
        f"of a comparison is {least:.2g}, {min(1, least * family):.2f} after Holm's correction "
        f"if all are as small, so a true claim may go without support."
    ]


def _preface(study: dict[str, Any]) -> str:
    how, unit = study["statistics"], units.word(study["statistics"])
    return (
        f"Each claim is checked in the mean CCC over the targets (on classes: their mean recall, "
        f"UA), paired by {unit} and seed: "
        f"effect with its uncorrected {100 * (1 - how['alpha']):g}% interval over {how['draws']:,} "
        f"bootstrap draws of whole {unit}s, p by exchanging fusions {unit} by {unit}, Holm's "
        f"correction over the claims of a corpus. Supported or contradicted: corrected p at most "
        f"{how['alpha']:g} and an interval that agrees. Equality is tested as such, by "
        f"two one-sided tests. All of this is of these trainings on other {unit}s; what other "
        f"seeds would do is in comparisons.csv (p_seeds)."
    )


def _cells(row: Any) -> list[str]:
    size = estimate(row.effect, row.low, row.high)
    return [row.claim, row.quantity, size, number(row.p_holm), row.verdict]


def _line(row: Any) -> str:
    """The claim in words, where it was made, what was found in detail or is missing."""
    made = f"; tested there on {row.claimed_on}" if row.claimed_on else ""
    text = f"- **{row.claim}**: {row.says} ({row.source}{made}.)"
    if row.missing:
        return f"{text} **Not run**: {row.missing}."
    return f"{text} **{row.verdict.capitalize()}**{f': {row.detail}' if row.detail else ''}."
