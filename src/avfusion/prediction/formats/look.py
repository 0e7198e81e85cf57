"""Colours and settings of figures, pages and videos of predictions; a study's figures share them.

`report/figures/style.py` has the source of the colours, whose contrast to the page is 3:1 at least.
"""

from typing import Any

INK, SOFT, RULE, WASH, PAPER = "#1b1f24", "#5b636c", "#d5d9de", "#eceff2", "#ffffff"
"""Neutral colours: text, secondary text, grid lines, doubts, background."""

DARK = ("#e8eaed", "#a3abb5", "#3a4048", "#262b31", "#15181c")
"""The same for the dark theme of the page."""

PERSONS = ("#0072b2", "#d55e00", "#00866a", "#aa4499", "#9a6b00", "#882255", "#332288", "#7a7a1f")
"""Colours of persons, by number."""

PERSONS_DARK = (
    *("#5db4ee", "#f58b45", "#35c79e", "#dd87cf"),
    *("#e0b040", "#e0739f", "#a096f0", "#c6c65a"),
)
"""The same for a dark background."""

DASHES: tuple[tuple[float, ...], ...] = ((), (6, 2), (2, 2), (6, 2, 2, 2))
"""Lengths of dashes and gaps of the lines of persons, by number; () is a solid line."""

SETTINGS: dict[str, Any] = {
    "backend": "Agg",
    "font.family": ["DejaVu Sans"],  # part of matplotlib, so text has the same width everywhere
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.8,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "text.color": INK,
    "text.parse_math": False,  # names may contain dollar signs
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "figure.facecolor": PAPER,
}
"""Settings of matplotlib for every figure."""


def nth(choices: tuple[Any, ...], track_id: int | None) -> Any:
    """Return the choice of a person."""
    return choices[(track_id or 0) % len(choices)]


def clock(seconds: float) -> str:
    """Return a time as `minutes:seconds`, with hours from one hour on.

    >>> clock(75.24), clock(3_600)
    ('1:15', '1:00:00')
    """
    rest = int(seconds + 1e-6)
    hours, minutes = divmod(rest // 60, 60)
    return f"{hours}:{minutes:02d}:{rest % 60:02d}" if hours else f"{minutes}:{rest % 60:02d}"


def span(start_s: float, end_s: float) -> str:
    """Return a span of time as text, with tenths of a second if it is short.

    >>> span(1, 2.54), span(65, 3600)
    ('0:01.0 to 0:02.5', '1:05 to 1:00:00')
    """
    if end_s - start_s >= 10:
        return f"{clock(start_s)} to {clock(end_s)}"
    return " to ".join(f"{clock(at_s)}.{int(at_s * 10 + 1e-6) % 10}" for at_s in (start_s, end_s))
