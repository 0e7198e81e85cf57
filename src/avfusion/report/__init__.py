"""Report: tables, figures and the page, each drawn from files that earlier stages wrote."""

from typing import Any

from avfusion.layout import Layout


def write(study: dict[str, Any], layout: Layout, only: str | None = None) -> None:
    """Write all three, or `only` one of "tables", "figures", "page"; imports what it needs."""
    if only in (None, "tables"):
        from avfusion.report.tables import write_tables

        write_tables(study, layout)
    if only in (None, "figures"):
        from avfusion.report.figures import write_figures

        write_figures(study, layout)
    if only in (None, "page"):
        from avfusion.report.page import write_page

        write_page(study, layout)
