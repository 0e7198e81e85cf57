"""Style of all figures: each fusion has the same colour, marker and dash in every figure.

Hues are close to Okabe and Ito (2008) and Tol (2021), with a contrast of at least 3:1 to the page.
Markers and dashes distinguish fusions in grey print and for colour-blind readers.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avfusion.config.baseline import REFERENCES
from avfusion.io.atomic import replacing
from avfusion.prediction.formats import look as clips
from avfusion.prediction.formats.look import INK, PAPER, RULE, SOFT, WASH

if TYPE_CHECKING:
    from matplotlib.figure import Figure


DARK = {  # every colour of a figure, and its replacement in the page's dark theme
    **dict(zip((INK, SOFT, RULE, WASH, PAPER), clips.DARK, strict=True)),
    "#0072b2": "#5db4ee", "#d55e00": "#f58b45", "#00866a": "#35c79e", "#aa4499": "#dd87cf",
    "#9a6b00": "#e0b040", "#882255": "#e0739f", "#332288": "#a096f0", "#6b6b6b": "#b4b4b4",
    "#0e86a8": "#4fc6e0", "#7a7a1f": "#c6c65a", "#b2182b": "#f4777f", "#117733": "#6cc982",
}  # fmt: skip
"""Light colour -> dark colour; both have a contrast of at least 3:1 to their background."""

WIDE, NARROW = 8.2, 4.2
"""Width of a figure in inches: with panels side by side, and for phones with panels stacked."""

_HUES = list(DARK)[5:]
_MARKERS = "osD^vP<*>phXdH8"
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.2, 1.5)))
_KNOWN = {  # fusion: hue, marker, dash; single modalities are dotted, joint attention is solid
    "audio": (4, 5, 2), "video": (7, 1, 2), "concat": (3, 3, 1), "late": (9, 4, 1),
    "lstm": (10, 9, 3), "self_attention": (11, 12, 3), "ca": (0, 0, 0), "ca2": (6, 8, 1),
    "jca": (1, 2, 0), "rjca": (5, 6, 0), "dca": (2, 7, 0), "iaca": (8, 10, 0),
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """How one fusion is drawn; `dash` is a matplotlib line style."""

    colour: str
    marker: str
    dash: Any


def look(name: str) -> Look:
    """Return the look of a fusion: fixed for published fusions, else derived from its name."""
    if name in _KNOWN:
        hue, marker, dash = _KNOWN[name]
    else:
        code = zlib.crc32(name.encode())
        hue, marker, dash = code, code // 97, 1 + code // 1009 % 3
    return Look(
        _HUES[hue % len(_HUES)], _MARKERS[marker % len(_MARKERS)], _DASHES[dash % len(_DASHES)]
    )


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Return looks of several fusions; new names skip colours and markers that are taken.

    References are grey.
    """
    taken: dict[str, Look] = {}
    for name in sorted(set(names), key=lambda n: (n not in _KNOWN, n)):
        wish = look(name)
        colour = _free(_HUES, wish.colour, [t.colour for t in taken.values()])
        same = [t.marker for t in taken.values() if t.colour == colour]  # no pair twice
        used = [t.marker for t in taken.values()] + same * len(taken)
        taken[name] = Look(colour, _free(_MARKERS, wish.marker, used), wish.dash)
    for name, marker in zip(REFERENCES, _MARKERS, strict=False):
        taken.setdefault(name, Look(SOFT, marker, "dotted"))
    return taken


def _free(choices: Sequence[str], wish: str, taken: list[str]) -> str:
    """Return the wish, or the next choice after it that is used least."""
    start = choices.index(wish)
    turned = [*choices[start:], *choices[:start]]
    return min(turned, key=taken.count)


@contextmanager
def drawing() -> Iterator[None]:
    """Apply the settings of matplotlib while a figure is drawn and saved, and restore them."""
    import matplotlib

    settings: dict[Any, Any] = {**matplotlib.rcParamsDefault, **_settings()}
    with matplotlib.rc_context(settings):
        yield


def _settings() -> dict[str, Any]:
    return {
        **clips.SETTINGS,
        "axes.titlesize": 9.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.unicode_minus": True,
        "ytick.labelsize": 9,
        "figure.constrained_layout.w_pad": 0.08,  # inches
        "text.hinting": "none",
        "lines.linewidth": 1.5,
        "lines.solid_capstyle": "round",
        "figure.dpi": 100,
        "svg.fonttype": "none",  # keep text as text: small, searchable, accessible
        "svg.hashsalt": "avfusion",
        "path.simplify": True,
    }


def width(narrow: bool) -> float:
    """Return the width of a figure in inches."""
    return NARROW if narrow else WIDE


def save(figure: "Figure", stem: Path, kinds: Sequence[str] = ("svg", "png")) -> None:
    """Write `stem`.svg and `stem`.png (200 dpi), each completely or not at all.

    Equal figures give equal bytes.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    _settle(figure)
    nothing = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}
    for kind in kinds:
        with replacing(stem.with_name(f"{stem.name}.{kind}")) as half:
            figure.savefig(half, format=kind, dpi=200 if kind == "png" else 72,
                           metadata=nothing[kind])  # fmt: skip


def stamped(figure: "Figure", words: str) -> "Figure":
    """Write words across a figure; none if they are empty."""
    if words:
        text = figure.text(0.5, 0.5, words, ha="center", va="center", rotation=15)
        text.set(fontsize=20, color=SOFT, alpha=0.35, zorder=10)
    return figure


def _settle(figure: "Figure") -> None:
    """Lay the figure out once and round the positions of its axes.

    The last digits of the solver vary from call to call, and the ids of an SVG are hashes of them.
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        engine.execute(figure)  # labels of the second pass depend on the positions
        figure.set_layout_engine(None)  # with a placeholder, `savefig` would draw twice
    for axis in figure.axes:
        left, bottom, width, height = (round(v, 6) for v in axis.get_position().bounds)
        axis.set_position((left, bottom, width, height))
