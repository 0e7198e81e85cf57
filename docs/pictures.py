"""Draw the pictures of the architecture page as SVG files.

python docs/pictures.py     # writes docs/images/stages.svg and docs/images/layers.svg

The layers are read from .importlinter, which `make lint` enforces.
"""

import configparser
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
WIDTH, HEIGHT = 148, 76
Point = tuple[float, float]
Line = tuple[Point, Point]
Stage = tuple[int, int, tuple[str, ...]]
STAGES: dict[str, Stage] = {
    # name: (column, row, what the stage leaves)
    "avf make-corpus": (0, 0, ("demo videos and", "ratings in data/")),
    "avf verify": (0, 1, ("manifest, ratings,", "checks of the files")),
    "avf media": (1, 1, ("face crops,", "sound, speech")),
    "avf fit-encoder": (1, 0, ("encoder weights,", "from train only")),
    "avf encode": (2, 1, ("features on one", "grid of clips")),
    "avf delay": (2, 0, ("annotation delay,", "from train only")),
    "avf choose": (3, 0, ("grid point, chosen", "on validation")),
    "avf train": (3, 1, ("weights, settings,", "predictions")),
    "avf score": (4, 1, ("scores; first read", "of test ratings")),
    "avf record": (5, 0, ("runs in MLflow",)),
    "avf report": (5, 1, ("tables, figures,", "report.html")),
    "avf corrupt": (2, 2, ("features of corrupted", "sound and pictures")),
    "avf robust": (4, 2, ("scores on corrupted", "input, gate weights")),
}
EDGES = (
    ("avf make-corpus", "avf verify"),
    ("avf verify", "avf media"),
    ("avf media", "avf fit-encoder"),
    ("avf media", "avf encode"),
    ("avf fit-encoder", "avf encode"),
    ("avf encode", "avf delay"),
    ("avf encode", "avf choose"),
    ("avf encode", "avf train"),
    ("avf choose", "avf train"),
    ("avf train", "avf score"),
    ("avf score", "avf report"),
    ("avf score", "avf record"),
    ("avf media", "avf corrupt"),
    ("avf corrupt", "avf robust"),
    ("avf train", "avf robust"),
    ("avf robust", "avf report"),
)
OPTIONAL = ("avf make-corpus", "avf delay", "avf choose", "avf corrupt", "avf robust")
BANDS = {
    # first package of the band: (name, colour)
    "cli": ("Interface", "#dbe7f5"),
    "lineage": ("Results", "#dff0df"),
    "runs": ("Training", "#fdf1d3"),
    "corpora": ("Data", "#f8e0d8"),
    "config": ("Foundations", "#e8e4f2"),
}


def main() -> None:
    """Write both pictures."""
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / "stages.svg").write_text(stages())
    (IMAGES / "layers.svg").write_text(layers())


def stages() -> str:
    """Return the picture of the stages, their outputs and their order."""
    parts = [_arrow(*_ends(STAGES[a], STAGES[b])) for a, b in EDGES]
    for name, (column, row, lines) in STAGES.items():
        x, y = _corner(column, row)
        dash = ' stroke-dasharray="5 3"' if name in OPTIONAL else ""
        fill = "#f6f6f6" if name in OPTIONAL else "#dbe7f5"
        parts.append(_box(x, y, WIDTH, HEIGHT, fill, dash))
        parts.append(_text(x + WIDTH / 2, y + 24, name, 14, "bold"))
        for place, line in enumerate(lines):
            parts.append(_text(x + WIDTH / 2, y + 44 + 17 * place, line, 12))
    note = "Dashed: runs only if the study asks for it."
    parts.append(_text(20, 366, note, 12, anchor="start"))
    return _svg(1140, 380, "Stages of a study and what each one writes", parts)


def layers() -> str:
    """Return the picture of the packages, one row per layer of .importlinter."""
    rows, parts, y = _rows(), [], 16
    band, starts = ("", ""), []
    for row in rows:
        if row[0] in BANDS:
            band = BANDS[row[0]]
            y += 12 if starts else 0
            starts.append((band[0], y))
        width = (600 - 10 * (len(row) - 1)) / len(row)
        for place, package in enumerate(row):
            x = 130 + place * (width + 10)
            parts.append(_box(x, y, width, 26, band[1]))
            parts.append(_text(x + width / 2, y + 18, package, 13))
        y += 32
    parts += [_text(20, start + 18, name, 14, "bold", "start") for name, start in starts]
    note = "A package imports only from rows below it."
    parts.append(_text(20, y + 18, note, 12, anchor="start"))
    return _svg(750, y + 32, "Packages of avfusion in layers", parts)


def _rows() -> list[list[str]]:
    """Return the packages of each layer, the highest layer first."""
    rules = configparser.ConfigParser()
    rules.read(ROOT / ".importlinter")
    lines = rules["importlinter:contract:layers"]["layers"].split("\n")
    return [
        [name.strip().removeprefix("avfusion.") for name in line.split("|")]
        for line in lines
        if line.strip()
    ]


def _corner(column: int, row: int) -> Point:
    return 20 + column * (WIDTH + 42), 20 + row * (HEIGHT + 44)


def _ends(a: Stage, b: Stage) -> Line:
    """Return the start and end of the arrow between two boxes."""
    (x0, y0), (x1, y1) = _corner(*a[:2]), _corner(*b[:2])
    if a[0] == b[0]:
        down = y1 > y0
        x = x0 + WIDTH / 2
        return (x, y0 + HEIGHT if down else y0), (x, y1 if down else y1 + HEIGHT)
    if a[1] == b[1]:
        return (x0 + WIDTH, y0 + HEIGHT / 2), (x1, y1 + HEIGHT / 2)
    leave, enter = (HEIGHT - 10, 12) if y1 > y0 else (10, HEIGHT - 12)
    return (x0 + WIDTH, y0 + leave), (x1, y1 + enter)


def _arrow(start: Point, end: Point) -> str:
    (x0, y0), (x1, y1) = start, end
    return (
        f'<line x1="{x0:g}" y1="{y0:g}" x2="{x1:g}" y2="{y1:g}" stroke="#555" '
        'stroke-width="1.4" marker-end="url(#tip)"/>'
    )


def _box(x: float, y: float, width: float, height: float, fill: str, more: str = "") -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" '
        f'fill="{fill}" stroke="#777"{more}/>'
    )


def _text(
    x: float, y: float, text: str, size: int, weight: str = "normal", anchor: str = "middle"
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}" fill="#222">{escape(text)}</text>'
    )


def _svg(width: float, height: float, title: str, parts: list[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        'role="img" font-family="Helvetica, Arial, sans-serif">'
    )
    tip = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#555"/></marker></defs>'
    )
    ground = f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", tip, ground, *parts, "</svg>", ""])


if __name__ == "__main__":
    main()
