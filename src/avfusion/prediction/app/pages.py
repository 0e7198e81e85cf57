"""The pages of the app: where clips are uploaded, and the result of one."""

from pathlib import Path
from typing import Any

from avfusion.io.version import __version__
from avfusion.prediction import card
from avfusion.prediction.app.clips import Clip
from avfusion.prediction.app.options import Options
from avfusion.prediction.app.work import Predicted
from avfusion.prediction.document import Document
from avfusion.prediction.doubts import GENERATED
from avfusion.prediction.formats import page
from avfusion.prediction.request import FACES

TEMPLATES = Path(__file__).parent / "templates"

WHO = {
    "largest": "the largest face at the start",
    "left": "the person on the left",
    "right": "the person on the right",
    "speaker": "the person who speaks",
    "all": "everyone, with rows for each",
}
"""Rule -> what it means."""


class Pages:
    """Renders the pages.

    Parameters
    ----------
    document
        Of the bundle.
    name
        Of the bundle.
    options
        Limits, which the pages name.
    """

    def __init__(self, document: Document, name: str, options: Options) -> None:
        self._environment = page.environment(TEMPLATES)
        self._shared = {
            "version": __version__,
            "model": about(document, name),
            "options": options,
            "idle": _duration(options.idle_s),
        }
        self._face = document.media.face
        self.files = {
            "page.css": (page.style(), "text/css"),
            "page.js": (page.script(), "text/javascript"),
            **{name: (_read(name), "text/css") for name in ("app.css",)},
            **{name: (_read(f"{name}.jinja"), "text/javascript") for name in ("app.js", "out.js")},
        }
        """Name -> text and media type of style sheets and scripts."""

    def start(self) -> str:
        """Return the page where clips are uploaded."""
        who = {rule: WHO[rule] for rule in FACES}
        template = self._environment.get_template("app.html.jinja")
        return template.render(**self._shared, who=who, default=self._face)

    def result(self, clip: Clip, predicted: Predicted) -> str:
        """Return the page with player and traces of a clip."""
        prediction, media = predicted
        return self._environment.get_template("result.html.jinja").render(
            **page.parts(prediction, media, f"/clips/{clip.id}/file"),
            **{name: value for name, value in self._shared.items() if name != "version"},
            clip=clip,
        )


def about(document: Document, name: str) -> dict[str, Any]:
    """Return what users must know about a model before they use it."""
    low, high = document.range
    return {
        "name": name,
        "generated": GENERATED if document.corpus.generated else "",
        "predicts": f"{', '.join(document.targets)}, each from {low:g} to {high:g}".replace(
            "-", "\u2212"
        ),
        "use": card.USE,
        "not_for": card.NOT_FOR,
        "scores": card.score_text(document),
        "intervals": card.intervals(document),
        "limits": card.limits(document),
        "licence": document.corpus.licence,
        "terms": document.corpus.sharing,
        "words": bool(document.features.get("text")),
    }


def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _duration(seconds: float) -> str:
    if seconds == 3600:
        return "an hour"
    return f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"
