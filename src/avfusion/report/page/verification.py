"""Person verification in the page, from verification.csv and verification_pairs.csv."""

from typing import Any

from avfusion.config.study import Study
from avfusion.layout import Layout
from avfusion.report.inputs import read
from avfusion.report.tables import verification as tables


def verified(study: Study, layout: Layout) -> list[dict[str, Any]]:
    """Return a mapping per scored corpus: sentences, how to read the tables, and the tables."""
    empty = {"list": "", "note": ""}
    errors = read(layout.tables / "verification.csv").fillna(empty)
    pairs = read(layout.tables / "verification_pairs.csv").fillna(empty)
    parts = []
    for corpus, rows in errors.groupby("corpus", sort=False) if len(errors) else ():
        against = pairs[pairs["corpus"] == corpus] if len(pairs) else pairs
        listed = []
        for place, part in rows.groupby(tables.PLACE, sort=False):
            head, cells = tables.cells(part)
            listed.append({"title": tables.title(*place), "head": head, "rows": cells})
        parts.append(
            {
                "name": str(corpus),
                "sentences": tables.findings(str(corpus), rows, against, study),
                "header": tables.header(rows, study),
                "tables": listed,
                "remarks": tables.remarks(str(corpus), study, layout),
            }
        )
    return parts
