"""The report as one page: results/report.html opens offline and asks no other file for anything."""

import json
from pathlib import Path
from typing import Any

from avfusion import __version__
from avfusion.evaluation import units
from avfusion.io.atomic import write_text
from avfusion.io.redact import plain
from avfusion.layout import Layout
from avfusion.report.absent import left_out
from avfusion.report.page import classes, data
from avfusion.report.page.figures import themes
from avfusion.report.page.origin import origin
from avfusion.report.page.papers import papers

TEMPLATES = Path(__file__).parent / "templates"


def write_page(study: dict[str, Any], layout: Layout) -> None:
    """Write results/report.html from tables, figures and cards; whole or not at all."""
    text = render(study, layout)
    write_text(layout.page, text)


def render(study: dict[str, Any], layout: Layout) -> str:
    """The page's HTML; every text from outside passes through jinja's escaping."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    light, dark = themes()
    corpora = data.corpora(study, layout)
    return environment.get_template("page.html.jinja").render(
        study=study,
        settings=settings_text(study),
        corpora=corpora,
        question=question(study),
        folds=classes.folds(study, layout),
        absent=left_out(study, layout),
        papers=papers(study, layout),
        unit=units.word(study["statistics"]),
        confidence=f"{100 * (1 - study['statistics']['alpha']):g}%",
        origin=plain(origin(study, layout)),
        version=__version__,
        css=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        light=Markup(light),
        dark=Markup(dark),
    )


def question(study: dict[str, Any]) -> str:
    """What the study asks, by the tasks of its corpora.

    >>> question({"corpora": {"a": {"task": "classes"}}})
    'Which audio-visual fusion tells classes better?'
    """
    tasks = {own.get("task", "ratings") for own in study["corpora"].values()}
    ask = {"ratings": "predicts valence and arousal", "classes": "tells classes"}
    words = ask[tasks.pop()] if len(tasks) == 1 else "predicts ratings, or tells classes,"
    return f"Which audio-visual fusion {words} better?"


def settings_text(study: dict[str, Any]) -> str:
    """The resolved study as YAML, without this machine's folders."""
    import yaml

    safe = plain(json.loads(json.dumps(study)))
    return yaml.safe_dump(
        safe, sort_keys=False, allow_unicode=True, width=92, default_flow_style=None
    )
