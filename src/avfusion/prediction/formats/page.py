"""Write a page that plays a clip next to its predictions; it loads nothing but the clip."""

import base64
import hashlib
import mimetypes
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from avfusion.errors import AvfError
from avfusion.io.atomic import write_text
from avfusion.io.version import __version__
from avfusion.prediction.document import coverage_text
from avfusion.prediction.formats import look
from avfusion.prediction.formats.describe import persons
from avfusion.prediction.formats.names import as_text
from avfusion.prediction.formats.page_data import data_of, doubts_listed, summaries
from avfusion.prediction.formats.player import Media, media_of
from avfusion.prediction.formats.steps import changes, label, scale
from avfusion.prediction.prediction import Prediction

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"

EMBED_MB = 200
"""Largest clip that a page includes; browsers refuse data of more than about 500 MB in a page."""


def write_html(prediction: Prediction, path: Path, embed: bool) -> None:
    """Write the page.

    Parameters
    ----------
    prediction
        What was predicted for the clip.
    path
        The page.
    embed
        Whether the clip becomes part of the page. Otherwise the page refers to it by a path
        relative to the page; without the clip, the traces still work.

    Raises
    ------
    AvfError
        If the clip is to be included and is missing or too large.
    """
    clip = Path(prediction.clip["path"])
    media = media_of(clip, prediction.time_zero)
    source = _embedded(clip, media) if embed else _reference(clip, path)
    write_text(path, render(prediction, media, source, embed))


def render(prediction: Prediction, media: Media, source: str, embed: bool) -> str:
    """Return the page as HTML; jinja escapes all text that comes from clips and bundles."""
    from markupsafe import Markup

    return (
        environment()
        .get_template("page.html.jinja")
        .render(
            **parts(prediction, media, source),
            policy=_policy(style(), script(), embed),
            style=Markup(style()),
            script=Markup(script()),
        )
    )


def environment(*folders: Path) -> "Environment":
    """Return an environment of jinja with the templates of pages, and those of other folders."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader([TEMPLATES, *folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def parts(prediction: Prediction, media: Media, source: str) -> dict[str, Any]:
    """Return what the template shows, except for style and script."""
    return {
        "title": as_text(prediction.clip["name"]),
        "source": source,
        "media": media,
        "prediction": prediction,
        "data": data_of(prediction, media),
        "doubts": doubts_listed(prediction),
        "panels": summaries(prediction),
        "scale": scale,
        "text": as_text,
        "facts": _facts(prediction),
        "coverage": f"{100 * prediction.level:g}",
        "measured": _measured(prediction),
        "changes": changes(prediction),
        "version": __version__,
    }


def style() -> str:
    """Return the style sheet of the page, with the colours of the figures."""
    return _colours() + (TEMPLATES / "page.css").read_text(encoding="utf-8")


def script() -> str:
    """Return the script of the page."""
    return (TEMPLATES / "page.js.jinja").read_text(encoding="utf-8")


def _reference(clip: Path, page: Path) -> str:
    """Return the URL of the clip relative to the page."""
    relative = Path(os.path.relpath(clip, page.parent.absolute())).as_posix()
    return quote(os.fsencode(relative), safe="/")


def _embedded(clip: Path, media: Media) -> str:
    """Return the clip as a data URL."""
    try:
        size_mb = clip.stat().st_size / 1e6
        if size_mb > EMBED_MB:
            raise AvfError(
                f"{clip}: {size_mb:.0f} MB, and a page can include {EMBED_MB} MB. Run the command "
                f"without --embed: the page then plays the clip from where it is."
            )
        data = clip.read_bytes()
    except FileNotFoundError:
        raise AvfError(
            f"{clip}: no such file, so the page cannot include it. Copy it there again, or run the "
            f"command without --embed."
        ) from None
    default = "video/mp4" if media.pictures else "audio/mpeg"
    kind = mimetypes.guess_type(clip.name)[0] or default
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _policy(style: str, script: str, embed: bool) -> str:
    """Return a policy that allows this style, this script and the clip, and nothing else."""
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    )
    clip = "data:" if embed else "'self' file:"
    return (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}'; "
        f"media-src {clip}; base-uri 'none'; form-action 'none'"
    )


def _colours() -> str:
    """Return the colours as variables of CSS, light and dark."""
    light = (look.INK, look.SOFT, look.RULE, look.WASH, look.PAPER, *look.PERSONS)
    dark = (*look.DARK, *look.PERSONS_DARK)
    names = ["ink", "soft", "rule", "wash", "paper", *(f"p{i}" for i in range(len(look.PERSONS)))]
    texts = [
        " ".join(f"--{name}: {colour};" for name, colour in zip(names, colours, strict=True))
        for colours in (light, dark)
    ]
    return (
        f":root {{ {texts[0]} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {texts[1]} }} }}\n"
        f"@media print {{ :root {{ {texts[0]} }} }}\n"
    )


def _last_s(prediction: Prediction) -> float:
    """Return where the last row ends in seconds; what follows is shorter than a step."""
    times_s = prediction.table["time_s"]
    return float(times_s.max() if len(times_s) else prediction.clip["end_s"])


def _who(prediction: Prediction) -> str:
    """Return whose rows they are."""
    numbers = persons(prediction)
    if not numbers:
        return "no face was found"
    return ", ".join(map(label, numbers)) if prediction.everyone else "one followed person"


def _measured(prediction: Prediction) -> str:
    """Return how often the intervals held on people who were not trained on."""
    stated = prediction.bundle.get("coverage")
    return "" if stated is None else coverage_text(**stated)


def _facts(prediction: Prediction) -> dict[str, Any]:
    """Return label -> text about the clip and the model."""
    bundle, clip = prediction.bundle, prediction.clip
    shown = {
        "Clip": clip["name"],
        "Predicted part": look.span(clip["start_s"], _last_s(prediction)),
        "Persons": _who(prediction),
        "Step": f"{prediction.step_s:g} s",
        "Model": bundle.get("name"),
        "Trained on": bundle.get("corpus"),
        "Fusion": bundle.get("fusion"),
        "Members": bundle.get("members"),
        "Terms of use": bundle.get("terms"),
        "Model ID": bundle.get("id"),
        "Options": ", ".join(f"{key} {value}" for key, value in prediction.options.items()),
    }
    return {key: as_text(str(value)) for key, value in shown.items() if value not in (None, "")}
