"""Format numbers and tables as text, Markdown and LaTeX, and write them as files."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.evaluation import wording
from avfusion.evaluation.wording import MOST_DIGITS
from avfusion.io.atomic import write_text
from avfusion.io.cells import safe_csv

Cells = Sequence[Sequence[str]]
NONE = "–"
"""Cell of a score that is undefined; a sentence next to the table has the reason."""


def number(value: float, digits: int = 3, sign: bool = False) -> str:
    """Return a number with a true minus sign and enough digits not to read as zero, or `n/a`.

    >>> number(-0.51249), number(0.5, sign=True), number(float("nan"))
    ('−0.512', '+0.500', 'n/a')
    """
    return wording.number(value, digits, sign) if np.isfinite(value) else "n/a"


def decimals(values: Sequence[float]) -> list[int]:
    """Return how many digits each number needs so that different numbers do not read as equal.

    >>> decimals([0.5121, 0.5124, 0.3]), decimals([0.5, 0.5])
    ([4, 4, 3], [3, 3])
    """
    return [
        next(
            (
                digits
                for digits in range(3, MOST_DIGITS)
                if all(f"{other:.{digits}f}" != f"{value:.{digits}f}" for other in values
                       if other != value)
            ),
            MOST_DIGITS,
        )
        for value in values
    ]  # fmt: skip


def p_value(p: float) -> str:
    """Return a p value for a table.

    >>> p_value(0.0312), p_value(0.0002), p_value(float("nan"))
    ('0.031', '< 0.001', 'n/a')
    """
    return "< 0.001" if p < 0.001 else number(p)


def share(value: float) -> str:
    """Return a probability; what rounds to 0 or 1 is written as a bound.

    >>> share(0.123), share(0.999), share(0.001), share(float("nan"))
    ('0.12', '> 0.99', '< 0.01', 'n/a')
    """
    if not np.isfinite(value):
        return "n/a"
    if value > 0.99:
        return "> 0.99"
    return "< 0.01" if value < 0.01 else f"{value:.2f}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is 1.

    >>> counted(1, "actor"), counted(3, "actor")
    ('1 actor', '3 actors')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def interval(low: float, high: float, sign: bool = False) -> str:
    """Return an interval in brackets; empty if there is none.

    >>> interval(-0.01, 0.2)
    '[−0.010, 0.200]'
    """
    if not (np.isfinite(low) and np.isfinite(high)):
        return ""
    return f"[{number(low, sign=sign)}, {number(high, sign=sign)}]"


def estimate(
    mean: float,
    low: float = np.nan,
    high: float = np.nan,
    sd: float = np.nan,
    *,
    digits: int = 3,
) -> str:
    """Return the mean, with its spread over seeds and its interval if they are finite.

    >>> estimate(0.5, 0.4, 0.6, 0.01), estimate(0.5, digits=4)
    ('0.500 ± 0.010 [0.400, 0.600]', '0.5000')
    """
    spread = f" ± {number(sd)}" if np.isfinite(sd) else ""
    return f"{number(mean, digits)}{spread} {interval(low, high)}".rstrip()


def difference(value: float, low: float = np.nan, high: float = np.nan) -> str:
    """Return a difference of two scores with its sign, and its interval if it is finite.

    >>> difference(0.05, -0.01, 0.11)
    '+0.050 [−0.010, +0.110]'
    """
    return f"{number(value, sign=True)} {interval(low, high, sign=True)}".rstrip()


def markdown(head: Sequence[str], rows: Cells) -> str:
    """Return a Markdown table with padded columns; the first column is left-aligned."""
    lines = [[_pipe(cell) for cell in row] for row in (head, *rows)]
    widths = [max(3, *(len(row[i]) for row in lines)) for i in range(len(head))]
    rule = ["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])]
    lines.insert(1, rule)
    padded = [
        [
            c.ljust(w) if i == 0 else c.rjust(w)
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        for row in lines
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in padded) + "\n"


def latex(head: Sequence[str], rows: Cells, caption: str, label: str) -> str:
    r"""Return a floating table for `\input`; it needs `\usepackage{booktabs}` and UTF-8."""
    body = [" & ".join(tex(cell) for cell in row) + r" \\" for row in rows]
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{tex(caption)}}}",
        rf"  \label{{tab:{label}}}",
        rf"  \begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        r"    \toprule",
        "    " + " & ".join(tex(cell) for cell in head) + r" \\",
        r"    \midrule",
        *(f"    {line}" for line in body),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


_TEX = {c: rf"\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "–": "--",
    "−": "$-$",
    "≤": r"$\leq$",
    "<": "$<$",
}


def tex(text: str) -> str:
    """Escape text for LaTeX; `**bold**` becomes bold and backquotes become typewriter.

    >>> tex("**my_fusion** −0.100 ± 5%")
    '\\\\textbf{my\\\\_fusion} $-$0.100 $\\\\pm$ 5\\\\%'
    """
    safe = "".join(_TEX.get(c, c) for c in text)
    return re.sub(r"`(.+?)`", r"\\texttt{\1}", re.sub(r"\*\*(.+?)\*\*", r"\\textbf{\1}", safe))


def write_page(path: Path, title: str, blocks: list[str]) -> None:
    """Write a Markdown page of blocks, with blank lines between them."""
    write_text(path, "\n\n".join([f"# {title}", *(b.rstrip("\n") for b in blocks)]) + "\n")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV with six decimals."""
    write_text(path, safe_csv(table, float_format="%.6f"))


def write_json(path: Path, content: Any) -> None:
    """Write JSON; a number that is not finite becomes null."""
    write_text(path, json.dumps(_plain(content), indent=2, ensure_ascii=False) + "\n")


def join(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate the tables that have rows; return an empty table if there are none."""
    tables = [table for table in tables if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _plain(x: Any) -> Any:
    if isinstance(x, dict):
        return {str(k): _plain(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return [_plain(v) for v in x]
    if isinstance(x, float | np.floating):
        return round(float(x), 6) if np.isfinite(x) else None
    return x.item() if isinstance(x, np.generic) else x


def _pipe(cell: str) -> str:
    return cell.replace("|", r"\|").replace("\n", " ")


def and_list(words: list[str]) -> str:
    """Join words as `a`, `a and b` or `a, b and c`.

    >>> and_list(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
