"""Text of strangers, safe to show: no terminal escapes, and no formulas in tables."""

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = re.compile(r"[=+@\t\r]")
_CALL = {*"(|!="}
_NUMBER = re.compile(r"[+-]?[\d.,]+([eE][+-]?\d+)?%?")
_HIDDEN = {"Cc", "Cs", "Zl", "Zp"}
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
"""Characters that change the direction of text, so that it reads as something else."""


def visible(text: str, keep: str = "\n\t") -> str:
    """Escape control characters, so that a name cannot move the cursor or hide text.

    >>> visible("a\\x1b[2Jb\\rc")
    'a\\\\x1b[2Jb\\\\rc'
    """
    if text.isprintable():
        return text
    return "".join(
        c if c in keep or not _hidden(c) else c.encode("unicode_escape").decode() for c in text
    )


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN or character in _TURNS


def is_formula(text: str) -> bool:
    """Return whether a spreadsheet would run a cell's text.

    A name such as `-3g5yACwYnA` is none: a minus can only begin one that calls or compares.

    >>> [is_formula(text) for text in ("=cmd()", "-0.5", "+1e-3", "-2+cmd()", "a=b")]
    [True, False, False, True, False]
    """
    if text.startswith("-"):
        return bool(_CALL & {*text})
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text) and text != "+"


def safe_csv(table: "pd.DataFrame", **options: str) -> str:
    """Return a table as CSV whose cells are shown as text by a spreadsheet.

    A text that begins like a formula gets an apostrophe in front, and control characters are
    escaped.

    >>> import pandas as pd
    >>> safe_csv(pd.DataFrame({"name": ["=1+1", "a"], "value": [-1.0, 2.0]}))
    "name,value\\n'=1+1,-1.0\\na,2.0\\n"
    """
    text = table.select_dtypes(exclude=["number", "bool"]).columns
    safe = table.assign(**{str(name): table[name].map(_cell) for name in text})
    safe.columns = [_cell(str(name)) for name in safe.columns]
    made: str = safe.to_csv(index=False, **options)
    return made


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    shown = visible(value)
    return f"'{shown}" if is_formula(shown) else shown
