"""The report as one HTML page: results/report.html works offline and loads no other file."""

import base64
import hashlib
from pathlib import Path

from avfusion.config.study import Study
from avfusion.io.atomic import write_text
from avfusion.io.redact import plain
from avfusion.io.version import __version__
from avfusion.layout import Layout
from avfusion.report.absent import left_out
from avfusion.report.fusions import described, references
from avfusion.report.page import classes, data
from avfusion.report.page.figures import themes
from avfusion.report.page.human_gain import human_gain
from avfusion.report.page.origin import origin
from avfusion.report.page.papers import papers
from avfusion.report.page.verification import verified

TEMPLATES = Path(__file__).parent / "templates"


def write_page(study: Study, layout: Layout, stamp: str = "") -> None:
    """Write results/report.html from tables, figures and cards."""
    write_text(layout.page, render(study, layout, stamp))


def render(study: Study, layout: Layout, stamp: str = "") -> str:
    """Return the page as HTML; jinja escapes all text that comes from files.

    stamp: words above everything on the page of a study that is not finished.
    """
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
    html = environment.get_template("page.html.jinja").render(
        script_hash=_HASH,
        stamp=stamp,
        study=study,
        settings=settings_text(study),
        corpora=corpora,
        question=question(study),
        folds=classes.folds(study, layout),
        gains_of=human_gain(study, layout),
        verified=verified(study, layout),
        absent=left_out(study, layout),
        papers=papers(study, layout),
        fusions=described(study),
        references=references({row["fusion"] for corpus in corpora for row in corpus["rows"]}),
        confidence=f"{100 * (1 - study.statistics.alpha):g}%",
        origin=plain(origin(study, layout)),
        version=__version__,
        css=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        light=Markup(light),
        dark=Markup(dark),
    )
    return html.replace(_HASH, script_hash(html))


_HASH = "HASH-OF-THE-SCRIPT"
"""Stands in the page's policy until the page and its script are complete."""


def script_hash(html: str) -> str:
    """Return the source expression that allows the script at the end of a page and no other."""
    script = html.rpartition("<script>")[2].partition("</script>")[0]
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def question(study: Study) -> str:
    """Return the question of the study, by the tasks of its corpora.

    >>> corpora = {"a": {"root": "a", "task": "classes"}}
    >>> question(Study(corpora=corpora, fusions={"ca": {}}))
    'Which audio-visual fusion predicts classes better?'
    """
    tasks = {study.task(corpus) for corpus in study.corpora}
    if tasks == {"verification"}:
        return "Which audio-visual fusion tells people apart better?"
    predicts = {"ratings": "valence and arousal", "classes": "classes"}
    tasks.discard("verification")
    target = predicts[tasks.pop()] if len(tasks) == 1 else "ratings or classes"
    return f"Which audio-visual fusion predicts {target} better?"


def settings_text(study: Study) -> str:
    """Return the study with all defaults as YAML, without folders of this machine."""
    import yaml

    return str(
        yaml.safe_dump(
            plain(study.model_dump(mode="json")),
            sort_keys=False,
            allow_unicode=True,
            width=92,
            default_flow_style=None,
        )
    )
