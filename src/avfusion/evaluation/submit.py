"""Write a run's test predictions in the form of the corpus' challenge."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.config.jobs import CorpusSettings
from avfusion.corpora.base import build
from avfusion.corpora.submission import Answers
from avfusion.errors import CorpusError, TrainError
from avfusion.evaluation.unpredicted import unpredicted
from avfusion.layout import Layout
from avfusion.rating import DIMENSIONS, Rating
from avfusion.runs.files import read_settings, read_traces, train_command

log = logging.getLogger(__name__)


def submit(
    name: str,
    settings: CorpusSettings,
    run: tuple[str, int],
    template: Path | None,
    layout: Layout,
) -> Path:
    """Write the submission of a run next to its traces.

    Parameters
    ----------
    name
        Name of the corpus.
    settings
        Its class, root and options.
    run
        Fusion and seed.
    template
        File with the rows of the challenge; by default the one of the corpus.
    layout
        Paths of the results.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    TrainError
        If the run has no finite predictions of the test partition.
    CorpusError
        If the corpus was not verified, or has no challenge.
    """
    corpus = build(name, settings)
    folder = layout.run(name, *run)
    path = folder / "traces.parquet"
    if not path.is_file():
        raise TrainError(f"File not found: {path}. Run: {train_command(folder)}")
    if not layout.manifest(name).is_file():
        raise CorpusError(f"File not found: {layout.manifest(name)}. Run: avf verify {name}")
    manifest = pd.read_parquet(layout.manifest(name))
    videos = manifest.loc[manifest["partition"] == "test", "video"].tolist()
    traces = read_traces(folder, read_settings(folder)).query("partition == 'test'")
    absent = unpredicted(traces, Rating(DIMENSIONS))
    traces = traces[~traces["video"].isin(absent)]
    if traces.empty or not np.isfinite(traces[list(DIMENSIONS)].to_numpy()).all():
        raise TrainError(
            f"{path} has no predictions of the test partition, or some are not finite. "
            f"Run: {train_command(folder)}"
        )
    answers = Answers(corpus.value_range, traces, videos, layout.media(name))
    if answers.filled:
        lost = ", ".join(answers.filled[:5])
        log.warning("%d test videos have no trace and get the mean: %s", len(answers.filled), lost)
    return corpus.submission(answers, template, layout.card(name), folder)
