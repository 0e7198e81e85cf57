"""Table of the fusions of a study: results/tables/fusions.{csv,md}."""

import pandas as pd

from avfusion.report import format
from avfusion.report.fusions import Described, described
from avfusion.report.tables.part import TableData


def write_fusions(data: TableData) -> None:
    """Write the full name, idea, source and options of every fusion."""
    rows = described(data.study)
    format.write_csv(
        data.layout.tables / "fusions.csv", pd.DataFrame(rows, columns=list(Described._fields))
    )
    text = format.markdown(["fusion", "full name", "idea", "source", "options"], rows)
    format.write_page(data.layout.tables / "fusions.md", "Fusions", [text])
