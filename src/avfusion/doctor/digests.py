"""The stage from which on the results of this machine differ from the recorded digests."""

from collections.abc import Iterator
from pathlib import Path

from avfusion.config.load import BASE
from avfusion.config.study import Study
from avfusion.doctor.finding import Finding
from avfusion.errors import AvfError, DamagedError
from avfusion.layout import Layout


def findings(study: Study, config: Path) -> Iterator[Finding]:
    """Yield how the finished results of the default study compare; a difference is no fault.

    config: the file of the study; others than `BASE` have no recorded digests.
    """
    from avfusion.lineage import departures, digests  # they import the readers of media

    if config.absolute() != BASE.absolute() or not digests.FILE.is_file():
        return
    layout = Layout(Path(study.results))
    try:
        recorded = digests.read_digests()
    except DamagedError as error:
        yield Finding("WARN", "digests", str(error), f"git checkout -- {digests.FILE}")
        return
    if not all((layout.scores(corpus) / "scores.parquet").is_file() for corpus in study.corpora):
        yield Finding("OK", "digests", f"no scores to compare with {digests.FILE} yet")
        return
    try:
        _, sentence = departures.compared(recorded, study, layout)
        yield Finding("OK", "digests", sentence)
    except AvfError as error:
        yield Finding("OK", "digests", f"results are not complete: {error}")
