"""Figures in the page: inline SVG in the colours of the reader's light or dark theme."""

import re
from dataclasses import dataclass
from html import escape
from xml.parsers import expat

from markupsafe import Markup

from avfusion.errors import DamagedError
from avfusion.layout import Layout
from avfusion.report.figures import catalogue
from avfusion.report.figures.style import DARK
from avfusion.report.inputs import read_json

LINK = {"#00629b": "#5db4ee"}
"""Light and dark colour of links, with a contrast of at least 4.5:1 to paper and shading."""


@dataclass(frozen=True)
class Shown:
    """A figure in the page with its words, and the section that shows it.

    `narrow` is the form for phones, with panels below each other; empty if there is none.
    """

    stem: str
    section: str
    title: str
    text: str
    svg: Markup
    narrow: Markup


def shown(corpus: str, layout: Layout) -> list[Shown]:
    """Return the figures of one corpus in the order in which they were drawn."""
    figures = []
    for stem, caption in read_json(layout.figures / "captions.json").items():
        if caption["corpus"] == corpus and (layout.figures / f"{stem}.svg").is_file():
            wide, narrow = (
                _read(name, caption["alt"], layout) for name in (stem, f"{stem}_narrow")
            )
            section = catalogue.section(caption["kind"])
            figures.append(Shown(stem, section, caption["title"], caption["text"], wide, narrow))
    return figures


def _read(stem: str, alt: str, layout: Layout) -> Markup:
    """Return a drawing for the page; empty if there is none."""
    path = layout.figures / f"{stem}.svg"
    return inline(path.read_text(encoding="utf-8"), stem, alt) if path.is_file() else Markup()


def inline(svg: str, stem: str, alt: str) -> Markup:
    """Return an SVG file as part of a page.

    The prologue is removed, ids get the prefix `stem`, colours become those of the theme, and `alt`
    describes the drawing.
    """
    refuse_active(svg, stem)
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", body, flags=re.DOTALL)
    box = re.search(r'viewBox="[^"]*"', body)
    inside = body[body.index(">") + 1 :].replace("xlink:href", "href")
    mark = re.sub(r"[^A-Za-z0-9]", "-", stem)
    inside = re.sub(r'\bid="', f'id="{mark}-', inside)
    inside = re.sub(r'(href="|url\()#', rf"\1#{mark}-", inside)
    for colour in DARK:
        inside = inside.replace(colour, f"var({variable(colour)})")
    inside = re.sub(r"font-family: [^;\"]*", "font-family: var(--sans)", inside)
    opening = f'<svg {box.group(0) if box else ""} role="img" aria-label="{escape(alt)}">'
    return Markup(opening + inside)


_ELEMENTS = frozenset((
    "svg", "metadata", "rdf", "work", "type", "creator", "agent", "title", "format", "date",
    "style", "defs", "clippath", "rect", "g", "path", "use", "text", "tspan", "symbol", "line",
    "polyline", "polygon", "circle", "ellipse", "lineargradient", "radialgradient", "stop",
    "image", "pattern", "mask",
))  # fmt: skip
"""Elements that a drawing of Matplotlib has."""


def refuse_active(svg: str, stem: str) -> None:
    """Refuse a drawing with scripts, styles from elsewhere or addresses, which a plot has not.

    Raises
    ------
    DamagedError
        If anything in the file is not part of a drawing.
    """
    faults: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2].lower()
        if name not in _ELEMENTS:
            faults.append(f"<{tag}>")
        for key, value in attributes.items():
            target = key.lower().rpartition(":")[2] == "href"
            if key.lower().startswith("on") or (
                target and not value.startswith(("#", "data:image/png;base64,"))
            ):
                faults.append(key)
            if re.search(r"url\((?!#)|javascript:|@import|expression\(", value, re.IGNORECASE):
                faults.append(key)

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EntityDeclHandler = lambda *_: faults.append("an entity")
    try:
        parser.Parse(svg, True)
    except expat.ExpatError as error:
        faults.append(str(error))
    if faults:
        raise DamagedError(
            f"figures/{stem}.svg: not a drawing of this study: it holds {faults[0]}. Remove it and "
            f"run: avf report"
        )


def variable(colour: str) -> str:
    """Return the name of the CSS variable of a figure's colour."""
    return f"--c{colour[1:]}"


def themes() -> tuple[str, str]:
    """Return the CSS declarations of every figure colour, for light and for dark."""
    pairs = DARK | LINK
    light = " ".join(f"{variable(c)}: {c};" for c in pairs)
    return light, " ".join(f"{variable(c)}: {d};" for c, d in pairs.items())
