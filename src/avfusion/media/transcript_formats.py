"""Read the transcripts of corpora: text of dialogs and word alignments of Sphinx.

Words must stay in the corpus folder, so no fault quotes them. Each line that cannot be read is a
fault that begins with `file:line:`.
"""

import math
import re
from dataclasses import dataclass, field
from typing import NamedTuple

FRAME_S = 0.01  # unit of time in Sphinx


_NUMBER = r"(\d+(?:\.\d+)?)"


_LINE = re.compile(rf"(\S+) \[{_NUMBER}-{_NUMBER}\]:(.*)", flags=re.ASCII | re.DOTALL)


_ASIDE = re.compile(r"[MF]:|\[?[MF]X+\d*|\S*_[MF]?XX\d*\b", flags=re.ASCII)


_ROW = re.compile(r"\s*(\d+)\s+(\d+)\s+-?\d+\s+(\S+)\s*", flags=re.ASCII)


_HEAD = re.compile(r"\s*SFrm\s+EFrm\s+SegAScr\s+Word\s*")


_TOTAL = re.compile(r"\s*Total score:\s*-?\d+\s*", flags=re.ASCII)


_NOISE = re.compile(r"<.*>|\+\+.*\+\+", flags=re.DOTALL)


_FORM = re.compile(r"\(\d+\)$", flags=re.ASCII)  # which pronunciation it is


_BRACKETS = re.compile(r"\[[^\]]*\]")


class Turn(NamedTuple):
    """One turn: seconds in the dialog, and its words as written."""

    start_s: float
    end_s: float
    text: str


class Word(NamedTuple):
    """One word, in seconds from the beginning of its turn."""

    word: str
    start_s: float
    end_s: float


@dataclass
class Dialog:
    """Turns by name; `asides` is the number of lines without ratings."""

    turns: dict[str, Turn] = field(default_factory=dict)
    asides: int = 0
    faults: list[str] = field(default_factory=list)


def read_dialog(raw: bytes, name: str) -> Dialog:
    """Read lines `turn [start-end]: words`; `M: words` and turns numbered XX are asides.

    >>> read_dialog(b"Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.", "x.txt").turns
    {'Ses01F_impro01_F000': Turn(start_s=6.2901, end_s=8.2357, text='Excuse me.')}
    """
    dialog = Dialog()
    for at, line in enumerate(lines(raw), start=1):
        if not line.strip():
            continue
        if _ASIDE.match(line.strip()):
            dialog.asides += 1
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            dialog.faults.append(f"{name}:{at}: not 'turn [start-end]: words'")
            continue
        turn, start_s, end_s = match[1], float(match[2]), float(match[3])
        if turn in dialog.turns:
            dialog.faults.append(f"{name}:{at}: {turn} again")
        elif not (start_s < end_s and math.isfinite(end_s)):
            dialog.faults.append(f"{name}:{at}: {turn} ends before it starts")
        else:
            dialog.turns[turn] = Turn(start_s, end_s, match[4].strip())
    return dialog


def spread(turn: Turn) -> list[Word]:
    """Return the words of a turn, all of equal length, without noises in brackets.

    >>> spread(Turn(2.0, 4.0, "Excuse [LAUGHTER] me."))
    [Word(word='Excuse', start_s=0.0, end_s=1.0), Word(word='me.', start_s=1.0, end_s=2.0)]
    """
    words = _BRACKETS.sub(" ", turn.text).split()
    step_s = (turn.end_s - turn.start_s) / max(1, len(words))
    return [Word(word, i * step_s, (i + 1) * step_s) for i, word in enumerate(words)]


def read_alignment(raw: bytes, name: str) -> tuple[list[Word], list[str]]:
    """Return words and faults of a `.wdseg` table `SFrm EFrm SegAScr Word` in frames of 10 ms.

    Silence `<sil>` and noises such as `++LAUGHTER++` are left out; `WORD(2)` is `WORD`.
    """
    words: list[Word] = []
    faults: list[str] = []
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
    """Split a Latin-1 text at line feeds only."""
    return raw.decode("latin-1").replace("\r\n", "\n").split("\n")
