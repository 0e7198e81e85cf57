"""Write the tables of a study, as listed in the registry of tables."""

from collections.abc import Collection

from avfusion.config.study import Study
from avfusion.layout import Layout
from avfusion.lineage.tables import write_origins
from avfusion.report.tables.catalogue import TABLES, applies, function
from avfusion.report.tables.part import TableData
from avfusion.report.tables.summary import write_metrics
from avfusion.report.tables.verification import corpora as verified


def write_tables(study: Study, layout: Layout, only: Collection[str] | None = None) -> None:
    """Write the tables below `layout.tables`, and the metrics and the plot that DVC shows.

    Files of tables that the study does not have are removed. A corpus without scores is reported
    as not run.

    Parameters
    ----------
    study
        The settings of the study.
    layout
        Paths of the results folder.
    only
        Stems of the tables to write; None writes everything.
    """
    data = TableData.read(study, layout)
    here = [part.scored.corpus for part in data.parts] + verified(study, layout)
    specs = [spec for spec in TABLES if only is None or spec.stem in only]
    kept = [spec for spec in specs if applies(spec, study, here)]
    for spec in specs:
        if spec not in kept:
            for path in layout.tables.glob(f"{spec.stem}.*"):
                path.unlink()
    for write in dict.fromkeys(spec.write for spec in kept):
        function(write)(data)
    if only is None:
        write_metrics(data)
        write_origins(study, layout)
