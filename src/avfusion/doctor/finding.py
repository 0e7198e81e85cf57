"""One line of `avf doctor`."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """A finding about the machine or the study.

    Parameters
    ----------
    verdict
        `OK`, `WARN` (works, but not as intended), `MISSING` (a study cannot run) or `FAIL` (a
        setting is wrong).
    what
        What was examined, in one word.
    text
        What was found.
    remedy
        The command or change that fixes it; empty if nothing is wrong.
    """

    verdict: Literal["OK", "WARN", "MISSING", "FAIL"]
    what: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        remedy = f"  ->  {self.remedy}" if self.remedy else ""
        return f"{self.verdict:<8}{self.what:<12}{self.text}{remedy}"
