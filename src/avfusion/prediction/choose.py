"""The fusion that a bundle is made of if none is named: the best on validation."""

from pathlib import Path

from avfusion.config.study import Study
from avfusion.errors import BundleError
from avfusion.evaluation.scored import read_scores
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN


def best(corpus: str, study: Study, layout: Layout) -> Path:
    """Return the folder of the fusion with the highest mean validation CCC; test is not read.

    The baseline in closed form and runs without a score are left out.

    Raises
    ------
    BundleError
        If no fusion of the corpus has a validation score.
    """
    table = read_scores(corpus, layout)
    if len(table):
        kept = (table["partition"] == "validation") & (table["protocol"] == study.headline)
        kept &= (table["target"] == MEAN) & table["ccc"].notna()
        trained = [name for name in study.fusions if not study.closed_form(name)]
        table = table[kept & table["fusion"].isin(trained)]
    if not len(table):
        raise BundleError(f"{corpus}: no validation score to choose by. Run `avf score {corpus}`.")
    means = table.groupby("fusion")["ccc"].mean()
    return layout.run(corpus, str(means.idxmax()), 0).parent
