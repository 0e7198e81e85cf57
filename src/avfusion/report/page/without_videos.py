"""The report page without names, ratings and predictions of single videos of some corpora."""

import json
import tempfile
from collections.abc import Collection
from pathlib import Path

from avfusion.config.study import Study
from avfusion.io.atomic import write_text
from avfusion.layout import Layout
from avfusion.report.figures import catalogue
from avfusion.report.inputs import read_json
from avfusion.report.page.write import render, script_hash
from avfusion.report.videos import Names


def render_without(study: Study, layout: Layout, names: Names, corpora: Collection[str]) -> str:
    """Return the page as HTML, made from the results without single videos of some corpora.

    The results themselves are not changed: a folder of links stands in for them.
    """
    with tempfile.TemporaryDirectory() as folder:
        other = Layout(Path(folder) / "results")
        other.results.mkdir()
        _link(layout.results, other.results, leaving=("figures",))
        _figures(layout, other, corpora)
        html = render(study, other)
    without = names.replaced(html)
    return without.replace(script_hash(html), script_hash(without))


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
