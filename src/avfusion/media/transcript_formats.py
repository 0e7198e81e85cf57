"""Transcripts in forms that corpora bring along: lines of a dialog, and word alignments of Sphinx.

What is said stays in the corpus folder: no fault quotes it. A line that cannot be read is a fault
that begins `file:line:`, never left out in silence.
"""

import math
import re
from dataclasses import dataclass, field
from typing import NamedTuple

FRAME_S = 0.01  # Sphinx counts in these


_NUMBER = r"(\d+(?:\.\d+)?)"


_LINE = re.compile(rf"(\S+) \[{_NUMBER}-{_NUMBER}\]:(.*)", flags=re.ASCII | re.DOTALL)


_ASIDE = re.compile(r"[MF]:|\[?[MF]X+\d*|\S*_[MF]?XX\d*\b", flags=re.ASCII)


_ROW = re.compile(r"\s*(\d+)\s+(\d+)\s+-?\d+\s+(\S+)\s*", flags=re.ASCII)


_HEAD = re.compile(r"\s*SFrm\s+EFrm\s+SegAScr\s+Word\s*")


_TOTAL = re.compile(r"\s*Total score:\s*-?\d+\s*", flags=re.ASCII)


_NOISE = re.compile(r"<.*>|\+\+.*\+\+", flags=re.DOTALL)


_FORM = re.compile(r"\(\d+\)$", flags=re.ASCII)  # which pronunciation it is


_BRACKETS = re.compile(r"\[[^\]]*\]")


class Said(NamedTuple):
    """One turn: seconds in the dialog, and its words as they are written."""

    start_s: float
    end_s: float
    text: str


class Word(NamedTuple):
    """One word: seconds from the beginning of its turn."""

    word: str
    start_s: float
    end_s: float


@dataclass
class Dialog:
    """Turns by name; `asides` counts lines of what nobody has rated."""

    said: dict[str, Said] = field(default_factory=dict)
    asides: int = 0
    faults: list[str] = field(default_factory=list)


def read_dialog(raw: bytes, name: str) -> Dialog:
    """Lines `turn [start-end]: words`; `M: words` and turns numbered XX are asides.

    >>> read_dialog(b"Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.", "x.txt").said
    {'Ses01F_impro01_F000': Said(start_s=6.2901, end_s=8.2357, text='Excuse me.')}
    """
    found = Dialog()
    for at, line in enumerate(lines(raw), start=1):
        if not line.strip():
            continue
        if _ASIDE.match(line.strip()):
            found.asides += 1
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            found.faults.append(f"{name}:{at}: not 'turn [start-end]: words'")
            continue
        turn, start_s, end_s = match[1], float(match[2]), float(match[3])
        if turn in found.said:
            found.faults.append(f"{name}:{at}: {turn} stands here again")
        elif not (start_s < end_s and math.isfinite(end_s)):
            found.faults.append(f"{name}:{at}: {turn} ends before it starts")
        else:
            found.said[turn] = Said(start_s, end_s, match[4].strip())
    return found


def spread(said: Said) -> list[Word]:
    """The words of a turn, each as long as the others; noises in brackets are no words.

    >>> spread(Said(2.0, 4.0, "Excuse [LAUGHTER] me."))
    [Word(word='Excuse', start_s=0.0, end_s=1.0), Word(word='me.', start_s=1.0, end_s=2.0)]
    """
    words = _BRACKETS.sub(" ", said.text).split()
    step_s = (said.end_s - said.start_s) / max(1, len(words))
    return [Word(word, i * step_s, (i + 1) * step_s) for i, word in enumerate(words)]


def read_alignment(raw: bytes, name: str) -> tuple[list[Word], list[str]]:
    """Words of a `.wdseg` table `SFrm EFrm SegAScr Word` in frames of 10 ms, and its faults.

    Silence `<sil>` and noises `++LAUGHTER++` are no words; `WORD(2)` is `WORD`.
    """
    words, faults = [], []
    for at, line in enumerate(lines(raw), start=1):
        if not line.strip() or _HEAD.fullmatch(line) or _TOTAL.fullmatch(line):
            continue
        match = _ROW.fullmatch(line)
        if match is None or len(match[1]) > 9 or len(match[2]) > 9:
            faults.append(f"{name}:{at}: not 'first frame, last frame, score, word'")
            continue
        first, last, word = int(match[1]), int(match[2]), _FORM.sub("", match[3])
        if last < first:
            faults.append(f"{name}:{at}: a word ends before it starts")
        elif word and not _NOISE.fullmatch(word):
            words.append(Word(word, first * FRAME_S, (last + 1) * FRAME_S))
    return words, faults


def lines(raw: bytes) -> list[str]:
    """Lines of a Latin-1 text; only line feeds end one."""
    return raw.decode("latin-1").replace("\r\n", "\n").split("\n")
