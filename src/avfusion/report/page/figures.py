"""Figures as they stand in the page: inline SVG whose colours follow the reader's light or dark."""

import json
import re
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

from avfusion.layout import Layout
from avfusion.report.figures.style import DARK


@dataclass(frozen=True)
class Shown:
    """A figure in the page: its drawing, and what is said beside it."""

    stem: str
    kind: str
    title: str
    text: str
    svg: Markup


def figures_of(corpus: str, layout: Layout) -> list[Shown]:
    """Figures of one corpus in the order they were drawn; none where `avf report` drew none."""
    path = layout.figures / "captions.json"
    captions = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    shown = []
    for stem, said in captions.items():
        drawing = layout.figures / f"{stem}.svg"
        if said["corpus"] == corpus and drawing.is_file():
            svg = inline(drawing.read_text(encoding="utf-8"), stem, said["alt"])
            shown.append(Shown(stem, said["kind"], said["title"], said["text"], svg))
    return shown


def inline(svg: str, stem: str, alt: str) -> Markup:
    """An SVG file's text as part of a page: no prologue, own ids, theme colours, a description."""
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


def variable(colour: str) -> str:
    """Name of the CSS variable that stands for one colour of the figures."""
    return f"--c{colour[1:]}"


def themes() -> tuple[str, str]:
    """CSS declarations of every figure colour, for light and for dark."""
    light = " ".join(f"{variable(c)}: {c};" for c in DARK)
    return light, " ".join(f"{variable(c)}: {d};" for c, d in DARK.items())
