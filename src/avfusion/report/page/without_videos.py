"""The report page without names, ratings and predictions of single videos of some corpora."""

import json
import tempfile
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from avfusion.config.study import Study
from avfusion.io.atomic import write_text
from avfusion.io.cells import safe_csv
from avfusion.layout import Layout
from avfusion.report.figures import catalogue
from avfusion.report.inputs import read_json
from avfusion.report.page.write import render
from avfusion.report.videos import Names


def render_without(study: Study, layout: Layout, names: Names, corpora: Collection[str]) -> str:
    """Return the page as HTML, made from the results without single videos of some corpora.

    The results themselves are not changed: a folder of links stands in for them.
    """
    with tempfile.TemporaryDirectory() as folder:
        other = Layout(Path(folder) / "results")
        other.results.mkdir()
        _link(layout.results, other.results, leaving=("figures", "scores"))
        _figures(layout, other, corpora)
        for place in sorted((layout.results / "scores").glob("*")):
            (other.results / "scores" / place.name).mkdir(parents=True)
            _link(place, other.scores(place.name), leaving=("missing.csv",))
            if (place / "missing.csv").is_file():
                _missing(place.name, layout, other, names if place.name in corpora else None)
        return render(study, other)


def _link(source: Path, target: Path, leaving: Collection[str]) -> None:
    for path in source.iterdir():
        if path.name not in leaving:
            (target / path.name).symlink_to(path.resolve())


def _figures(layout: Layout, other: Layout, corpora: Collection[str]) -> None:
    """Link the figures, and list them without those of single videos."""
    other.figures.mkdir()
    if layout.figures.is_dir():
        _link(layout.figures, other.figures, leaving=("captions.json",))
    kept = {
        stem: caption
        for stem, caption in read_json(layout.figures / "captions.json").items()
        if caption["corpus"] not in corpora
        or not catalogue.shows_videos(caption["corpus"], caption["kind"], stem)
    }
    write_text(other.figures / "captions.json", json.dumps(kept))


def _missing(corpus: str, layout: Layout, other: Layout, names: Names | None) -> None:
    """Write missing.csv with numbers instead of names."""
    table = pd.read_csv(layout.scores(corpus) / "missing.csv", dtype=str, keep_default_na=False)
    if names is not None:
        table["video"] = [f"video {i + 1}" for i in range(len(table))]
        table["reason"] = [names.replaced(corpus, text) for text in table["reason"]]
    write_text(other.scores(corpus) / "missing.csv", safe_csv(table))
