"""Report of a study: tables, figures and one HTML page."""

from avfusion.config.study import Study
from avfusion.layout import Layout


def write(
    study: Study, layout: Layout, only: str | None = None, stamp: str = "", processes: int = 1
) -> None:
    """Write the report from files of earlier stages.

    Parameters
    ----------
    study
        The settings of the study.
    layout
        Paths of the results folder.
    only
        `"tables"`, `"figures"` or `"page"`; None writes all three. Each part imports only what it
        needs.
    stamp
        Words on the figures and the page of a study that is not finished.
    processes
        Number of processes that draw figures.
    """
    if only in (None, "tables"):
        from avfusion.report.tables.write import write_tables

        write_tables(study, layout)
    if only in (None, "figures"):
        from avfusion.report.figures.write import write_figures

        write_figures(study, layout, stamp, processes)
    if only in (None, "page"):
        from avfusion.report.page.write import write_page

        write_page(study, layout, stamp)
