"""From a run's traces to the rows that a challenge wants: a prediction for every frame."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.corpora.base import DIMENSIONS, build
from avfusion.corpora.submission import Answers
from avfusion.errors import CorpusError, TrainError
from avfusion.layout import Layout
from avfusion.runs.files import read_settings, read_traces

log = logging.getLogger(__name__)


def submit(
    name: str, own: dict[str, Any], run: tuple[str, int], template: Path | None, layout: Layout
) -> Path:
    """Write the run's submission beside its traces, in the form of the corpus; returns the file."""
    corpus = build(name, own)
    folder = layout.run(name, *run)
    path = folder / "traces.parquet"
    if not path.is_file():
        raise TrainError(f"{path}: no such file. Run `avf train {name} {run[0]} --seed {run[1]}`.")
    if not layout.manifest(name).is_file():
        raise CorpusError(f"{layout.manifest(name)}: no such file. Run `avf verify {name}`.")
    manifest = pd.read_parquet(layout.manifest(name))
    videos = manifest.loc[manifest["partition"] == "test", "video"].tolist()
    traces = read_traces(folder, read_settings(folder)).query("partition == 'test'")
    if traces.empty or not np.isfinite(traces[list(DIMENSIONS)].to_numpy()).all():
        raise TrainError(f"{path}: no prediction of the test partition, or one that is not finite.")
    answers = Answers(corpus, traces, videos, layout.media(name))
    if answers.filled:
        lost = ", ".join(answers.filled[:5])
        log.warning("%d test videos have no trace and get the mean: %s", len(answers.filled), lost)
    return corpus.submission(answers, template, layout.card(name), folder)
