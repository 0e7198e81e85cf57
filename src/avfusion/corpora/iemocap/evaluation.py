"""IEMOCAP's EmoEvaluation files: a turn's time, class and ratings, under the votes behind them.

No line is dropped in silence: a turn that cannot be read is told with its file and line.
"""

import math
import re
from dataclasses import dataclass, field

from avfusion.media.transcript_formats import lines

CODES = ("neu", "fru", "ang", "sad", "exc", "hap", "sur", "fea", "oth", "dis", "xxx")
"""As they are in the files; xxx: the raters had no majority."""


DIALOG = re.compile(r"Ses0([1-5])([FM])_(?:impro|script)\d\d[ab]?(?:_\d[ab]?)?", flags=re.ASCII)


_TURN = re.compile(rf"({DIALOG.pattern})_([FM])\d\d\d", flags=re.ASCII)


_NUMBER = r"(-?\d+(?:\.\d+)?)"


_SUMMARY = re.compile(
    rf"\[{_NUMBER} - {_NUMBER}\]\t(\S+)\t(\S+)\t\[{_NUMBER}, {_NUMBER}, {_NUMBER}\]\s*",
    flags=re.ASCII,
)


_VOTE = re.compile(r"[CA]-[EFM]\d*:")


@dataclass(frozen=True)
class Turn:
    """One rated turn: `vad` is valence, arousal (the files' "act"), dominance, on 1 … 5."""

    name: str
    start_s: float
    end_s: float
    code: str
    vad: tuple[float, float, float]

    @property
    def dialog(self) -> str:
        """Name of the recording that it is a turn of."""
        return self.name.rpartition("_")[0]

    @property
    def session(self) -> int:
        """1 … 5."""
        return int(self.name[3:5])

    @property
    def speaker(self) -> str:
        """One of ten: session and F or M."""
        return f"{self.name[3:5]}{self.name.rpartition('_')[2][0]}"

    @property
    def half(self) -> str:
        """Where its speaker is in the picture: who wears the markers is on the left.

        >>> Turn("Ses05M_script01_1b_M012", 0, 1, "neu", (3, 3, 3)).half
        'left'
        """
        return "left" if self.speaker[-1] == self.name[5] else "right"


@dataclass
class Evaluation:
    """Turns in the file's order; `votes` and `heads` count lines, `strange` names other ones."""

    turns: list[Turn] = field(default_factory=list)
    votes: int = 0
    heads: int = 0
    faults: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)


def read_turns(raw: bytes, name: str, dialog: str) -> Evaluation:
    """What one file says of its dialog.

    A line that speaks of a turn and cannot be read is a fault; one that is neither that, nor a
    vote, nor a heading is strange.
    """
    found, seen = Evaluation(), set()
    for at, line in enumerate(lines(raw), start=1):
        if not line.strip():
            continue
        if _VOTE.match(line):
            found.votes += 1
        elif line.startswith("%"):
            found.heads += 1
        elif line.startswith("[") or "\tSes" in line or line.startswith("Ses"):
            turn, fault = _turn(line, dialog)
            if turn is not None and turn.name in seen:
                turn, fault = None, f"{turn.name} stands here again"
            if turn is None:
                found.faults.append(f"{name}:{at}: {fault}")
            else:
                seen.add(turn.name)
                found.turns.append(turn)
        else:
            found.strange.append(f"{name}:{at}")
    if not found.turns and not found.faults:
        found.faults.append(f"{name}: no turn")
    return found


def _turn(line: str, dialog: str) -> tuple[Turn | None, str]:
    match = _SUMMARY.fullmatch(line)
    if match is None:
        return None, "not '[start - end] TURN CODE [V, A, D]' with tabs between"
    turn, code = match[3], match[4]
    numbers = [float(match[i]) for i in (1, 2, 5, 6, 7)]
    if not _TURN.fullmatch(turn):
        return None, f"{_short(turn)} is no name of a turn"
    if turn.rpartition("_")[0] != dialog:
        return None, f"{turn} is not a turn of {dialog}"
    if code not in CODES:
        return None, f"{turn}: {_short(code)} is no class"
    if not all(map(math.isfinite, numbers)) or not 0 <= numbers[0] < numbers[1]:
        return None, f"{turn} ends before it starts"
    return Turn(turn, numbers[0], numbers[1], code, tuple(numbers[2:])), ""


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
